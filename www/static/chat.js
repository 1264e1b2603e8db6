// The chat, plain protocol: "NAME enter room", "NAME:TEXT", "NAME leave room", one text frame each.
//
//     connecting ── open ──▶ connected ── close ──▶ waiting ── timer, online, page shown ──▶ connecting
//         └──── close ──▶ is the login still good? ── no ──▶ gone
//
// What somebody typed stays in the box until it is sent, and comes back there until it has been seen in the room.
"use strict";

const $ = (id) => document.getElementById(id);
const chat = $("chat");
const log = $("log");
const input = $("text");
const LINES_MAX = 500; // lines kept in the page
const TEXT_BYTES_MAX = Number(chat.dataset.textBytes);
const RETRY_MS_MAX = 30_000;
const STEADY_MS = 10_000; // a connection that lived so long was a good one
const TOGETHER_MS = 180_000; // lines of one person within this time share one heading
const DRAFT = "squall-draft";

let me = chat.dataset.user;
let socket = null;
let state = "connecting";
let failures = 0;
let retryTimer = 0;
let lastWords = ""; // why the server hung up, as text
const unseen = []; // sent, not yet seen in the room

const text = (key, value = "") => chat.dataset[key].replace("{}", () => value);
const bytesOf = (string) => new TextEncoder().encode(string).length;

// ---- The connection ----

function connect() {
  clearTimeout(retryTimer);
  setState("connecting");
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/`);
  let openedAt = 0;
  socket = mine;
  mine.onopen = () => {
    if (socket !== mine) return;
    openedAt = Date.now();
    isFirst = true;
    lastWords = "";
    setState("connected");
  };
  mine.onmessage = (event) => socket === mine && receive(event.data);
  mine.onclose = (event) => socket === mine && hungUp(event.code, event.reason, openedAt);
}

async function hungUp(code, reason, openedAt) {
  socket = null;
  takeBack();
  if (openedAt && Date.now() - openedAt > STEADY_MS) failures = 0;
  // 1001 is said, too, to somebody who was silent for too long: a computer that slept, a network that was away.
  const away = reason === "server restarts" ? text("restart") : "";
  lastWords = { 1001: away, 1008: text("flood"), 1009: text("long"), 1013: text("slow") }[code] ?? lastWords;
  // A browser cannot see the 401 of a refused upgrade, but it can see that the page itself redirects to the login.
  if (!openedAt && !(await isLoggedIn())) return setState("gone");
  if (socket) return; // the question took a while, and somebody connected meanwhile
  const longest = Math.min(RETRY_MS_MAX, 1000 * 2 ** failures++);
  // Jitter, or everybody comes back to a restarted server in the same moment.
  wait((code === 1008 ? 5000 : 500) + longest * Math.random());
}

async function isLoggedIn() {
  try {
    const answer = await fetch("/chat/", { redirect: "manual", cache: "no-store" });
    return answer.type !== "opaqueredirect" && answer.status !== 401;
  } catch {
    return true; // no answer at all says nothing about the login
  }
}

function wait(ms) {
  const until = Date.now() + ms;
  const tick = () => {
    const left = until - Date.now();
    if (left <= 0) return connect();
    setState("waiting", Math.ceil(left / 1000));
    retryTimer = setTimeout(tick, Math.min(left, 1000));
  };
  tick();
}

function retryNow() {
  if (state === "waiting" || state === "gone") connect(); // the login may be back, too, from another window
}

function setState(next, seconds) {
  const changed = next !== state;
  state = next;
  chat.dataset.state = next;
  const words = next === "waiting" ? `${lastWords} ${text("retry", seconds)}`.trim() : text(next);
  $("state").textContent = words;
  $("retry").hidden = next !== "waiting";
  $("again").hidden = next !== "gone";
  if (changed && next !== "connecting") announce(words);
}

addEventListener("online", retryNow);
addEventListener("pageshow", (event) => event.persisted && !socket && retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  countUnread(-unread);
  retryNow();
});
addEventListener("offline", () => {
  if (!socket) return;
  // The close handshake cannot succeed, so its event would come late.
  const dead = socket;
  hungUp(1006, "", Date.now());
  dead.close();
});
$("retry").addEventListener("click", retryNow);

// ---- What comes in ----

let isFirst = true; // the first line of a connection is its own enter line
let unread = 0;
let stuck = true; // the end of the log is in view, and stays there
let newer = 0; // lines below the view
let waitingLines = [];
let last = { from: null, at: 0 };

function receive(frame) {
  if (typeof frame !== "string") return;
  const line = parse(frame);
  if (isFirst && line.kind === "enters" && line.from !== me) {
    me = line.from; // somebody logged in under another name in another window
    $("user").textContent = $("user").title = me;
  }
  isFirst = false;
  const seen = line.kind === "says" && line.from === me ? unseen.indexOf(line.text) : -1;
  if (seen >= 0) unseen.splice(seen, 1);
  if (line.from !== me) {
    if (line.kind === "says" && document.hidden) countUnread(1);
    if (line.kind === "says") announce(`${line.from}: ${line.text}`);
    else announce(line.from ? `${line.from} ${text(line.kind)}` : line.text);
  }
  waitingLines.push(line);
  if (waitingLines.length > LINES_MAX) waitingLines.shift();
  if (waitingLines.length > 1) return;
  // One layout per frame, however many lines came; a hidden page has no frames.
  if (document.hidden) setTimeout(show, 200);
  else requestAnimationFrame(show);
}

// A name has no colon, so a frame with a colon is a message, whatever else it looks like.
function parse(frame) {
  const at = new Date();
  const colon = frame.indexOf(":");
  if (colon >= 0) return { kind: "says", from: frame.slice(0, colon), text: frame.slice(colon + 1), at };
  for (const [ending, kind] of [[" enter room", "enters"], [" leave room", "leaves"]]) {
    if (frame.endsWith(ending) && frame !== ending) return { kind, from: frame.slice(0, -ending.length), at };
  }
  return { kind: "other", from: "", text: frame, at };
}

function show() {
  const lines = waitingLines;
  waitingLines = [];
  log.append(...lines.map(element));
  while (log.childElementCount > LINES_MAX) log.firstElementChild.remove();
  if (stuck) return toEnd();
  newer += lines.length;
  $("newer").hidden = false;
}

function element(line) {
  if (line.kind !== "says") {
    last = { from: null, at: 0 };
    const notice = make("p", "notice");
    if (line.from) notice.append(make("bdi", "", line.from), ` ${text(line.kind)}`, time(line.at));
    else notice.textContent = line.text;
    return notice;
  }
  const together = last.from === line.from && line.at - last.at < TOGETHER_MS;
  last = { from: line.from, at: line.at };
  const message = make("article", `message c${colourOf(line.from)}`);
  message.classList.toggle("own", line.from === me);
  message.classList.toggle("together", together);
  const initial = make("span", "initial", firstLetter(line.from));
  initial.setAttribute("aria-hidden", "true");
  const heading = make("header", together ? "unseen" : "");
  heading.append(make("bdi", "from", line.from), time(line.at));
  const words = make("p", "words");
  words.dir = "auto";
  words.append(...linked(line.text));
  message.append(initial, heading, words);
  return message;
}

function make(tag, className, textContent = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = textContent;
  return made;
}

function time(at) {
  const made = make("time", "", at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }));
  made.dateTime = at.toISOString();
  return made;
}

// Addresses become links, everything else stays text; a full stop or comma behind one is not part of it.
function linked(string) {
  return string.split(/(https?:\/\/[^\s<>"'，。；：！？（）《》“”]*[^\s<>"'，。；：！？（）《》“”.,;:!?)])/).map((piece, n) => {
    if (n % 2 === 0) return piece;
    const link = make("a", "", piece);
    link.href = piece;
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    return link;
  });
}

function colourOf(name) {
  let hash = 2166136261;
  for (const unit of new TextEncoder().encode(name)) hash = Math.imul(hash ^ unit, 16777619);
  return (hash >>> 16) % 8;
}

function firstLetter(name) {
  if (!Intl.Segmenter) return [...name][0] ?? "";
  return new Intl.Segmenter().segment(name).containing(0)?.segment ?? "";
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
  stuck = true;
  newer = 0;
  $("newer").hidden = true;
}

function countUnread(more) {
  unread += more;
  document.title = document.title.replace(/^\(\d+\) /, "");
  if (unread) document.title = `(${unread}) ${document.title}`;
}

log.addEventListener("scroll", () => {
  stuck = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  if (stuck) toEnd();
});
new ResizeObserver(() => stuck && toEnd()).observe(log);
$("newer").addEventListener("click", () => {
  toEnd();
  input.focus();
});

// ---- What a screen reader hears: at most one announcement a second ----

let unspoken = [];
let speakTimer = 0;

function announce(words) {
  unspoken.push(words);
  speakTimer ||= setTimeout(() => {
    $("heard").textContent = unspoken.length > 3 ? text("unread", unspoken.length) : unspoken.join("\n");
    unspoken = [];
    speakTimer = 0;
  }, 1000);
}

// ---- What goes out ----

function send() {
  const words = input.value.toWellFormed?.() ?? input.value;
  if (!words.trim() || bytesOf(words) > TEXT_BYTES_MAX) return measure();
  if (state === "waiting") connect();
  if (state !== "connected" || socket?.readyState !== WebSocket.OPEN) return; // the words stay in the box
  socket.send(words);
  unseen.push(words);
  setInput("");
  toEnd();
}

// What was sent but never seen may be lost: it goes back into the box, before what was typed since.
function takeBack() {
  if (!unseen.length) return;
  setInput([...unseen.splice(0), input.value].filter(Boolean).join("\n"));
  hint(text("back"), false);
}

function setInput(words) {
  input.value = words;
  measure();
}

// Keeps the draft, the height of the box and the hint in step with what is typed.
function measure() {
  try {
    sessionStorage.setItem(DRAFT, input.value);
  } catch {} // storage may be forbidden; then a reload forgets the draft
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + input.offsetHeight - input.clientHeight}px`;
  const left = TEXT_BYTES_MAX - bytesOf(input.value);
  if (left < 0) hint(text("over", -left), true);
  else hint(left < 500 ? text("left", left) : $("hint").dataset.keys, false);
}

function hint(words, isProblem) {
  $("hint").textContent = words;
  $("hint").classList.toggle("problem", isProblem);
  $("hint").classList.toggle("idle", words === $("hint").dataset.keys);
  input.setAttribute("aria-invalid", isProblem);
}

input.addEventListener("input", measure);
input.addEventListener("keydown", (event) => {
  // Enter that ends an input method's composition is not meant for us; 229 is how older browsers say so.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  send();
});
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
  input.focus();
});
document.querySelector('form[action="/logout"]')?.addEventListener("submit", () => {
  try {
    sessionStorage.removeItem(DRAFT);
  } catch {}
});

try {
  input.value = sessionStorage.getItem(DRAFT) ?? "";
} catch {}
measure();
connect();

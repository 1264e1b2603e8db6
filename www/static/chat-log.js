// The log: lines of the room as they come in, with the last one in view until the user scrolls back.

import { $, announce, letters, make, text } from "./chat-page.js";

const LINES_MAX = 500; // lines kept in the page
const TOGETHER_MS = 180_000; // lines of one member within this time share one heading
const HUES = 12; // 30 degrees apart, each in two tones

const log = $("log");
const lines = $("lines");

let unread = 0;
let stuck = true; // the end of the log is in view, and stays there
let newer = 0; // lines below the view
let waitingLines = [];
let last = { from: null, at: 0 };

// A name has no colon, so a frame with a colon is a message.
export function parse(frame) {
  const at = new Date();
  const colon = frame.indexOf(":");
  if (colon >= 0) return { kind: "says", from: frame.slice(0, colon), text: frame.slice(colon + 1), at };
  for (const [ending, kind] of [[" enter room", "enters"], [" leave room", "leaves"]]) {
    if (frame.endsWith(ending) && frame !== ending) return { kind, from: frame.slice(0, -ending.length), at };
  }
  return { kind: "other", from: "", text: frame, at };
}

// Shows a line. `isOwn` is this page's knowledge.
export function add(line, isOwn) {
  if (!isOwn) {
    if (line.kind === "says" && document.hidden) countUnread(1);
    if (line.kind === "says") announce(`${line.from}: ${line.text}`);
    else announce(line.from ? `${line.from} ${text(line.kind)}` : line.text);
  }
  waitingLines.push({ ...line, isOwn });
  if (waitingLines.length > LINES_MAX) waitingLines.shift();
  if (waitingLines.length > 1) return;
  // One layout per animation frame for any number of lines; a hidden page has no frames.
  if (document.hidden) setTimeout(show, 200);
  else requestAnimationFrame(show);
}

export function toEnd() {
  log.scrollTop = log.scrollHeight;
  stuck = true;
  newer = 0;
  $("newer").hidden = true;
}

function show() {
  const added = waitingLines;
  waitingLines = [];
  lines.append(...added.map(element));
  while (lines.childElementCount > LINES_MAX) lines.firstElementChild.remove();
  if (stuck) return toEnd();
  newer += added.length;
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
  const message = make("article", "message");
  const colour = hashOf(line.from) % (2 * HUES);
  message.style.setProperty("--hue", (colour % HUES) * (360 / HUES));
  message.classList.toggle("strong", colour >= HUES);
  message.classList.toggle("own", line.isOwn);
  message.classList.toggle("together", together);
  const initial = make("span", "initial", letters(line.from).next().value ?? "");
  initial.setAttribute("aria-hidden", "true");
  const heading = make("header", together ? "unseen" : "");
  heading.append(make("bdi", "from", line.from), time(line.at));
  const words = make("p", "words");
  words.dir = "auto";
  words.append(...linked(line.text));
  message.append(initial, heading, words);
  return message;
}

function time(at) {
  const made = make("time", "", at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }));
  made.dateTime = at.toISOString();
  return made;
}

// URLs become links, everything else stays text; a full stop or comma behind one is not part of it.
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

// FNV-1a, then the finalizer of MurmurHash3: without it the last byte of a name hardly reaches the upper bits.
function hashOf(name) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function countUnread(more) {
  unread += more;
  document.title = document.title.replace(/^\(\d+\) /, "");
  if (unread) document.title = `(${unread}) ${document.title}`;
}

document.addEventListener("visibilitychange", () => document.hidden || countUnread(-unread));
log.addEventListener("scroll", () => {
  stuck = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
  if (stuck) toEnd();
});
const observer = new ResizeObserver(() => stuck && toEnd());
for (const sized of [log, $("lost")]) observer.observe(sized);
$("newer").addEventListener("click", () => {
  toEnd();
  $("text").focus();
});

// The link to the room: the WebSocket in use, and at times its replacement.
//
//     connecting ── welcome ──▶ connected ── closed or dead ──▶ waiting ── timer, online, page shown ──▶ connecting
//         └──── refused ──▶ is the login still good? ── no ──▶ gone;  banned ──▶ out;  yes: waiting
//
//     connecting, connected ── kicked or banned ──▶ out ── only the user leaves this state
//
// A network path can fail without a close, and a browser cannot send pings. So a doubted connection is replaced: a new
// one asks for everything behind the position of the page, and with its welcome takes the place of the old one. Until
// then messages wait in the outbox. Each socket has a generation; frames of any but the present one are dropped.

import { addressOf } from "./chat-page.js";

const PROTOCOL = "squall.v1";
const WELCOME_MS = 5_000; // from connecting to the welcome
const OVERDUE_MS = 5_000; // for a sent message to be acknowledged
const QUIET_MS = 60_000; // without a frame before the connection is doubted
const QUIET_HIDDEN_MS = 300_000; // the same for a page that is not shown
const LOOK_MS = 2_000; // between two readings of the clock
const ASLEEP_MS = 30_000; // a page that was hidden, or a clock that stood still, longer than this trusts no connection
const ALIVE_MS = 20_000; // a connection with a frame within this time outlives a replacement that fails
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;
const FLOOD_MS = 5_000; // before the first try after a close for flooding
const STEADY_MS = 10_000; // a connection that lasted longer was a good one
const TIMED_OUT = 0; // a close code that no WebSocket uses
const EXPELLED = ["kicked", "banned"]; // codes of errors, and reasons of a close with 1008

export class Link {
  // "connecting", "connected", "waiting", "gone" (without a login) or "out" (kicked or banned).
  state = "connecting";
  // While "out": when a ban ends, in ms since 1970; Infinity if that is not known, 0 for somebody who may come back.
  until = 0;
  // The name under which the server knows this browser.
  name;
  #room = "";
  #page;
  #generation = 0;
  #current = null; // the connection in use
  #next = null; // the one without its welcome yet
  #isChecking = false;
  #isDoubted = false; // another window reports another login, or this page has slept
  #failures = 0;
  #hasWorked = false;
  #refusals = 0; // in a row, while pages could be loaded
  #why = ""; // key of the text on why there is no connection
  #retryTimer = 0;
  #hiddenAt = document.hidden ? performance.now() : Infinity;
  #lookedAt = performance.now();

  // Calls of `page`: state(seconds, why), welcome(frame, gap), frame(frame), dropped(); position(), the last entry that
  // the page has, as ID.TAG, or ""; and oldestUnacknowledged(), the time at which that message was sent.
  constructor(name, page) {
    this.name = name;
    this.#page = page;
    setInterval(() => this.#look(), LOOK_MS);
    addEventListener("online", () => this.check());
    addEventListener("offline", () => this.#hangUp());
    addEventListener("focus", () => this.check());
    addEventListener("pageshow", (event) => event.persisted && this.renew());
    document.addEventListener("resume", () => this.renew()); // a frozen page thaws
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  // Leaves the room: no frame of it is heard from now on.
  leave() {
    clearTimeout(this.#retryTimer);
    if (this.#next) discard(this.#next);
    this.#next = null;
    this.#drop();
    this.#checkDone();
  }

  // Enters a room, after another one was left.
  enter(room) {
    this.#room = room;
    this.#failures = this.#refusals = 0;
    this.#why = "";
    this.#connect();
  }

  // Enters again after being kicked, or after a ban.
  comeBack() {
    if (this.state === "out") this.enter(this.#room);
  }

  // Whether a message would be sent at once.
  get isReady() {
    return this.state === "connected" && !this.#isChecking;
  }

  send(frame) {
    this.#current.socket.send(JSON.stringify(frame));
  }

  // Another window shows a page made for `name`.
  heardOf(name) {
    const isOut = this.state === "gone" || this.state === "out";
    if (name === this.name && this.state !== "gone") return;
    if (name === "" && isOut) return;
    if (this.state === "out") this.comeBack();
    else this.renew();
  }

  // Checks that the path works and the login is unchanged: replaces the connection.
  check() {
    if (this.state === "out") return;
    if (this.state === "waiting" || this.state === "gone") return this.#connect();
    if (this.#next && !this.#isDoubted) return;
    // A connection begun before the doubt may have sent the old login or the old position.
    if (this.#next) discard(this.#next);
    this.#isChecking = this.#current !== null;
    this.#dial();
  }

  // The same where the present connection is not to be trusted.
  renew() {
    this.#isDoubted = true;
    this.check();
  }

  retry() {
    if (this.state === "waiting" || this.state === "gone") this.#connect();
  }

  #connect() {
    clearTimeout(this.#retryTimer);
    this.#set("connecting");
    this.#dial();
  }

  #dial() {
    const query = new URLSearchParams();
    if (this.#room !== "lobby") query.set("room", this.#room);
    const position = this.#page.position();
    if (position) query.set("since", position);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/chat/${`?${query}`.replace(/^\?$/, "")}`, PROTOCOL);
    const timer = setTimeout(() => this.#closed(mine, TIMED_OUT, ""), WELCOME_MS);
    const mine = { socket, timer, generation: ++this.#generation, gap: null, until: null, welcomedAt: 0, heardAt: 0 };
    this.#next = mine;
    socket.onmessage = ({ data }) => this.#heard(mine, data);
    socket.onclose = ({ code, reason }) => this.#closed(mine, code, reason);
  }

  #heard(mine, data) {
    const isNext = mine.generation === this.#next?.generation;
    if (!isNext && mine.generation !== this.#current?.generation) return;
    const frame = parse(data);
    mine.heardAt = performance.now();
    if (frame.type === "gap") mine.gap = frame;
    else if (frame.type === "error" && EXPELLED.includes(frame.code)) mine.until = endOf(frame.retry_after_ms);
    else if (frame.type !== "welcome") isNext || this.#page.frame(frame);
    else if (isNext) this.#welcomed(mine, frame);
    else this.#page.welcome(frame, take(mine, "gap"));
  }

  #welcomed(mine, frame) {
    this.#next = null;
    this.#checkDone();
    this.#drop();
    clearTimeout(mine.timer);
    mine.welcomedAt = mine.heardAt;
    this.#current = mine;
    this.#hasWorked = true;
    this.#refusals = 0;
    this.#why = "";
    this.name = frame.you;
    this.state = "connected";
    this.#page.welcome(frame, take(mine, "gap"));
    this.#set("connected");
  }

  #closed(mine, code, reason) {
    if (code === 1008 && EXPELLED.includes(reason)) return this.#expelled(reason, mine.until);
    if (mine === this.#next) return this.#refused(mine, code);
    // The server sends 1001 after a silence, too: a computer that slept, a network that was away.
    const away = reason === "server restarts" ? "restart" : "";
    this.#why = { 1001: away, 1008: "flood", 1009: "long", 1013: "slow" }[code] ?? this.#why;
    this.#drop();
    this.#isChecking = false;
    if (this.#next) this.#set("connecting");
    else this.#wait(code === 1008 ? FLOOD_MS : RETRY_MS_MIN);
  }

  async #refused(mine, code) {
    discard(mine);
    // A replacement without any response is a failed path; any other failure is examined.
    const { cause, until } = code === TIMED_OUT && this.#current ? { cause: "unknown" } : await examine(this.#room);
    if (mine !== this.#next) return; // another connection was begun meanwhile
    if (cause === "banned") return this.#expelled(cause, until);
    this.#next = null;
    const isKept = cause !== "login" && !this.#isDoubted && this.#current && this.#isAlive(this.#current);
    this.#checkDone();
    if (isKept) return this.#set("connected");
    this.#drop();
    if (cause === "login") return this.#set("gone");
    this.#refusals = cause === "path" ? this.#refusals + 1 : 0;
    if (cause === "room") this.#why = "noRoom";
    else if (this.#refusals > (this.#hasWorked ? 1 : 0)) this.#why = "blocked";
    this.#wait(RETRY_MS_MIN);
  }

  // An operator wants this member out: coming back by itself would make light of that.
  #expelled(why, until) {
    this.leave();
    this.#why = why;
    this.until = why === "banned" ? (until ?? Infinity) : 0;
    this.#set("out");
  }

  #checkDone() {
    this.#isChecking = this.#isDoubted = false;
  }

  // Drops every connection at once: the close handshake on a failed path would take a while.
  #hangUp() {
    if (["waiting", "gone", "out"].includes(this.state)) return;
    this.leave();
    this.#wait(RETRY_MS_MIN);
  }

  #drop() {
    if (!this.#current) return;
    if (performance.now() - this.#current.welcomedAt > STEADY_MS) this.#failures = 0;
    discard(this.#current);
    this.#current = null;
    this.#page.dropped();
  }

  #isAlive(connection) {
    return performance.now() - connection.heardAt < ALIVE_MS && !this.#isOverdue();
  }

  #isOverdue() {
    return performance.now() - this.#page.oldestUnacknowledged() > OVERDUE_MS;
  }

  #seen() {
    const now = performance.now();
    if (document.hidden) return (this.#hiddenAt = now);
    const slept = now - this.#hiddenAt;
    this.#hiddenAt = Infinity;
    if (slept > ASLEEP_MS) this.renew();
    else this.check();
  }

  #look() {
    const stood = performance.now() - this.#lookedAt;
    this.#lookedAt += stood;
    // Timers of hidden pages come once a minute.
    if (stood > ASLEEP_MS && !document.hidden) return this.renew();
    if (!this.isReady) return;
    const quiet = performance.now() - this.#current.heardAt;
    if (this.#isOverdue() || quiet > (document.hidden ? QUIET_HIDDEN_MS : QUIET_MS)) this.check();
  }

  #wait(least) {
    const longest = Math.min(RETRY_MS_MAX, 1000 * 2 ** this.#failures++);
    // Jitter, or all clients reconnect to a restarted server in the same moment.
    const until = performance.now() + least + longest * Math.random();
    const tick = () => {
      const left = until - performance.now();
      if (left <= 0) return this.#connect();
      this.#set("waiting", Math.ceil(left / 1000));
      this.#retryTimer = setTimeout(tick, Math.min(left, 1000));
    };
    clearTimeout(this.#retryTimer);
    tick();
  }

  #set(state, seconds = 0) {
    this.state = state;
    this.#page.state(seconds, this.#why);
  }
}

// Drops a connection: its further events are ignored.
function discard({ socket, timer }) {
  clearTimeout(timer);
  socket.onmessage = socket.onclose = null;
  socket.close();
}

function take(from, key) {
  const value = from[key];
  from[key] = null;
  return value;
}

// What is no frame of the protocol has no type, and is passed over.
function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    return {};
  }
}

// When something ends that lasts for `milliseconds` from now on; null if that is not known.
const endOf = (milliseconds) => (milliseconds > 0 ? Date.now() + milliseconds : null);

// The cause of a refused upgrade. A script cannot see its status, but it can see that the page redirects to the login or is
// refused to somebody who is banned, and that the room is not there; if none of these, the path does not pass the upgrade
// on.
async function examine(room) {
  try {
    const signal = AbortSignal.timeout?.(WELCOME_MS);
    const options = { redirect: "manual", cache: "no-store", signal };
    const page = await fetch(addressOf(room), options);
    if (page.type === "opaqueredirect" || page.status === 401) return { cause: "login" };
    if (page.status === 403) return { cause: "banned", until: endOf(1_000 * page.headers.get("retry-after")) };
    if (page.status === 400) return { cause: "room" };
    if (!page.ok) return { cause: "unknown" };
    const history = await fetch(`/api/rooms/${encodeURIComponent(room)}/messages?limit=1`, options);
    return { cause: history.status === 404 ? "room" : "path" };
  } catch {
    return { cause: "unknown" }; // no response says nothing about the login
  }
}

// The link to the room: the WebSocket in use, and at times a second one that checks it.
//
//     connecting ── first line ──▶ connected ── closed or dead ──▶ waiting ── timer, online, page shown ──▶ connecting
//         └──── refused ──▶ is the login still good? ── no ──▶ gone
//
// A network path can fail without a close, and a browser cannot send pings. But the first frame on every connection is
// its own enter line: it proves that the path works, and has the current name of the login. So a check is one more
// connection that waits for its line. Until the check is over, nothing is sent.

const ENTER_MS = 20_000; // from connecting to the first line
const CHECK_MS = 10_000; // the same for a check, during which nothing is sent
const OVERDUE_MS = 5_000; // for the user's message to be seen in the room
const QUIET_MS = 60_000; // without a frame before a check
const QUIET_HIDDEN_MS = 300_000; // the same for a page that is not shown
const LOOK_MS = 2_000; // between two readings of the clock
const ALIVE_MS = 20_000; // a connection with a frame within this time is not replaced by its check
const RETRY_MS_MAX = 30_000;
const STEADY_MS = 10_000; // a connection that lasted longer was a good one
const TIMED_OUT = 0; // a close code that no WebSocket uses

const ADDRESS = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/`;
const ENTERS = " enter room";

export class Link {
  // "connecting", "connected", "waiting" or "gone".
  state = "connecting";
  // The name under which the server knows this browser.
  name;
  #page;
  #current = null; // the connection in use
  #next = null; // the one without its first line yet
  #isChecking = false;
  #isDoubted = false; // another window reports another login
  #failures = 0;
  #hasWorked = false;
  #refusals = 0; // in a row, while pages could be loaded
  #why = ""; // key of the text on why there is no connection
  #retryTimer = 0;

  // Calls of `page`: state(seconds, why), line(frame), renamed(name), dropped(), ready(); and oldestUnseen(), the time
  // at which the first unseen message was sent.
  constructor(name, page) {
    this.name = name;
    this.#page = page;
    setInterval(() => this.#look(), LOOK_MS);
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.#hangUp());
    addEventListener("focus", () => this.check());
    addEventListener("pageshow", (event) => event.persisted && this.check());
    document.addEventListener("visibilitychange", () => document.hidden || this.check());
  }

  start() {
    this.#connect();
  }

  // Whether a message would be sent at once.
  get isReady() {
    return this.state === "connected" && !this.#isChecking;
  }

  send(words) {
    this.#current.socket.send(words);
  }

  // Another window shows a page made for `name`.
  heardOf(name) {
    if (name === this.name && this.state !== "gone") return;
    if (name === "" && this.state === "gone") return;
    this.#isDoubted = true;
    this.check();
  }

  // Checks that the path works and the login is unchanged.
  check() {
    if (this.state === "waiting" || this.state === "gone") return this.#connect();
    if (this.#next && !this.#isDoubted) return;
    // A connection begun before the doubt may have sent the old login.
    if (this.#next) discard(this.#next);
    this.#isChecking = this.#current !== null;
    this.#dial();
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
    const socket = new WebSocket(ADDRESS);
    const timer = setTimeout(() => this.#closed(mine, TIMED_OUT, ""), this.#current ? CHECK_MS : ENTER_MS);
    const mine = { socket, timer, enteredAt: 0, heardAt: 0 };
    this.#next = mine;
    socket.onmessage = ({ data }) => this.#heard(mine, data);
    socket.onclose = ({ code, reason }) => this.#closed(mine, code, reason);
  }

  #heard(mine, frame) {
    if (typeof frame !== "string") return;
    mine.heardAt = performance.now();
    if (mine === this.#next) this.#entered(mine, frame);
    else this.#page.line(frame);
  }

  #entered(mine, frame) {
    const name = frame.endsWith(ENTERS) ? frame.slice(0, -ENTERS.length) : this.name;
    const old = this.#current;
    const isRenamed = name !== this.name;
    this.#next = null;
    this.#checkDone();
    if (old && !isRenamed && this.#isAlive(old)) {
      discard(mine);
      return this.#page.ready();
    }
    this.#drop();
    this.#current = mine;
    clearTimeout(mine.timer);
    mine.enteredAt = mine.heardAt;
    this.#hasWorked = true;
    this.#refusals = 0;
    this.#why = "";
    if (isRenamed) this.#page.renamed((this.name = name));
    // A replacement under the same name changes nothing for the page.
    if (!old || isRenamed) this.#page.line(frame);
    this.#set("connected");
    this.#page.ready();
  }

  #closed(mine, code, reason) {
    if (mine === this.#next) return this.#refused(mine, code);
    // The server sends 1001 after a silence, too: a computer that slept, a network that was away.
    const away = reason === "server restarts" ? "restart" : "";
    this.#why = { 1001: away, 1008: "flood", 1009: "long", 1013: "slow" }[code] ?? this.#why;
    this.#drop();
    this.#isChecking = false;
    if (this.#next) this.#set("connecting");
    else this.#wait(code === 1008 ? 5000 : 500);
  }

  async #refused(mine, code) {
    discard(mine);
    // A check without any response is a failed path; any other failure is examined.
    const login = code === TIMED_OUT && this.#current ? "unknown" : await askForLogin();
    if (mine !== this.#next) return; // another connection was begun meanwhile
    this.#next = null;
    const isKept = login !== "gone" && !this.#isDoubted && this.#current && this.#isAlive(this.#current);
    this.#checkDone();
    if (isKept) return this.#page.ready();
    this.#drop();
    if (login === "gone") return this.#set("gone");
    this.#refusals = login === "good" ? this.#refusals + 1 : 0;
    if (this.#refusals > (this.#hasWorked ? 1 : 0)) this.#why = "blocked";
    this.#wait(500);
  }

  #checkDone() {
    this.#isChecking = this.#isDoubted = false;
  }

  // Drops every connection at once: the close handshake on a failed path would take a while.
  #hangUp() {
    if (this.state === "waiting" || this.state === "gone") return;
    if (this.#next) discard(this.#next);
    this.#next = null;
    this.#drop();
    this.#checkDone();
    this.#wait(500);
  }

  #drop() {
    if (!this.#current) return;
    if (performance.now() - this.#current.enteredAt > STEADY_MS) this.#failures = 0;
    discard(this.#current);
    this.#current = null;
    this.#page.dropped();
  }

  #isAlive(connection) {
    return performance.now() - connection.heardAt < ALIVE_MS && !this.#isOverdue();
  }

  #isOverdue() {
    return performance.now() - this.#page.oldestUnseen() > OVERDUE_MS;
  }

  #look() {
    if (this.state !== "connected" || this.#isChecking) return;
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

// A script cannot see the 401 of a refused upgrade, but it can see that the page redirects to the login.
async function askForLogin() {
  try {
    const signal = AbortSignal.timeout?.(CHECK_MS);
    const answer = await fetch("/chat/", { redirect: "manual", cache: "no-store", signal });
    if (answer.type === "opaqueredirect" || answer.status === 401) return "gone";
    return answer.ok ? "good" : "unknown";
  } catch {
    return "unknown"; // no response says nothing about the login
  }
}

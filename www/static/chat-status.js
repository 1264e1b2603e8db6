// The line that says how the connection is. A short trouble is not worth a word: the words change when it lasts, or comes
// again and again.

import { $, page, text } from "./chat-page.js";
import { announce } from "./chat-voice.js";

const PATIENCE_MS = 3_000; // of trouble before it is said, and of connection before it is over

const TIMER_MS_MAX = 2 ** 31 - 1; // browsers take no longer one

const line = $("state");
const moment = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

// Why this member may not be in the room: "kicked", or "banned" until a time in ms since 1970; Infinity if it is not known.
export function outText(why, until) {
  if (why === "banned" && Number.isFinite(until)) return text("bannedUntil", moment.format(until));
  return text(why);
}

export class Status {
  #link;
  #told; // called when the trouble is said
  #troubledAt = performance.now(); // Infinity while there is no trouble
  #isSaid = false; // the trouble
  #timer = 0; // of the next change that comes by itself
  #seconds = 0;
  // Key of the text on why there is no connection, or "".
  why = "";

  constructor(link, told) {
    this.#link = link;
    this.#told = told;
  }

  // Whether the trouble has lasted long enough to be said.
  get isTroubled() {
    return performance.now() - this.#troubledAt >= PATIENCE_MS;
  }

  show(seconds, why) {
    [this.#seconds, this.why] = [seconds, why];
    const { state } = this.#link;
    page.state = state;
    clearTimeout(this.#timer);
    if (state === "connected") {
      this.#timer = setTimeout(() => (this.#troubledAt = Infinity), PATIENCE_MS);
      return this.#write();
    }
    this.#troubledAt = Math.min(this.#troubledAt, performance.now());
    const left = this.#troubledAt + PATIENCE_MS - performance.now();
    if (left > 0) this.#timer = setTimeout(() => (this.#write(), this.#told()), left);
    this.#write();
  }

  #write() {
    const { state } = this.#link;
    const isTroubled = state === "gone" || state === "out" || (state !== "connected" && this.isTroubled);
    page.trouble = isTroubled;
    line.textContent = isTroubled ? this.#trouble(state) : text(state === "connected" ? state : "connecting");
    $("retry").hidden = !isTroubled || state !== "waiting";
    $("again").hidden = state !== "gone";
    const banned = state === "out" ? this.#link.until - Date.now() : 0;
    $("return").hidden = state !== "out" || banned > 0;
    if (banned > 0) this.#timer = setTimeout(() => this.#write(), Math.min(banned, TIMER_MS_MAX));
    const isNews = state !== "connecting" && isTroubled !== this.#isSaid;
    if (!isNews) return;
    this.#isSaid = isTroubled;
    announce(line.textContent);
  }

  #trouble(state) {
    const { why } = this;
    if (state === "out") return outText(why, this.#link.until);
    if (state !== "waiting") return text(state);
    if (why === "noRoom") return text(why);
    return why === "blocked" ? text("blocked", this.#seconds) : `${why && text(why)} ${text("retry", this.#seconds)}`.trim();
  }
}

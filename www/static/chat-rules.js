// The rules of the room: whether it is locked, slow or private, and what that means for this member. Everybody sees them
// in the head of the room.

import { $, text } from "./chat-page.js";
import { duration } from "./chat-duration.js";

const NONE = { locked: false, slow: 0, private: false };

const input = $("text");
const line = $("rules");
const placeholder = input.placeholder;

export class Rules {
  isOperator = false;
  settings = NONE;
  #changed; // called when the rules, or the time of the next message, have changed
  #nextAt = 0; // when a slow room takes the next message of this member
  #tick = 0;

  constructor(changed) {
    this.#changed = changed;
  }

  // Another room is shown, whose rules are not known yet.
  enter() {
    this.#nextAt = 0;
    this.welcome(false, NONE);
  }

  // What the room is like for this member; a server without moderation says nothing of it.
  welcome(isOperator = false, settings = NONE) {
    this.isOperator = isOperator;
    this.change(settings);
  }

  change(settings) {
    this.settings = { ...NONE, ...settings };
    if (!this.settings.slow) this.#nextAt = 0;
    this.#show();
    this.#changed();
  }

  // A message of this member was taken.
  spoke() {
    this.waitFor(this.isOperator ? 0 : this.settings.slow * 1_000);
  }

  // The room takes the next message after so many milliseconds.
  waitFor(milliseconds) {
    if (!milliseconds) return;
    this.#nextAt = Math.max(this.#nextAt, performance.now() + milliseconds);
    this.#count();
  }

  // Milliseconds until the room takes the next message.
  get wait() {
    return Math.max(0, this.#nextAt - performance.now());
  }

  // The rules in words.
  get words() {
    return line.textContent;
  }

  // The reason why this member may not write, or "".
  get obstacle() {
    return this.#isShut ? text("lockedHere") : "";
  }

  // What happens to a message that is sent now.
  get note() {
    return this.wait > 0 ? text("slowNext", duration(this.wait)) : "";
  }

  get #isShut() {
    return this.settings.locked && !this.isOperator;
  }

  #count() {
    clearTimeout(this.#tick);
    this.#changed();
    if (this.wait > 0) this.#tick = setTimeout(() => this.#count(), 1_000);
  }

  #show() {
    const { locked, slow, private: isPrivate } = this.settings;
    const said = [];
    if (locked) said.push(text("locked"));
    if (slow) said.push(text("slowRoom", duration(slow * 1_000)));
    if (isPrivate) said.push(text("private"));
    line.textContent = said.join(" · ");
    line.hidden = said.length === 0;
    input.placeholder = this.#isShut ? text("lockedPlaceholder") : placeholder;
  }
}

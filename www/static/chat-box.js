// The box: the draft of the room, its height, what hinders sending it, what came of the last try, and the keys.

import { $, letters, page, text } from "./chat-page.js";
import { duration } from "./chat-duration.js";
import { load, save } from "./chat-storage.js";
import { announce } from "./chat-voice.js";

const LETTERS_EXACT_MAX = 20_000; // a longer text is counted by code points, which is faster
const DRAFT_MS = 300; // between a letter and the keeping of the draft
const NEAR_BYTES = 500; // before the limit, from where on the hint says how much is left
const TOLD_MS = 15_000; // for which a refusal is shown that names no time
const TOLD_MS_MAX = 120_000; // the same for one that does

const input = $("text");
const button = $("send");
const hint = $("hint");
const bytesOf = (string) => new TextEncoder().encode(string).length;
const lettersOf = (string) => [...(string.length > LETTERS_EXACT_MAX ? string : letters(string))];

export class Box {
  #draft = "";
  #timer = 0;
  #submitted; // called with a text to send; the box is empty then
  #obstacle; // gives the reason why this text cannot be sent now, or ""
  #note; // gives a remark on what happens to a text that is sent now, or ""
  #textBytes = Number(page.textBytes); // until the server has said its limit
  #wasOver = false;
  #told = null; // the last refusal: { words, again: when it helps to try again, until: when it is taken away }
  #tick = 0;

  constructor({ submitted, obstacle, note }) {
    this.#submitted = submitted;
    this.#obstacle = obstacle;
    this.#note = note;
    input.addEventListener("input", () => this.changed());
    input.addEventListener("keydown", (event) => {
      // Enter that ends the composition of an input method does not send. Older browsers report it as 229, and so does
      // Safari, where the composition has ended before the key event.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    $("say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
      input.focus();
    });
    addEventListener("pagehide", () => this.#save());
    // What is kept is removed by login.js.
    document.querySelector('form[action="/logout"]')?.addEventListener("submit", () => (input.value = ""));
  }

  // Another room is shown: its draft takes the place of the one before.
  enter(room) {
    if (this.#draft) this.#save();
    this.#draft = `draft:${room}`;
    this.#told = null;
    input.value = load(this.#draft) ?? "";
    this.measure();
  }

  // Says why something was refused, and the milliseconds after which it may be tried again, if they are known.
  tell(words, after = 0) {
    const now = performance.now();
    this.#told = { words, again: now + after, until: now + Math.min(after || TOLD_MS, TOLD_MS_MAX) };
    announce(this.#refusal());
    this.measure();
  }

  // Gives a text back that was refused, if nothing was typed meanwhile.
  giveBack(words) {
    if (input.value) return;
    input.value = words;
    this.changed();
  }

  // The limit of the server.
  limit(bytes) {
    if (bytes > 0) this.#textBytes = bytes;
    this.measure();
  }

  // The text has changed.
  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#save(), DRAFT_MS);
    this.measure();
  }

  // Updates the height of the box, the hint and Send to the text and the connection.
  measure() {
    input.style.height = "auto"; // one row; a placeholder that wraps does not count
    if (input.value) input.style.height = `${input.scrollHeight + input.offsetHeight - input.clientHeight}px`;
    const bytes = bytesOf(input.value);
    const isOver = bytes > this.#textBytes;
    const problem = isOver ? text("over", this.#surplus(input.value)) : this.#obstacle(input.value);
    const isNear = bytes > this.#textBytes - NEAR_BYTES;
    const refusal = this.#refusal();
    const remark = problem || refusal || (isNear ? text("left", this.#room(input.value, bytes)) : this.#note());
    hint.textContent = remark || hint.dataset.keys;
    hint.classList.toggle("problem", isOver || (!problem && refusal !== ""));
    hint.classList.toggle("idle", !remark);
    input.setAttribute("aria-invalid", isOver);
    // Not `disabled`: a button with the focus can explain why it does nothing.
    button.setAttribute("aria-disabled", problem !== "");
    if (isOver && !this.#wasOver) announce(problem);
    this.#wasOver = isOver;
  }

  #submit() {
    const words = input.value.toWellFormed?.() ?? input.value;
    if (!words.trim() || bytesOf(words) > this.#textBytes || this.#obstacle(words)) return this.measure();
    input.value = "";
    this.#told = null;
    this.#save();
    this.measure();
    this.#submitted(words);
  }

  // The last refusal in words; counts the seconds until it may be tried again.
  #refusal() {
    clearTimeout(this.#tick);
    const now = performance.now();
    if (!this.#told || now >= this.#told.until) return "";
    this.#tick = setTimeout(() => this.measure(), 1_000);
    const left = this.#told.again - now;
    return left > 0 ? `${this.#told.words} ${text("tryAgain", duration(left))}` : this.#told.words;
  }

  #save() {
    clearTimeout(this.#timer);
    save(this.#draft, input.value || null);
  }

  // The number of letters, at least, to remove from the end until the text is short enough.
  #surplus(string) {
    const all = lettersOf(string);
    let bytes = 0;
    const fitting = all.findIndex((letter) => (bytes += bytesOf(letter)) > this.#textBytes);
    return all.length - fitting;
  }

  // The number of letters, about, that still fit, if they are like the present ones.
  #room(string, bytes) {
    return Math.floor(((this.#textBytes - bytes) * lettersOf(string).length) / bytes);
  }
}

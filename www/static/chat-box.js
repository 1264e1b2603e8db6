// The box: the draft and the sent messages, until they are seen in the room.
//
//     draft ── Enter ──▶ (held, during a check ──▶) unseen ── seen in the room ──▶ done
//       the connection is dropped: held, unseen ──▶ lost ── "Send again" ──▶ held or unseen;  "Discard" ──▶ done
//
// A lost message stays separate: it can be sent again unchanged.

import { $, announce, letters, make, page, text } from "./chat-page.js";

const TEXT_BYTES_MAX = Number(page.textBytes);
const PENDING_MAX = 50; // messages held, unseen or lost; with more, the draft stays in the box
const LETTERS_EXACT_MAX = 20_000; // a longer text is counted by code points, which is faster
const DRAFT = "squall-draft";
const LOST = "squall-lost";

const input = $("text");
const button = $("send");
const bytesOf = (string) => new TextEncoder().encode(string).length;
const lettersOf = (string) => [...(string.length > LETTERS_EXACT_MAX ? string : letters(string))];

export class Box {
  #link;
  #sent; // called when a message has left the box
  #held = [];
  #unseen = []; // { words, at }
  #lost = stored(LOST, "[]", JSON.parse);
  #wasOver = false;

  constructor(sent) {
    this.#sent = sent;
    input.value = stored(DRAFT, "", String);
    input.addEventListener("input", () => this.measure());
    input.addEventListener("keydown", (event) => {
      // Enter that ends the composition of an input method does not send; older browsers report it as 229.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#submit();
    });
    $("say").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
      input.focus();
    });
    document.querySelector('form[action="/logout"]')?.addEventListener("submit", forget);
    this.#showLost();
  }

  // From now on messages are sent by this link.
  use(link) {
    this.#link = link;
    this.measure();
  }

  oldestUnseen() {
    return this.#unseen[0]?.at ?? Infinity;
  }

  // The user's message came back from the room.
  seen(words) {
    const at = this.#unseen.findIndex((message) => message.words === words);
    if (at >= 0) this.#unseen.splice(at, 1);
    // A lost one had arrived after all.
    else if (this.#lost.includes(words)) this.#forgetLost(words);
    this.measure();
  }

  // The link can send again.
  ready() {
    for (const words of this.#held.splice(0)) this.#say(words);
  }

  // The connection has ended: messages sent there and not seen may be lost.
  takeBack() {
    const back = [...this.#unseen.splice(0).map(({ words }) => words), ...this.#held.splice(0)];
    if (!back.length) return;
    this.#lost.push(...back);
    this.#showLost();
    this.measure();
    announce(text("back"));
  }

  // Updates the draft, the height of the box, the hint and Send to the text and the link.
  measure() {
    store(DRAFT, input.value);
    input.style.height = "auto"; // one row; a placeholder that wraps does not count
    if (input.value) input.style.height = `${input.scrollHeight + input.offsetHeight - input.clientHeight}px`;
    const bytes = bytesOf(input.value);
    const isOver = bytes > TEXT_BYTES_MAX;
    const problem = isOver ? text("over", surplus(input.value)) : this.#obstacle();
    const isNear = bytes > TEXT_BYTES_MAX - 500;
    const keys = $("hint").dataset.keys;
    $("hint").textContent = problem || (isNear ? text("left", room(input.value, bytes)) : keys);
    $("hint").classList.toggle("problem", isOver);
    // On a phone the status line above shows "Connecting…" already.
    $("hint").classList.toggle("idle", !isOver && (problem ? this.#link.state === "connecting" : !isNear));
    input.setAttribute("aria-invalid", isOver);
    // Not `disabled`: a button with the focus can explain why it does nothing.
    button.setAttribute("aria-disabled", problem !== "");
    if (isOver && !this.#wasOver) announce(problem);
    this.#wasOver = isOver;
  }

  // The reason why nothing can be sent now.
  #obstacle() {
    if (this.#link.state !== "connected") return text("unsent");
    const isFull = this.#held.length + this.#unseen.length + this.#lost.length >= PENDING_MAX;
    return isFull ? text("full", PENDING_MAX) : "";
  }

  #submit() {
    const words = input.value.toWellFormed?.() ?? input.value;
    if (!words.trim() || bytesOf(words) > TEXT_BYTES_MAX) return this.measure();
    this.#link.retry();
    if (this.#obstacle()) return this.measure(); // the text stays in the box
    input.value = "";
    this.measure();
    this.#say(words);
    this.#sent();
  }

  #say(words) {
    if (!this.#link.isReady) return this.#held.push(words);
    this.#link.send(words);
    this.#unseen.push({ words, at: performance.now() });
  }

  #sayAgain(words) {
    this.#link.retry();
    if (this.#link.state !== "connected") return;
    this.#forgetLost(words);
    this.#say(words);
    this.#sent();
  }

  #forgetLost(words) {
    this.#lost.splice(this.#lost.indexOf(words), 1);
    this.#showLost();
    this.measure();
  }

  #showLost() {
    store(LOST, JSON.stringify(this.#lost));
    $("lost").hidden = this.#lost.length === 0;
    $("lost").querySelector("ul").replaceChildren(...this.#lost.map((words, n) => this.#lostItem(words, n)));
  }

  #lostItem(words, n) {
    const shown = make("p", "words", words);
    shown.dir = "auto";
    shown.id = `lost-${n}`;
    const item = make("li", "");
    const control = (key, act) => {
      const made = make("button", "link", text(key));
      made.type = "button";
      made.setAttribute("aria-describedby", shown.id);
      made.addEventListener("click", () => {
        act();
        input.focus(); // the button is gone
      });
      return made;
    };
    const choices = make("span", "choices");
    choices.append(control("resend", () => this.#sayAgain(words)), control("discard", () => this.#forgetLost(words)));
    item.append(shown, choices);
    return item;
  }
}

// The number of letters, at least, to remove from the end until the text is short enough.
function surplus(string) {
  const all = lettersOf(string);
  let bytes = 0;
  const fitting = all.findIndex((letter) => (bytes += bytesOf(letter)) > TEXT_BYTES_MAX);
  return all.length - fitting;
}

// The number of letters, about, that still fit, if they are like the present ones.
function room(string, bytes) {
  return Math.floor(((TEXT_BYTES_MAX - bytes) * lettersOf(string).length) / bytes);
}

// The storage of this window may be forbidden; then a reload loses the draft.
function store(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {}
}

function stored(key, otherwise, read) {
  try {
    return read(sessionStorage.getItem(key) ?? otherwise);
  } catch {
    return read(otherwise);
  }
}

function forget() {
  try {
    sessionStorage.removeItem(DRAFT);
    sessionStorage.removeItem(LOST);
  } catch {}
}

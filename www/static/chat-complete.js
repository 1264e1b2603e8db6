// Completion of names: Tab behind the beginning of one, or a choice from the names that are offered behind an "@".
//
// Tab goes through the candidates once and then leaves the box, so nobody is caught in it.

import { $, makeButton, text } from "./chat-page.js";

const OFFERED_MAX = 5;

const input = $("text");
const offer = $("offer");

export class Completion {
  #names; // gives the names
  #changed; // called when the text has changed
  #round = null; // { from, typed, candidates, next, text } while Tab goes through the candidates

  constructor(names, changed) {
    this.#names = names;
    this.#changed = changed;
    input.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && !event.shiftKey && !event.isComposing && this.#step()) event.preventDefault();
      else if (event.key === "Escape") offer.hidden = true;
    });
    input.addEventListener("input", () => this.#show());
  }

  // Puts a name where the caret is.
  insert(name) {
    const before = input.value.slice(0, input.selectionStart);
    this.#put(input.selectionStart, before && !/\s$/.test(before) ? ` @${name} ` : `@${name} `);
    input.focus();
  }

  // The next candidate, or what was typed once all have been there. False if Tab has nothing to do here.
  #step() {
    if (this.#round?.text !== input.value) this.#round = this.#begin();
    if (!this.#round) return false;
    const { from, typed, candidates } = this.#round;
    const name = candidates[this.#round.next++];
    this.#put(from, name === undefined ? typed : `@${name} `);
    this.#round = name === undefined ? null : { ...this.#round, text: input.value };
    return name !== undefined;
  }

  #begin() {
    const { from, typed, candidates } = this.#beginning();
    return typed && candidates.length ? { from, typed, candidates, next: 0, text: "" } : null;
  }

  // What stands before the caret since the last space, and the names that begin so.
  #beginning() {
    const before = input.value.slice(0, input.selectionStart);
    const typed = before.match(/\S*$/)[0];
    const from = before.length - typed.length;
    const wanted = typed.replace(/^@/, "").toLowerCase();
    const isAsked = typed.startsWith("@") || wanted;
    const candidates = isAsked ? this.#names().filter((name) => name.toLowerCase().startsWith(wanted)) : [];
    return { from, typed, candidates };
  }

  #put(from, words) {
    const behind = input.value.slice(input.selectionEnd);
    input.value = input.value.slice(0, from) + words + behind.replace(/^ /, words.endsWith(" ") ? "" : " ");
    input.selectionStart = input.selectionEnd = from + words.length;
    offer.hidden = true;
    this.#changed();
  }

  #show() {
    const { from, typed, candidates } = this.#beginning();
    const offered = typed.startsWith("@") ? candidates.slice(0, OFFERED_MAX) : [];
    offer.hidden = offered.length === 0;
    offer.replaceChildren(
      ...offered.map((name) => {
        const button = makeButton("quiet", name, () => {
          this.#put(from, `@${name} `);
          input.focus();
        });
        button.setAttribute("aria-label", text("call", name));
        return button;
      }),
    );
  }
}

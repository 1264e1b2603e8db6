// Completion of names and commands: Tab behind the beginning of one, or a choice from those that are offered behind an
// "@" and in a line that begins with "/".
//
// Tab goes through the candidates once and then leaves the box, so nobody is caught in it.

import { $, makeButton, text } from "./chat-page.js";
import { isCommand } from "./chat-commands.js";

const OFFERED_MAX = 5;

const input = $("text");
const offer = $("offer");

export class Completion {
  #names; // gives the names
  #commands; // gives the commands
  #changed; // called when the text has changed
  // { from, typed, candidates, next, text } while Tab goes through the candidates, which are the words to put in.
  #round = null;

  constructor(names, commands, changed) {
    this.#names = names;
    this.#commands = commands;
    this.#changed = changed;
    input.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && !event.shiftKey && !event.isComposing && this.#step()) event.preventDefault();
      else if (event.key === "Escape") offer.hidden = true;
    });
    input.addEventListener("input", () => this.#show());
  }

  // What was typed is gone.
  close() {
    offer.hidden = true;
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
    const words = candidates[this.#round.next++];
    this.#put(from, words === undefined ? typed : `${words} `);
    this.#round = words === undefined ? null : { ...this.#round, text: input.value };
    return words !== undefined;
  }

  #begin() {
    const { from, typed, candidates } = this.#beginning();
    return typed && candidates.length ? { from, typed, candidates, next: 0, text: "" } : null;
  }

  // What stands before the caret since the last space, and the commands or names that begin so. A command takes names as
  // they are; a message has an "@" before them.
  #beginning() {
    const before = input.value.slice(0, input.selectionStart);
    const typed = before.match(/\S*$/)[0];
    const from = before.length - typed.length;
    if (from === 0 && isCommand(typed)) {
      return { from, typed, candidates: this.#commands().filter((command) => command.startsWith(typed.toLowerCase())) };
    }
    const wanted = typed.replace(/^@/, "").toLowerCase();
    const isAsked = typed.startsWith("@") || wanted;
    const found = isAsked ? this.#names().filter((name) => name.toLowerCase().startsWith(wanted)) : [];
    return { from, typed, candidates: isCommand(before) ? found : found.map((name) => `@${name}`) };
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
    const isCommands = from === 0 && isCommand(typed);
    const offered = isCommands || typed.startsWith("@") ? candidates.slice(0, OFFERED_MAX) : [];
    offer.setAttribute("aria-label", text(isCommands ? "offerCommands" : "offer"));
    offer.hidden = offered.length === 0;
    offer.replaceChildren(
      ...offered.map((words) => {
        const name = words.replace(/^@/, "");
        const button = makeButton("quiet", name, () => {
          this.#put(from, `${words} `);
          input.focus();
        });
        if (!isCommands) button.setAttribute("aria-label", text("call", name));
        return button;
      }),
    );
  }
}

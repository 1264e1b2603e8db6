// Commands: lines that begin with "/". The server does what they say and tells only this member what came of it.

import { newNonce } from "./chat-outbox.js";

const FOR_ALL = ["/help", "/who", "/me", "/invite"];
const FOR_OPERATORS = [
  ["/kick", "/mute", "/unmute", "/ban", "/unban", "/clear", "/delete", "/free"],
  ["/lock", "/unlock", "/slow", "/private", "/public", "/log"],
].flat();

// "//x" is the message "/x", and "/me x" is one that shows what its author does.
export const isCommand = (words) => words.startsWith("/") && !words.startsWith("//") && !/^\/me\s+\S/.test(words);
export const messageOf = (words) => (words.startsWith("//") ? words.slice(1) : words);
export const namesFor = (isOperator) => (isOperator ? [...FOR_ALL, ...FOR_OPERATORS] : FOR_ALL);

export class Commands {
  #link;
  #lost; // called with a command whose result cannot come any more
  #asked = new Map(); // nonce → { words, isTyped, isSent }

  constructor(link, lost) {
    this.#link = link;
    this.#lost = lost;
  }

  // Carries out what was typed, or chosen from a menu.
  run(words, isTyped) {
    this.#asked.set(newNonce(), { words, isTyped, isSent: false });
    this.flush();
  }

  // Sends what waits for a connection that is being checked.
  flush() {
    if (!this.#link.isReady) return;
    for (const [nonce, command] of this.#asked) {
      if (command.isSent) continue;
      command.isSent = true;
      this.#link.send({ type: "command", text: command.words, nonce });
    }
  }

  // The command of this nonce, which is done now; undefined if none has it.
  take(nonce) {
    const command = this.#asked.get(nonce);
    this.#asked.delete(nonce);
    return command;
  }

  // The connection is gone. A command is not sent twice: whether it was carried out is not known. One that waits goes to
  // the connection that takes its place, if there `isNext` one.
  dropped(isNext) {
    for (const [nonce, { words, isSent }] of [...this.#asked]) {
      if (isNext && !isSent) continue;
      this.#asked.delete(nonce);
      this.#lost(words);
    }
  }

  // Another room is shown, where no result matters.
  enter() {
    this.#asked.clear();
  }
}

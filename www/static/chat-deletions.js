// Deletions that an author or an operator has asked for and the server has not confirmed.

import { $, text } from "./chat-page.js";
import { announce } from "./chat-voice.js";
import { newNonce } from "./chat-outbox.js";

// Texts for the errors of the protocol; any other gets the server's own sentence.
const REASONS = { no_such_message: "deleteGone", not_yours: "deleteForbidden" };

export class Deletions {
  #link;
  #asked = new Map(); // nonce → the button

  constructor(link) {
    this.#link = link;
  }

  ask(entry, button) {
    if (!this.#link.isReady) return announce(text("deleteLater"));
    if (button.getAttribute("aria-disabled") === "true") return;
    const nonce = newNonce();
    this.#asked.set(nonce, button);
    button.setAttribute("aria-disabled", true);
    this.#link.send({ type: "delete", id: entry.id, nonce });
    // The button goes with the text.
    if (document.activeElement === button) $("log").focus();
  }

  // True if a deletion has this nonce; the entry that deletes follows by itself.
  acknowledged(nonce) {
    return this.#asked.delete(nonce);
  }

  // True if a deletion has this nonce.
  refused({ nonce, code, text: sentence }) {
    const button = this.#asked.get(nonce);
    if (!button) return false;
    this.#asked.delete(nonce);
    button.setAttribute("aria-disabled", false);
    button.title = REASONS[code] ? text(REASONS[code]) : sentence;
    announce(button.title);
    return true;
  }

  // The connection is gone, and perhaps the request with it.
  dropped() {
    for (const button of this.#asked.values()) button.setAttribute("aria-disabled", false);
    this.#asked.clear();
  }
}

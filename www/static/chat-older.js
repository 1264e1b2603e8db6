// Older pages: loaded before the reader comes to the top of the log, and by a button. Hidden where the server has none.

import { $, text } from "./chat-page.js";
import { above, height, onMove } from "./chat-scroll.js";

const PAGE = 100; // messages of one page
const AHEAD = 1.5; // heights of the log between its top and the view
const PAGE_MS = 15_000; // for one page
const READ_MAX = 10_000; // entries in the page

const part = $("older");
const button = part.querySelector("button");

export class Older {
  #address;
  #log;
  #name; // gives the present name
  #state = "idle"; // "idle", "loading", "failed" or "absent"

  constructor(room, log, name) {
    this.#address = `/api/rooms/${encodeURIComponent(room)}/messages`;
    this.#log = log;
    this.#name = name;
    button.addEventListener("click", () => this.#load());
    onMove(() => this.look());
  }

  // The link is back: what had failed is tried again.
  welcome() {
    if (this.#state === "failed") this.#state = "idle";
    this.look();
  }

  // Loads a page if the view is near to the top.
  look() {
    this.#show();
    if (this.#state === "idle" && this.#log.position && above() < AHEAD * height()) this.#load();
  }

  #show() {
    const isComplete = this.#log.isComplete;
    part.hidden = this.#state === "absent" || !this.#log.position || (isComplete && this.#log.size === 0);
    button.hidden = isComplete;
    $("beginning").hidden = !isComplete;
    button.textContent = text(this.#state === "loading" ? "olderLoading" : this.#state === "failed" ? "olderFailed" : "older");
  }

  async #load() {
    const { generation } = this.#log;
    if (this.#state === "loading" || this.#log.isComplete || this.#log.size >= READ_MAX) return;
    this.#state = "loading";
    this.#show();
    const result = await read(`${this.#address}?before=${this.#log.oldest}&limit=${PAGE}`);
    this.#state = typeof result === "string" ? result : "idle";
    if (this.#state === "idle" && generation === this.#log.generation) {
      const first = result.messages[0]?.id ?? 0;
      this.#log.prepend(result.messages, !result.messages.length || first <= result.oldest, this.#name());
    }
    if (this.#state === "idle") this.look();
    else this.#show();
  }
}

// A page, or "absent", or "failed".
async function read(address) {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout?.(PAGE_MS) });
    if (answer.status === 404) return "absent";
    const page = answer.ok ? await answer.json() : null;
    return Array.isArray(page?.messages) ? page : "failed";
  } catch {
    return "failed";
  }
}

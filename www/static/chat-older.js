// Older pages: loaded before the reader comes to the top of the log, and by a button. Hidden where the server has none.

import { $, text } from "./chat-page.js";
import { above, height, keep, onMove } from "./chat-scroll.js";

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
  #loading = null; // the promise of the page that is being loaded
  #shown = ""; // what the part above the log says: nothing, one of these states, or "beginning"

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

  // Loads pages until the log begins at or before the entry `id`, or no more come.
  async reach(id) {
    for (let before = Infinity; id < this.#log.oldest && this.#log.oldest < before; ) {
      before = this.#log.oldest;
      await this.#load();
    }
  }

  // Loads a page if the view is near to the top.
  look() {
    this.#show();
    if (this.#state === "idle" && this.#log.position && above() < AHEAD * height()) this.#load();
  }

  #show() {
    const { isComplete, size, position } = this.#log;
    const isHidden = this.#state === "absent" || !position || (isComplete && size === 0);
    const shown = isHidden ? "" : isComplete ? "beginning" : this.#state;
    if (shown === this.#shown) return;
    this.#shown = shown;
    keep(() => {
      part.hidden = isHidden;
      button.hidden = isComplete;
      $("beginning").hidden = !isComplete;
      button.textContent = text(shown === "loading" ? "olderLoading" : shown === "failed" ? "olderFailed" : "older");
    });
  }

  async #load() {
    if (this.#log.isComplete || this.#log.size >= READ_MAX) return;
    this.#loading ??= this.#page().finally(() => {
      this.#loading = null;
      if (this.#state === "idle") this.look();
      else this.#show();
    });
    await this.#loading;
  }

  async #page() {
    const { generation } = this.#log;
    this.#state = "loading";
    this.#show();
    const result = await read(`${this.#address}?before=${this.#log.oldest}&limit=${PAGE}`);
    this.#state = typeof result === "string" ? result : "idle";
    if (this.#state === "idle" && generation === this.#log.generation) {
      const first = result.messages[0]?.id ?? 0;
      this.#log.prepend(result.messages, !result.messages.length || first <= result.oldest, this.#name());
    }
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

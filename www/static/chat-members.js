// Who is in the room: the list, the count, and the names that can be completed.

import { $, make, makeButton, text } from "./chat-page.js";
import { initialOf, paint } from "./chat-name.js";

const SHOWN_MAX = 200; // names in the list; the count has them all

const list = $("member-list");

export class Members {
  #names = new Set();
  #count = 0;
  #you = "";
  #call; // called with a name that was chosen
  #isStale = false;

  constructor(call) {
    this.#call = call;
  }

  // The names that are known, in their order.
  get names() {
    return [...this.#names].sort((one, other) => one.localeCompare(other));
  }

  replace(names, count, you) {
    this.#names = new Set(names);
    this.#you = you;
    this.#changed(count);
  }

  // Takes pairs of a name and "in" or "out".
  change(changes, count) {
    for (const [name, change] of changes) {
      if (change === "out") this.#names.delete(name);
      else if (this.#names.size < SHOWN_MAX) this.#names.add(name);
    }
    this.#changed(count);
  }

  #changed(count) {
    this.#count = count;
    if (this.#isStale) return;
    this.#isStale = true;
    // A crowd that comes in is drawn once.
    setTimeout(() => this.#show(), 50);
  }

  #show() {
    this.#isStale = false;
    for (const place of document.querySelectorAll(".member-count")) place.textContent = this.#count;
    $("members-toggle").setAttribute("aria-label", text("here", this.#count));
    const focused = list.contains(document.activeElement) ? document.activeElement.textContent : null;
    const { names } = this;
    list.replaceChildren(...names.map((name) => this.#item(name)));
    if (this.#count > names.length) list.append(make("li", "hint", text("more", this.#count - names.length)));
    if (focused !== null) [...list.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  #item(name) {
    const item = make("li", "member");
    paint(item, name);
    const button = makeButton("member-name", "", () => this.#call(name));
    button.append(initialOf(name), make("bdi", "from", name));
    if (name === this.#you) button.append(make("span", "you", text("you")));
    button.title = text("call", name);
    item.append(button);
    return item;
  }
}

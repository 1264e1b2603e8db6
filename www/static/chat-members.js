// Who is in the room: the list, the count, the names that can be completed, and for operators a menu beside each.

import { $, make, makeButton, text } from "./chat-page.js";
import { initialOf, paint } from "./chat-name.js";
import { menu } from "./chat-menu.js";

const SHOWN_MAX = 200; // names in the list; the count has them all

const list = $("member-list");

export class Members {
  #names = new Set();
  #count = 0;
  #you = "";
  #isOperator = false;
  #call; // called with a name that was chosen
  #run; // called with a command that was chosen
  #items = new Map(); // name → its element, which stays while others come and go: a menu may be open in it
  #isStale = false;

  constructor(call, run) {
    this.#call = call;
    this.#run = run;
  }

  // The names that are known, in their order.
  get names() {
    return [...this.#names].sort((one, other) => one.localeCompare(other));
  }

  replace(names, count, you, isOperator) {
    if (you !== this.#you || isOperator !== this.#isOperator) this.#items.clear();
    this.#names = new Set(names);
    [this.#you, this.#isOperator] = [you, isOperator];
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
    const { names } = this;
    for (const name of this.#items.keys()) if (!this.#names.has(name)) this.#items.delete(name);
    for (const name of names) if (!this.#items.has(name)) this.#items.set(name, this.#item(name));
    const items = names.map((name) => this.#items.get(name));
    if (this.#count > names.length) items.push(make("li", "hint", text("more", this.#count - names.length)));
    const staying = new Set(items);
    for (const old of [...list.children]) if (!staying.has(old)) old.remove();
    // Those that stay are in their order already, and are not touched: they may have the focus.
    let next = list.firstChild;
    for (const item of items) {
      if (item === next) next = next.nextSibling;
      else list.insertBefore(item, next);
    }
  }

  #item(name) {
    const item = make("li", "member");
    paint(item, name);
    const button = makeButton("member-name", "", () => this.#call(name));
    button.append(initialOf(name), make("bdi", "from", name));
    if (name === this.#you) button.append(make("span", "you", text("you")));
    button.title = text("call", name);
    item.append(button);
    if (this.#isOperator && name !== this.#you) item.append(...menu(name, this.#run));
    return item;
  }
}

// A line of the log that says who came in and who left, folded: one line for all that happens between two messages.

import { make, text } from "./chat-page.js";

const NAMED_MAX = 4; // members named in the line itself; of more it gives the numbers, and the names on demand
const NAMES_MAX = 200; // names that it remembers

const folds = new WeakMap();

export class Fold {
  element = make("div", "notice");
  #changes = new Map(); // name → "in" or "out", the last one counts
  #isOpen = false;

  constructor() {
    folds.set(this.element, this);
  }

  // The fold that an element shows, if it is one.
  static of(element) {
    return element && folds.get(element);
  }

  // Takes pairs of a name and "in" or "out".
  add(changes) {
    for (const [name, change] of changes) {
      if (this.#changes.size < NAMES_MAX || this.#changes.has(name)) this.#changes.set(name, change);
    }
    this.element.replaceChildren(...this.#nodes());
  }

  #nodes() {
    const named = [...this.#changes].flatMap(([name, change], n) => {
      const said = [make("bdi", "", name), ` ${text(change === "in" ? "enters" : "leaves")}`];
      return n ? [" · ", ...said] : said;
    });
    if (this.#changes.size <= NAMED_MAX) return named;
    const details = make("details", "");
    const counts = ["in", "out"].map((kind) => [kind, [...this.#changes.values()].filter((one) => one === kind).length]);
    const said = counts.filter(([, count]) => count).map(([kind, count]) => text(kind === "in" ? "foldIn" : "foldOut", count));
    const names = make("p", "");
    names.append(...named);
    details.append(make("summary", "", said.join(" · ")), names);
    details.open = this.#isOpen;
    details.addEventListener("toggle", () => (this.#isOpen = details.open));
    return [details];
  }
}

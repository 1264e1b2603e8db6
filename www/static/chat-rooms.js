// The list of rooms, with their members and whether something in them was not read. Hidden where the server has no list.

import { $, addressOf, make, text } from "./chat-page.js";
import { readIn } from "./chat-unread.js";

const LOOK_MS = 30_000; // between two readings of the list, while the page is shown
const LOOK_MS_MIN = 2_000; // the same when somebody comes back to the page

const list = $("room-list");

export class Rooms {
  #room = "";
  #listed = []; // as the server has said it
  #visited = new Set(["lobby"]); // listed in any case: the server leaves out private rooms, and new ones for a while
  #lookedAt = -Infinity;
  #isAbsent = false;
  #here = 0; // members of this room, which are known without the list

  constructor() {
    setInterval(() => this.#look(LOOK_MS), LOOK_MS / 2);
    document.addEventListener("visibilitychange", () => this.look());
  }

  // Another room is shown.
  enter(room) {
    this.#room = room;
    this.#here = 0;
    if (this.#listed.length) this.#show();
  }

  look() {
    this.#look(LOOK_MS_MIN);
  }

  // The number of members of this room has changed.
  count(members) {
    this.#here = members;
    this.#visited.add(this.#room);
    const shown = list.querySelector("[aria-current] .count");
    if (shown) shown.textContent = members;
  }

  async #look(least) {
    const now = performance.now();
    if (document.hidden || this.#isAbsent || now - this.#lookedAt < least) return;
    this.#lookedAt = now;
    try {
      const answer = await fetch("/api/rooms", { cache: "no-store" });
      this.#isAbsent = answer.status === 404;
      const { rooms } = answer.ok ? await answer.json() : {};
      if (!Array.isArray(rooms)) return;
      this.#listed = rooms;
      this.#show();
    } catch {} // the link says that the server is away
  }

  #show() {
    const named = new Map(this.#listed.map((room) => [room.name, room]));
    for (const name of [...this.#visited, this.#room]) if (!named.has(name)) named.set(name, { name, members: 0, last: null });
    const names = [...named.keys()].sort((one, other) => (other === "lobby") - (one === "lobby") || one.localeCompare(other));
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(...names.map((name) => this.#item(named.get(name))));
    list.hidden = false;
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  #item({ name, members: listed, last }) {
    const item = make("li", "");
    const link = make("a", "room");
    link.href = addressOf(name);
    link.append(make("bdi", "", name));
    const isHere = name === this.#room;
    const members = isHere ? this.#here || listed : listed;
    if (isHere) link.setAttribute("aria-current", "page");
    const lastId = Number.parseInt(last?.position ?? "0", 10);
    const isUnread = !isHere && readIn(name) > 0 && lastId > readIn(name);
    link.classList.toggle("unread", isUnread);
    if (isUnread) link.append(make("span", "unseen", ` (${text("unreadRoom")})`));
    if (members) {
      const count = make("span", "count", members);
      count.setAttribute("aria-hidden", "true");
      link.append(count, make("span", "unseen", `, ${text("here", members)}`));
    }
    item.append(link);
    return item;
  }
}

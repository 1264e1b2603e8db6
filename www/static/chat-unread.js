// What was not read yet: the marker in the log, the count in the title, the dot in the icon. Read is what was in view at
// the end of the log while the page was shown.

import { load, save } from "./chat-storage.js";
import { atEnd, onMove } from "./chat-scroll.js";

const icon = document.querySelector('link[rel=icon][type="image/svg+xml"]');
const ICON = icon?.getAttribute("href");

export const readIn = (room) => load(`read:${room}`) ?? 0;

export class Unread {
  #room = "";
  #log;
  #title = "";
  #count = 0;
  #read = 0; // id of the last entry that was read
  #isMarked = false; // the marker stands at what is unread now

  constructor(log) {
    this.#log = log;
    onMove(() => this.look());
    document.addEventListener("visibilitychange", () => this.look());
  }

  // Another room is shown.
  enter(room) {
    this.#room = room;
    this.#title = `${room} · squall`;
    this.#count = 0;
    this.#read = readIn(room);
    this.#isMarked = false;
    this.#log.mark(0);
    this.#show();
  }

  // The list was replaced, the first time when the page is opened.
  replaced() {
    // A room whose ids began anew has a smaller last one.
    this.#read = Math.min(this.#read, this.#log.position.id);
    if (this.#read && this.#read < this.#log.position.id) this.#log.mark(this.#read);
    this.look();
  }

  // Messages of others have come; `count` of them.
  came(count) {
    if (!this.#isAway()) return this.look();
    if (document.hidden) this.#count += count;
    if (!this.#isMarked) this.#log.mark(this.#read);
    this.#isMarked = true;
    this.#show();
  }

  // The user has said something: all before it was read.
  spoke() {
    this.#log.mark(0);
  }

  // Notes what is read now.
  look() {
    if (this.#isAway() || !this.#log.position) return;
    this.#isMarked = false;
    if (this.#read !== this.#log.position.id) save(`read:${this.#room}`, (this.#read = this.#log.position.id));
    if (!this.#count) return;
    this.#count = 0;
    this.#show();
  }

  #isAway() {
    return document.hidden || !atEnd();
  }

  #show() {
    document.title = this.#count ? `(${this.#count}) ${this.#title}` : this.#title;
    if (icon) icon.href = this.#count ? ICON.replace("favicon", "favicon-unread") : ICON;
    const set = this.#count ? navigator.setAppBadge?.(this.#count) : navigator.clearAppBadge?.();
    set?.catch(() => {}); // only an installed page has a badge
  }
}

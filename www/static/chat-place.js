// The place: the room that the page shows. The address has it, so back, forward, reload and a bookmark lead to it. A plain
// click on a room changes the place without loading the page.

import { $, addressOf, roomOf } from "./chat-page.js";
import { close as closePanels } from "./chat-panels.js";

export class Place {
  room = roomOf(location.href);
  #enter; // called when another room is to be shown

  constructor(enter) {
    this.#enter = enter;
    addEventListener("popstate", () => this.#look());
    $("room-list").addEventListener("click", (event) => {
      const link = event.target.closest("a");
      // With a key or another button of the mouse it is a new tab, a window or a download.
      const isPlain = !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
      if (!link || !isPlain) return;
      event.preventDefault();
      this.go(roomOf(link.href));
    });
    const form = document.querySelector("form.goto");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go(form.elements.room.value.normalize("NFC"));
      form.reset();
    });
  }

  go(room) {
    if (room === this.room) return closePanels();
    history.pushState(null, "", addressOf(room));
    this.#look();
  }

  #look() {
    const room = roomOf(location.href);
    if (room === this.room) return; // a fragment of the address has changed
    this.room = room;
    this.#enter(room);
  }
}

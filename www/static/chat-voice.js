// What a screen reader says: live messages and changes of the connection, in one polite region that exists from the
// start. A history that is loaded is not said.

import { $, text } from "./chat-page.js";

const PAUSE_MS = 1_000; // between two announcements
const SAID_MAX = 3; // messages in one announcement; of more only their number is said

let unspoken = [];
let timer = 0;

export function announce(words) {
  unspoken.push(words);
  timer ||= setTimeout(() => {
    if (unspoken.length > SAID_MAX) $("heard").textContent = text("unread", unspoken.length);
    else if (unspoken.length) $("heard").textContent = unspoken.join("\n");
    unspoken = [];
    timer = 0;
  }, PAUSE_MS);
}

// Something was deleted: it is not said, and not kept.
export function hush() {
  unspoken = [];
  $("heard").textContent = "";
}

// Where the reader is in the log: at its end, which stays in view, or further up, where nothing may move.
//
// The browser's own anchoring is off: it does nothing at the top of a log, and Safari had none for years. So whatever
// changes the log does it inside `keep`.

import { $, text } from "./chat-page.js";

const END_PX = 48; // this near to the end is at the end

const log = $("log");
const listeners = [];
let isAtEnd = true;
let newer = 0; // lines below the view

export const atEnd = () => isAtEnd;

// Pixels between the top of the log and the view.
export const above = () => log.scrollTop;
export const height = () => log.clientHeight;

// Calls back after the reader, or the size of the log, has moved the view.
export const onMove = (callback) => listeners.push(callback);

export function toEnd() {
  log.scrollTop = log.scrollHeight;
  isAtEnd = true;
  setNewer(0);
}

// Changes the log without moving what is read; `added` lines are new at its end.
export function keep(change, added = 0) {
  if (isAtEnd) {
    change();
    return toEnd();
  }
  const top = log.getBoundingClientRect().top;
  // Lines of a day and the marker come and go.
  const isInView = (line) => line.matches(".message, .notice") && line.getBoundingClientRect().bottom > top;
  const anchor = [...$("lines").children].find(isInView);
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (anchor?.isConnected) log.scrollTop += anchor.getBoundingClientRect().top - before;
  if (added) setNewer(newer + added);
}

function setNewer(count) {
  newer = count;
  $("newer").hidden = count === 0;
  if (count) $("newer").textContent = `${text("unread", count)} ↓`;
}

function moved() {
  for (const callback of listeners) callback();
}

log.addEventListener("scroll", () => {
  isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < END_PX;
  if (isAtEnd) setNewer(0);
  moved();
});
const observer = new ResizeObserver(() => {
  if (isAtEnd) toEnd();
  moved();
});
observer.observe(log);
$("newer").addEventListener("click", () => {
  toEnd();
  moved();
  $("text").focus();
});

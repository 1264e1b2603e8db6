// How one entry of the log looks: a message with its author, time and choices, or the place of a deleted one.

import { make, text } from "./chat-page.js";
import { actionOf, marked, mentionsOf } from "./chat-markup.js";
import { initialOf, paint } from "./chat-name.js";
import { sureButton } from "./chat-sure.js";

const TOGETHER_MS = 180_000; // messages of one member within this time share one heading

const LANGUAGE = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "full", timeStyle: "medium" });
const calendar = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "full" });

export const dayOf = (at) => calendar.format(at);

export function timeOf(at) {
  const made = make("time", "", clock.format(at));
  made.dateTime = at.toISOString();
  made.title = whole.format(at);
  return made;
}

// Draws `entry` for the member `name`; `onDelete` is called with the button that deletes it, and null if there is none.
export function draw(entry, name, onDelete) {
  const message = make("article", "message");
  message.dataset.id = entry.id;
  paint(message, entry.from);
  message.classList.toggle("own", entry.isOwn);
  const heading = make("header", "");
  heading.append(make("bdi", "from", entry.from));
  const words = make("div", "words");
  words.dir = "auto";
  const meta = make("p", "meta");
  meta.append(timeOf(entry.at));
  message.append(initialOf(entry.from), heading, words, meta);
  if (entry.text === null) {
    showDeleted(entry, message);
    return message;
  }
  words.append(...wordsOf(entry, entry.isOwn ? "" : name));
  message.classList.toggle("action", actionOf(entry.text) !== null);
  message.classList.toggle("mentions", !entry.isOwn && mentionsOf(entry.text, name).length > 0);
  if (entry.isOwn) meta.append(tick());
  if (onDelete) meta.append(deleteButton(onDelete));
  return message;
}

// The nodes of a message or, of "/me waves", those of "* ann waves".
export function wordsOf({ from, text }, name) {
  const action = actionOf(text);
  return action === null ? marked(text, name) : ["* ", make("bdi", "from", from), " ", ...marked(action, name)];
}

// Takes the text of a deleted entry out of its element.
export function showDeleted(entry, message) {
  message.classList.add("deleted");
  message.classList.remove("mentions", "action");
  const isByOther = entry.by && entry.by !== entry.from;
  const words = message.querySelector(".words");
  words.replaceChildren(...(isByOther ? withName(text("deletedBy", "{}"), entry.by) : [text("deleted")]));
  words.removeAttribute("dir");
  for (const one of message.querySelectorAll("button.delete, .tick")) one.remove();
}

// Whether an entry shares the heading of the one before it.
export function isTogether(entry, previous) {
  return previous?.from === entry.from && entry.at - previous.at < TOGETHER_MS && dayOf(entry.at) === dayOf(previous.at);
}

// A sentence with a name in place of its "{}".
export function withName(sentence, name) {
  const [before, behind] = sentence.split("{}");
  return behind === undefined ? [before] : [before, make("bdi", "", name), behind];
}

function tick() {
  const made = make("span", "tick", "✓");
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", text("stored"));
  made.title = text("stored");
  return made;
}

// One of these buttons is in the order of the Tab key; the arrow keys lead to the others.
function deleteButton(onDelete) {
  const button = sureButton("link delete", text("delete"), text("deleteSure"), () => onDelete(button));
  button.tabIndex = -1;
  return button;
}

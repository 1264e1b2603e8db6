// The log: the entries of the room by id, and what is drawn of them. The position moves before anything is drawn.

import { $, make, text } from "./chat-page.js";
import { dayOf, draw, isTogether, showDeleted } from "./chat-message.js";
import { Fold } from "./chat-fold.js";
import { atEnd, keep } from "./chat-scroll.js";

const LINES_MAX = 1_000; // lines kept while the end is in view
const LINES_TRIMMED = 500; // what is left of them
const LINES_READING_MAX = 10_000; // lines while somebody reads further up, where none is taken away
const HIDDEN_MS = 200; // after which a hidden page draws
const REMOVED_MAX = 10_000; // deletions remembered for older pages that were read before them

const lines = $("lines");

export class Log {
  // The last entry that was taken: { id, tag }; null before the first welcome.
  position = null;
  // Counts the lists that replaced each other: what was asked for one is not for the next.
  generation = 0;
  // Lines were left out at the end: the list has to be replaced before its end is shown.
  isBehind = false;
  // Whether the entry with which the list begins is the first that is kept.
  isComplete = false;
  // The id of the entry with which the list begins; a deletion is not drawn, but is an entry.
  oldest = 1;
  #onDelete;
  #entries = []; // drawn, in the order of their ids
  #byId = new Map(); // drawn or not
  #undrawn = []; // entries, folds, notes
  #removed = new Map(); // id → by
  #cleared = []; // { user, upTo, by }
  #markedAt = 0; // the marker stands behind this id; 0 for none
  #marker = make("p", "marker", text("marker"));

  // `onDelete(entry, button)` is called when an author wants a message deleted.
  constructor(onDelete) {
    this.#onDelete = onDelete;
    lines.addEventListener("keydown", (event) => this.#walk(event));
    this.#marker.setAttribute("role", "separator");
  }

  get size() {
    return this.#byId.size;
  }

  // Everything there was is replaced by a history, which ends at `position`.
  replace(frames, position, name) {
    this.generation += 1;
    this.#entries = [];
    this.#byId.clear();
    this.#undrawn = [];
    this.#removed.clear();
    this.#cleared = [];
    this.isBehind = false;
    this.position = { id: 0, tag: "0" };
    lines.replaceChildren();
    for (const frame of frames) this.take(frame, name);
    const [id, tag] = position.split(".");
    this.position = { id: Number(id), tag };
    this.oldest = frames[0]?.id ?? this.position.id + 1;
    this.isComplete = this.oldest === 1;
  }

  // The element of the message `id`, if it is drawn.
  elementOf(id) {
    return this.#byId.get(id)?.element ?? null;
  }

  // Takes the next entry, for the member `name`. What the list has already is "known"; "hole" means that something is
  // missing before it.
  take(frame, name) {
    if (frame.id <= this.position.id) return "known";
    if (frame.id > this.position.id + 1 && this.position.id > 0) return "hole";
    this.position = { id: frame.id, tag: frame.tag };
    if (frame.type === "message") this.#append(this.#entry(frame, name), frame.id);
    else if (frame.type === "deleted") this.#remove(frame.target, frame.by);
    else if (frame.type === "cleared") this.#clear(frame);
    return "new";
  }

  // Puts older entries in front; `isComplete` if there are none before them.
  prepend(frames, isComplete, name) {
    const older = frames.filter(({ id, type }) => type === "message" && id < this.oldest);
    const entries = older.map((frame) => this.#entry(frame, name));
    this.oldest = Math.min(this.oldest, frames[0]?.id ?? this.oldest);
    this.isComplete = isComplete;
    const nodes = document.createDocumentFragment();
    let previous = null;
    for (const entry of entries) {
      entry.element = this.#draw(entry, name);
      nodes.append(entry.element);
      relate(entry, previous, false);
      previous = entry;
    }
    this.#byId = new Map([...entries.map((entry) => [entry.id, entry]), ...this.#byId]);
    const first = this.#entries[0];
    this.#entries.unshift(...entries);
    keep(() => {
      lines.prepend(nodes);
      if (first && previous) relate(first, previous, false);
      this.#placeMarker();
    });
  }

  // Members came in or left: folded with the line before, if that says the same of others.
  presence(changes) {
    this.#append({ fold: changes });
  }

  note(words) {
    this.#append({ note: words });
  }

  // Marks what is behind the entry `id` as new; 0 takes the marker away.
  mark(id) {
    this.#markedAt = id;
    if (!this.#undrawn.length) keep(() => this.#placeMarker());
  }

  #entry(frame, name) {
    const { id, from } = frame;
    const clear = this.#cleared.find(({ user, upTo }) => user === from && id < upTo);
    const by = this.#removed.get(id) ?? clear?.by ?? null;
    const isGone = frame.deleted || by !== null || typeof frame.text !== "string";
    const [at, text] = [new Date(frame.at), isGone ? null : frame.text];
    return { id, from, text, by, at, name, isOwn: from === name, element: null, separator: null };
  }

  #append(line, id) {
    const isTooLong = !atEnd() && lines.childElementCount + this.#undrawn.length >= LINES_READING_MAX;
    if (isTooLong) this.isBehind = true;
    if (this.isBehind) return;
    if (id) this.#byId.set(id, line);
    this.#undrawn.push(line);
    if (this.#undrawn.length > 1) return;
    // One layout per animation frame for any number of lines; a hidden page has no frames.
    requestAnimationFrame(() => this.#drawAll());
    setTimeout(() => this.#drawAll(), HIDDEN_MS);
  }

  #drawAll() {
    if (!this.#undrawn.length) return;
    const added = this.#undrawn.splice(0);
    const count = added.filter((line) => line.id && !line.isOwn).length;
    keep(() => {
      for (const line of added) this.#drawLine(line);
      if (atEnd()) this.#trim();
      this.#placeMarker();
      this.#rove(this.#buttons().at(-1));
    }, count);
  }

  #drawLine(line) {
    if (line.fold) {
      const last = Fold.of(lines.lastElementChild);
      const fold = last ?? new Fold();
      fold.add(line.fold);
      if (!last) lines.append(fold.element);
    } else if (line.note) lines.append(make("p", "notice", line.note));
    else {
      const isBehindNotice = lines.lastElementChild?.matches(".notice") ?? false;
      line.element = this.#draw(line);
      lines.append(line.element);
      relate(line, this.#entries.at(-1), isBehindNotice);
      this.#entries.push(line);
    }
  }

  #draw(entry) {
    return draw(entry, entry.name, (button) => this.#onDelete(entry, button));
  }

  #remove(id, by) {
    if (this.#removed.size < REMOVED_MAX) this.#removed.set(id, by);
    const entry = this.#byId.get(id);
    if (entry) this.#empty(entry, by);
  }

  #clear({ id, user, by }) {
    if (this.#cleared.length < REMOVED_MAX) this.#cleared.push({ user, upTo: id, by });
    for (const entry of this.#byId.values()) if (entry.from === user && entry.id < id) this.#empty(entry, by);
  }

  #empty(entry, by) {
    if (entry.text === null) return;
    Object.assign(entry, { text: null, by });
    if (entry.element) keep(() => showDeleted(entry, entry.element));
  }

  #trim() {
    if (lines.childElementCount <= LINES_MAX) return;
    while (lines.childElementCount > LINES_TRIMMED) {
      const first = lines.firstElementChild;
      if (first === this.#entries[0]?.element) this.#byId.delete(this.#entries.shift().id);
      first.remove();
    }
    this.isComplete = false;
    this.oldest = this.#entries[0]?.id ?? this.position.id + 1;
    if (this.#entries[0]) relate(this.#entries[0], null, false);
  }

  #placeMarker() {
    this.#marker.remove();
    if (!this.#markedAt) return;
    const first = this.#entries.find(({ id, isOwn }) => id > this.#markedAt && !isOwn);
    if (first) (first.separator ?? first.element).before(this.#marker);
  }

  #buttons() {
    return [...lines.querySelectorAll("button.delete")];
  }

  #rove(button) {
    for (const one of lines.querySelectorAll('button.delete[tabindex="0"]')) one.tabIndex = -1;
    if (button) button.tabIndex = 0;
  }

  #walk(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.target.matches("button.delete")) return;
    event.preventDefault();
    const all = this.#buttons();
    const next = all[all.indexOf(event.target) + step];
    if (!next) return;
    this.#rove(next);
    next.focus();
  }
}

// Makes a line of the day before the first entry of a day, and hides the heading of an entry that continues another.
function relate(entry, previous, isBehindNotice) {
  const isNewDay = !previous || dayOf(previous.at) !== dayOf(entry.at);
  entry.element.classList.toggle("together", !isBehindNotice && isTogether(entry, previous));
  if (isNewDay && !entry.separator) {
    entry.separator = make("p", "day", dayOf(entry.at));
    entry.element.before(entry.separator);
  } else if (!isNewDay && entry.separator) {
    entry.separator.remove();
    entry.separator = null;
  }
}

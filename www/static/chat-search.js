// The search in the room's history: a panel over the log. A result that is chosen is shown in the log, which loads what
// lies between; one that is too far away is shown in the panel, with what was said around it.

import { $, make, makeButton, text } from "./chat-page.js";
import { balanced } from "./chat-markup.js";
import { close as closePanels } from "./chat-panels.js";
import { paint } from "./chat-name.js";

const WANTED = 20; // results of one search, and of each "further back"
const STEPS_MAX = 20; // requests of one search: each looks at a few thousand messages or more
const STEP_MS = 15_000; // for one request
const FAR = 1_000; // entries that are loaded for one result
const AROUND = 10; // entries shown before and behind a result that is too far away
const EXCERPT = 240; // letters of a text that are shown, some of them before the first word
const BEFORE = 60;

const panel = $("find");
const toggle = $("find-toggle");
const input = $("find-words");
const state = $("find-state");
const list = $("find-list");
const further = $("find-more");

const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });

export class Finder {
  #address;
  #reach; // loads the log up to an id and resolves to the element of that message, or to nothing
  #oldest; // gives the id with which the log begins
  #words = [];
  #query = "";
  #next = null; // where the search goes on; null at its end
  #running = null; // the controller of the search under way
  #results = []; // of the search, while the surroundings of one are shown

  constructor(room, { reach, oldest }) {
    this.#address = `/api/rooms/${encodeURIComponent(room)}/messages`;
    this.#reach = reach;
    this.#oldest = oldest;
    toggle.addEventListener("click", () => (panel.hidden ? this.#open() : this.#close()));
    for (const other of document.querySelectorAll(".toggle")) other.addEventListener("click", () => this.#close());
    panel.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    $("find-close").addEventListener("click", () => this.#leave());
    further.addEventListener("click", () => this.#go());
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.#leave();
      else if (event.key === "ArrowDown" || event.key === "ArrowUp") this.#walk(event);
    });
  }

  // Messages were deleted: they are no results any more.
  erased({ type, id, target, user }) {
    const isErased = ({ dataset }) => (type === "deleted" ? dataset.id === `${target}` : dataset.from === user && dataset.id < id);
    for (const item of [...list.children, ...this.#results].filter(isErased)) item.remove();
    this.#results = this.#results.filter((item) => !isErased(item));
  }

  #open() {
    closePanels();
    panel.hidden = false;
    toggle.setAttribute("aria-expanded", true);
    input.focus();
    input.select();
  }

  #close() {
    panel.hidden = true;
    toggle.setAttribute("aria-expanded", false);
    this.#running?.abort();
  }

  #leave() {
    this.#close();
    toggle.focus();
  }

  #begin() {
    this.#query = input.value.trim();
    this.#words = [...new Set(this.#query.toLowerCase().split(/\s+/).filter(Boolean))];
    this.#next = null;
    this.#results = [];
    list.replaceChildren();
    if (this.#query) this.#go();
    else input.focus();
  }

  async #go() {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    const hadFocus = document.activeElement === further;
    const before = list.childElementCount;
    further.hidden = true;
    state.textContent = text("findBusy");
    let problem = "";
    for (let step = 0; step < STEPS_MAX; step++) {
      const at = this.#next ? `&before=${this.#next}` : "";
      const found = await read(`${this.#address}?q=${encodeURIComponent(this.#query)}${at}&limit=${WANTED}`, running);
      if (running.signal.aborted) return;
      if (typeof found === "string") {
        problem = found;
        break;
      }
      this.#next = found.next;
      list.append(...found.messages.filter(({ text }) => text).map((message) => this.#item(message)));
      if (!this.#next || list.childElementCount - before >= WANTED) break;
    }
    this.#running = null;
    further.hidden = !this.#next && !problem;
    if (problem) state.textContent = text(problem);
    else if (list.childElementCount || this.#next) state.textContent = text("findSome", list.childElementCount);
    else state.textContent = text("findNone");
    if (hadFocus) (list.children[before]?.firstElementChild ?? input).focus();
  }

  #item(message) {
    const item = line(message);
    const button = makeButton("hit", "", () => this.#choose(message.id, button));
    button.append(...parts(message, this.#words));
    item.append(button);
    return item;
  }

  async #choose(id, button) {
    button.setAttribute("aria-busy", true);
    const isNear = this.#oldest() - id <= FAR;
    const element = isNear ? await this.#reach(id) : null;
    button.removeAttribute("aria-busy");
    if (panel.hidden) return;
    if (!element) return this.#surround(id);
    this.#close();
    show(element);
  }

  // Shows a message that is too far away with what was said around it.
  async #surround(id) {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    state.textContent = text("findBusy");
    const page = await read(`${this.#address}?before=${id + AROUND + 1}&limit=${2 * AROUND + 1}`, running);
    if (running.signal.aborted) return;
    this.#running = null;
    if (typeof page === "string") {
      state.textContent = text(page);
      return;
    }
    this.#results = [...list.children];
    const isFurther = !further.hidden;
    further.hidden = true;
    state.textContent = text("findAround");
    const back = make("li", "");
    back.append(makeButton("quiet", text("findBack"), () => this.#back(id, isFurther)));
    const messages = page.messages.filter(({ type, text }) => type === "message" && text);
    const lines = messages.map((message) => {
      const item = line(message);
      item.classList.add("around");
      item.classList.toggle("sought", message.id === id);
      item.append(...parts(message, message.id === id ? this.#words : []));
      return item;
    });
    list.replaceChildren(back, ...lines);
    back.firstElementChild.focus();
  }

  // The results again, as they were before one was shown with its surroundings.
  #back(id, isFurther) {
    list.replaceChildren(...this.#results);
    further.hidden = !isFurther;
    state.textContent = text("findSome", this.#results.length);
    (this.#results.find(({ dataset }) => dataset.id === `${id}`)?.firstElementChild ?? input).focus();
    this.#results = [];
  }

  #walk(event) {
    const all = [input, ...list.querySelectorAll("button"), ...(further.hidden ? [] : [further])];
    const next = all[all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next || !all.includes(document.activeElement)) return;
    event.preventDefault();
    next.focus();
  }
}

// An item of the list, for this message.
function line({ id, from }) {
  const item = make("li", "");
  Object.assign(item.dataset, { id, from });
  return item;
}

// Author, time and text; only phrasing content, since a button may have no other.
function parts({ from, at, text }, words) {
  const author = make("bdi", "from", from);
  const time = make("time", "", when.format(new Date(at)));
  time.dateTime = at;
  const said = make("span", "said");
  said.dir = "auto";
  said.append(...marked(excerpt(balanced(text), words), words));
  const head = make("span", "head");
  paint(head, from);
  head.append(author, time);
  return [head, said];
}

// The part of a text around the first word that is found.
function excerpt(text, words) {
  const [first = [0]] = places(text, words);
  const begin = text.length <= EXCERPT ? 0 : Math.max(0, Math.min(first[0] - BEFORE, text.length - EXCERPT));
  const end = Math.min(text.length, begin + EXCERPT);
  // Not in the middle of a character of two code units.
  const part = text.slice(begin, end).replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, "");
  return `${begin > 0 ? "…" : ""}${part}${end < text.length ? "…" : ""}`;
}

// The nodes of a text in which the words are marked.
function marked(text, words) {
  const nodes = [];
  let from = 0;
  for (const [begin, end] of places(text, words)) {
    nodes.push(text.slice(from, begin), make("mark", "", text.slice(begin, end)));
    from = end;
  }
  return [...nodes, text.slice(from)];
}

// Where the words stand in a text: pairs of begin and end, in order, none inside another.
function places(text, words) {
  const lower = text.toLowerCase();
  // In a few languages lower case has another length: then only what is lower case already is marked.
  const searched = lower.length === text.length ? lower : text;
  const all = [];
  for (const word of words) {
    for (let at = 0; (at = searched.indexOf(word, at)) >= 0; at += word.length) all.push([at, at + word.length]);
  }
  all.sort(([one], [other]) => one - other);
  const joined = [];
  for (const [begin, end] of all) {
    const last = joined.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else joined.push([begin, end]);
  }
  return joined;
}

// Shows a message in the log, and leads the focus there.
function show(element) {
  for (const one of document.querySelectorAll(".message.sought")) one.classList.remove("sought");
  element.classList.add("sought");
  element.tabIndex = -1;
  element.scrollIntoView({ block: "center" });
  element.focus({ preventScroll: true });
}

// A page of messages, or the key of a text that says why there is none.
async function read(address, { signal }) {
  const signals = [signal, AbortSignal.timeout?.(STEP_MS)].filter(Boolean);
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.any?.(signals) ?? signal });
    if (answer.status === 400) return "findWrong";
    const page = answer.ok ? await answer.json() : null;
    return Array.isArray(page?.messages) ? page : "findFailed";
  } catch {
    return "findFailed";
  }
}

// The chat page, by the protocol squall.v1. Connects its parts: the link to the room, the log of its history, the outbox
// of own messages, the box in which they are written, and what stands beside them.

import { $, addressOf, page, ROOM, text } from "./chat-page.js";
import { Alerts } from "./chat-alerts.js";
import { announce, hush } from "./chat-voice.js";
import { Box } from "./chat-box.js";
import { Completion } from "./chat-complete.js";
import { Deletions } from "./chat-deletions.js";
import { Finder } from "./chat-search.js";
import { Link } from "./chat-link.js";
import { Log } from "./chat-log.js";
import { Members } from "./chat-members.js";
import { Older } from "./chat-older.js";
import { Outbox } from "./chat-outbox.js";
import { Rooms } from "./chat-rooms.js";
import { Status } from "./chat-status.js";
import { Unread } from "./chat-unread.js";
import { atEnd, onMove, toEnd } from "./chat-scroll.js";
import { close as closePanels } from "./chat-panels.js";
import { mentionsOf } from "./chat-markup.js";
import { onOtherPage } from "./login.js";
import { show as showUnsent } from "./chat-unsent.js";
import "./chat-viewport.js";

for (const part of document.querySelectorAll("#chat [hidden][data-scripted]")) part.hidden = false; // useless without
$("room-name").textContent = ROOM;
$("again").href = `/login?next=${encodeURIComponent(addressOf(ROOM))}`;

const link = new Link(ROOM, page.user, { state, welcome, frame, dropped, position, oldestUnacknowledged });
const log = new Log((entry, button) => deletions.ask(entry, button));
const outbox = new Outbox(ROOM, link, changed);
const deletions = new Deletions(link);
const status = new Status(link, () => box.measure());
const unread = new Unread(ROOM, log);
const older = new Older(ROOM, log, () => link.name);
const rooms = new Rooms(ROOM);
const finder = new Finder(ROOM, { reach, oldest: () => log.oldest });
const alerts = new Alerts(ROOM);
const box = new Box(ROOM, { submitted, obstacle, note });
const members = new Members(call);
const completion = new Completion(() => members.names.filter((name) => name !== link.name), () => box.changed());

let name = page.user; // as it was at the last welcome

// ---- The link ----

function state(seconds, why) {
  status.show(seconds, why);
  outbox.flush();
  box.measure();
}

function position() {
  // Lines were left out while somebody read further up: at the end the list is replaced.
  if (!log.position || (log.isBehind && atEnd())) return "";
  return log.position.id ? `${log.position.id}.${log.position.tag}` : "0.0";
}

function oldestUnacknowledged() {
  return outbox.oldestSentAt;
}

function dropped() {
  outbox.dropped();
  deletions.dropped();
}

function welcome(frame, gap) {
  const isFirst = !log.position;
  const missed = frame.resumed ? frame.history.filter((entry) => take(entry) === "new") : [];
  if (!frame.resumed) replace(frame, gap, isFirst);
  if (frame.you !== name) renamed(frame.you);
  outbox.welcome(frame.history, frame.limits, log.position.id);
  members.replace(frame.members, frame.count, frame.you);
  rooms.count(frame.count);
  box.limit(frame.limits?.text_bytes);
  tell(missed);
  older.welcome();
  rooms.look();
  look();
}

function replace(frame, gap, isFirst) {
  toEnd();
  log.replace(frame.history, frame.position, link.name);
  unread.replaced();
  if (gap && !isFirst) log.note(text(gap.reason === "other" ? "gapOther" : "gapFar"));
}

function renamed(you) {
  name = you;
  $("user").textContent = $("user").title = you;
  log.note(text("renamed", you));
  announce(text("renamed", you));
}

function frame(frame) {
  switch (frame.type) {
    case "message":
    case "deleted":
    case "cleared":
      if (take(frame) === "new" && frame.type === "message") said(frame);
      return look();
    case "ack":
      return outbox.acknowledged(frame.nonce, frame.id, log.position.id) || deletions.acknowledged(frame.nonce);
    case "enter":
      return moved([[frame.user, "in"]], frame.count);
    case "leave":
      return moved([[frame.user, "out"]], frame.count);
    case "presence":
      return moved([...frame.entered.map((user) => [user, "in"]), ...frame.left.map((user) => [user, "out"])], frame.count);
    case "error":
      return outbox.refused(frame) || deletions.refused(frame) || log.note(frame.text);
  }
}

// Takes an entry into the log. If one is missing before it, the link asks for both.
function take(entry) {
  const result = log.take(entry, link.name);
  if (result === "hole") link.renew();
  if (result !== "new") return result;
  if (entry.type === "message") outbox.shown(entry.id);
  else {
    hush();
    finder.erased(entry);
  }
  return result;
}

// Loads older pages until the message `id` is in the log; its element, if that was possible.
async function reach(id) {
  await older.reach(id);
  return log.elementOf(id);
}

// A live message.
function said(message) {
  if (message.from === link.name) return;
  announce(`${message.from}: ${message.text}`);
  tell([message]);
}

// Messages of others that have come, live or missed.
function tell(entries) {
  const others = entries.filter(({ type, from, text }) => type === "message" && from !== link.name && text);
  if (!others.length) return;
  unread.came(others.length);
  alerts.mentioned(others.filter(({ text }) => mentionsOf(text, link.name).length));
}

function moved(changes, count) {
  members.change(changes, count);
  rooms.count(count);
  const others = changes.filter(([user]) => user !== link.name);
  if (others.length) log.presence(others);
}

// ---- The user ----

function submitted(words) {
  link.retry();
  outbox.add(words);
  unread.spoke();
  toEnd();
}

// The reason why nothing can be sent, not even later.
function obstacle() {
  if (link.state === "gone") return text("unsent");
  return outbox.isFull ? text("full", outbox.items.length) : "";
}

// What becomes of a message that is sent now.
function note() {
  return link.state !== "connected" && status.isTroubled ? text("later") : "";
}

function call(user) {
  closePanels();
  completion.insert(user);
}

function changed() {
  showUnsent(outbox);
  box.measure();
}

// What depends on where the reader is.
function look() {
  if (log.isBehind && atEnd()) link.check();
}

document.title = `${ROOM} · squall`;
unread.title(document.title);
showUnsent(outbox);
onMove(look);
$("retry").addEventListener("click", () => link.retry());
onOtherPage((name) => link.heardOf(name));
box.measure();
link.start();
if (document.activeElement === document.body && matchMedia("(pointer: fine)").matches) $("text").focus();

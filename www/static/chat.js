// The chat page, by the protocol squall.v1. Connects its parts: the place and the link to its room, the log of its history,
// the outbox of own messages, the box in which they are written, the rules of the room, and what stands beside them.

import { $, addressOf, page, text } from "./chat-page.js";
import { Alerts } from "./chat-alerts.js";
import { announce, hush } from "./chat-voice.js";
import { Box } from "./chat-box.js";
import { Commands, isCommand, messageOf, namesFor } from "./chat-commands.js";
import { Completion } from "./chat-complete.js";
import { Deletions } from "./chat-deletions.js";
import { Finder } from "./chat-search.js";
import { Link } from "./chat-link.js";
import { Log } from "./chat-log.js";
import { Members } from "./chat-members.js";
import { Older } from "./chat-older.js";
import { Outbox } from "./chat-outbox.js";
import { Place } from "./chat-place.js";
import { Rooms } from "./chat-rooms.js";
import { Rules } from "./chat-rules.js";
import { Settings } from "./chat-settings.js";
import { outText, Status } from "./chat-status.js";
import { Unread } from "./chat-unread.js";
import { actionOf, mentionsOf, plainOf } from "./chat-markup.js";
import { atEnd, onMove, toEnd } from "./chat-scroll.js";
import { close as closePanels } from "./chat-panels.js";
import { isOfRules, sentenceOf } from "./chat-refusals.js";
import { onOtherPage } from "./login.js";
import { show as showUnsent } from "./chat-unsent.js";
import "./chat-viewport.js";

for (const part of document.querySelectorAll("#chat [hidden][data-scripted]")) part.hidden = false; // useless without

const link = new Link(page.user, { state, welcome, frame, dropped, position, oldestUnacknowledged });
const log = new Log((entry, button) => deletions.ask(entry, button));
const outbox = new Outbox(link, () => rules.wait, changed);
const deletions = new Deletions(link);
const commands = new Commands(link, (words) => log.note(text("commandLost", words)));
const status = new Status(link, () => box.measure());
const unread = new Unread(log);
const older = new Older(log, () => link.name);
const rooms = new Rooms();
const finder = new Finder({ reach, oldest: () => log.oldest });
const alerts = new Alerts();
const box = new Box({ submitted, obstacle, note });
const rules = new Rules(ruled);
const settings = new Settings(run);
const members = new Members(call, run);
const completion = new Completion(
  () => members.names.filter((name) => name !== link.name),
  () => namesFor(rules.isOperator),
  () => box.changed(),
);
const place = new Place(enterFromHere);

let name = page.user; // as it was at the last welcome

// ---- The room ----

// Shows a room. The one before is left first, so nothing of it comes any more.
function enter(room) {
  commands.enter();
  link.leave();
  hush();
  completion.close();
  $("room-name").textContent = room;
  $("again").href = `/login?next=${encodeURIComponent(addressOf(room))}`;
  log.clear();
  toEnd();
  members.replace([], 0, name, false);
  rules.enter();
  unread.enter(room);
  outbox.enter(room);
  older.enter(room);
  finder.enter(room);
  rooms.enter(room);
  alerts.enter(room);
  box.enter(room);
  link.enter(room);
}

// The same when the user leads from one room to another, which has to be said.
function enterFromHere(room) {
  closePanels();
  enter(room);
  announce(room);
  focusBox();
}

// ---- The link ----

function state(seconds, why) {
  status.show(seconds, why);
  outbox.flush();
  if (link.state === "connected") commands.flush();
  else if (link.state !== "connecting") commands.dropped(false);
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
  commands.dropped(true);
}

function welcome(frame, gap) {
  const isFirst = !log.position;
  rules.welcome(frame.operator, frame.settings);
  log.isOperator = rules.isOperator;
  const missed = frame.resumed ? frame.history.filter((entry) => take(entry) === "new") : [];
  if (!frame.resumed) replace(frame, gap, isFirst);
  if (frame.you !== name) renamed(frame.you);
  outbox.welcome(frame.history, frame.limits, log.position.id);
  members.replace(frame.members, frame.count, frame.you, rules.isOperator);
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
      return acknowledged(frame);
    case "result":
      if (commands.take(frame.nonce)) resulted(frame);
      return;
    case "settings":
      rules.change(frame);
      outbox.flush();
      return announce(rules.words || text("rulesNone"));
    case "enter":
      return moved([[frame.user, "in"]], frame.count);
    case "leave":
      return moved([[frame.user, "out"]], frame.count);
    case "presence":
      return moved([...frame.entered.map((user) => [user, "in"]), ...frame.left.map((user) => [user, "out"])], frame.count);
    case "error":
      return refused(frame);
  }
}

function acknowledged({ nonce, id }) {
  if (!outbox.acknowledged(nonce, id, log.position.id)) return deletions.acknowledged(nonce);
  rules.spoke();
}

// What came of a command; only this member is told.
function resulted({ text: sentence, lines = [] }) {
  // An invitation is a path; to others only the whole address is of use.
  const whole = lines.map((line) => (line.startsWith("/?invite=") ? location.origin + line : line));
  log.note(text("onlyYou", sentence ?? ""), whole);
  announce([sentence, ...whole].join("\n"));
  toEnd();
}

function refused(error) {
  // The message goes by itself when its time has come.
  if (error.code === "slow") rules.waitFor(error.retry_after_ms);
  const command = commands.take(error.nonce);
  const isKnown = command || outbox.refused(error) || deletions.refused(error);
  if (command?.isTyped) box.giveBack(command.words);
  // A switch that was turned in vain goes back.
  if (command) settings.show(rules);
  if (command || isOfRules(error)) box.tell(sentenceOf(error), error.retry_after_ms);
  else if (!isKnown) log.note(sentenceOf(error));
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
  announce(actionOf(message.text) === null ? `${message.from}: ${message.text}` : plainOf(message));
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
  completion.close();
  if (isCommand(words)) return commands.run(words, true);
  link.retry();
  outbox.add(messageOf(words));
  unread.spoke();
  toEnd();
}

// A command from a menu.
function run(command) {
  if (link.state === "connected") return commands.run(command, false);
  settings.show(rules);
  box.tell(text("commandLater"));
}

// The reason why this text cannot be sent, not even later.
function obstacle(words) {
  if (link.state === "gone") return text("unsent");
  if (link.state === "out") return outText(status.why, link.until);
  if (isCommand(words)) return link.state === "connected" ? "" : text("commandLater");
  if (rules.obstacle) return rules.obstacle;
  return outbox.isFull ? text("full", outbox.items.length) : "";
}

// What becomes of a message that is sent now.
function note() {
  return link.state !== "connected" && status.isTroubled ? text("later") : rules.note;
}

function call(user) {
  closePanels();
  completion.insert(user);
}

// The rules of the room, or the time of the next message, have changed.
function ruled() {
  settings.show(rules);
  box.measure();
}

function changed() {
  showUnsent(outbox);
  box.measure();
}

// What depends on where the reader is.
function look() {
  if (log.isBehind && atEnd()) link.check();
}

// The box gets the focus, or the log where that would open the on-screen keyboard.
function focusBox() {
  $(matchMedia("(pointer: fine)").matches ? "text" : "log").focus();
}

onMove(look);
$("retry").addEventListener("click", () => link.retry());
$("return").addEventListener("click", () => (link.comeBack(), focusBox()));
onOtherPage((name) => link.heardOf(name));
enter(place.room);
if (document.activeElement === document.body && matchMedia("(pointer: fine)").matches) $("text").focus();

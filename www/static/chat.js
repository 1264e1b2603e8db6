// The chat page, plain protocol: "NAME enter room", "NAME:TEXT", "NAME leave room", one text frame each. Connects its
// parts: the link to the room, the log of received lines, the box of sent messages.

import { $, announce, page, text } from "./chat-page.js";
import { Box } from "./chat-box.js";
import { Link } from "./chat-link.js";
import * as log from "./chat-log.js";
import { onOtherPage } from "./login.js";

for (const part of ["status", "say"]) $(part).hidden = false; // useless without this script

const box = new Box(log.toEnd);
const link = new Link(page.user, {
  oldestUnseen: () => box.oldestUnseen(),
  dropped: () => box.takeBack(),
  ready: () => box.ready(),
  line(frame) {
    const line = log.parse(frame);
    const isOwn = line.from === link.name;
    if (isOwn && line.kind === "says") box.seen(line.text);
    log.add(line, isOwn);
  },
  renamed(name) {
    $("user").textContent = $("user").title = name;
    log.add({ kind: "other", from: "", text: text("renamed", name), at: new Date() }, false);
  },
  state(seconds, why) {
    const changed = link.state !== page.state;
    page.state = link.state;
    $("state").textContent = stateText(seconds, why);
    $("retry").hidden = link.state !== "waiting";
    $("again").hidden = link.state !== "gone";
    if (!changed) return;
    box.measure();
    if (link.state !== "connecting") announce($("state").textContent);
  },
});

function stateText(seconds, why) {
  if (link.state !== "waiting") return text(link.state);
  return why === "blocked" ? text("blocked", seconds) : `${why && text(why)} ${text("retry", seconds)}`.trim();
}

$("retry").addEventListener("click", () => link.retry());
onOtherPage((name) => link.heardOf(name));
box.use(link);
link.start();
if (document.activeElement === document.body) $("text").focus();

// The settings of the room, for operators: switches that say what the server has said, and ask for it to be changed.

import { $, text } from "./chat-page.js";
import { close as closePanels } from "./chat-panels.js";
import { duration } from "./chat-duration.js";

const SLOW = [0, 5, 10, 30, 60, 300, 900]; // seconds between two messages of a member

const toggle = $("settings-toggle");
const [locked, slow, hidden] = [$("set-locked"), $("set-slow"), $("set-private")];

export class Settings {
  // `run(command)` asks for a change; the switches follow when the server has made it.
  constructor(run) {
    locked.addEventListener("change", () => run(locked.checked ? "/lock" : "/unlock"));
    slow.addEventListener("change", () => run(`/slow ${slow.value}`));
    hidden.addEventListener("change", () => run(hidden.checked ? "/private" : "/public"));
  }

  show({ isOperator, settings }) {
    if (toggle.hidden !== !isOperator) closePanels();
    toggle.hidden = !isOperator;
    locked.checked = settings.locked;
    hidden.checked = settings.private;
    const steps = [...new Set([...SLOW, settings.slow])].sort((one, other) => one - other);
    slow.replaceChildren(...steps.map((seconds) => new Option(seconds ? duration(seconds * 1_000) : text("slowOff"), seconds)));
    slow.value = settings.slow;
  }
}

// What an operator can do about a member: a list of acts that a button beside the name opens.

import { make, makeButton, text } from "./chat-page.js";
import { sureButton } from "./chat-sure.js";

// The key of each text, the command, and whether it asks first.
const ACTS = [
  ["kick", (name) => `/kick ${name}`, false],
  ["mute", (name) => `/mute ${name} 10m`, false],
  ["ban", (name) => `/ban ${name} 1d`, true],
  ["clear", (name) => `/clear ${name}`, true],
  ["free", (name) => `/free ${name}`, false],
];

// The button and the list for the member `name`; `run(command)` is called with what is chosen.
export function menu(name, run) {
  const list = make("div", "acts");
  list.hidden = true;
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", text("acts", name));
  const toggle = makeButton("link acts-toggle", "⋯", () => set(list.hidden));
  toggle.setAttribute("aria-label", text("acts", name));
  const set = (isOpen) => {
    list.hidden = !isOpen;
    toggle.setAttribute("aria-expanded", isOpen);
    toggle.focus();
  };
  for (const [key, command, isAsked] of ACTS) {
    const act = () => {
      set(false);
      run(command(name));
    };
    list.append(isAsked ? sureButton("quiet", text(key), text(`${key}Sure`), act) : makeButton("quiet", text(key), act));
  }
  list.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // the panel stays open
    set(false);
  });
  toggle.setAttribute("aria-expanded", false);
  return [toggle, list];
}

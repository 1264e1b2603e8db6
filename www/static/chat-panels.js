// The panels beside the log: the rooms, the members, and the settings of the room. On a wide screen the first two are
// there; otherwise a button opens one of them over the log, and Escape closes it.

import { $ } from "./chat-page.js";

const PANELS = ["rooms", "members", "settings"];

export function close() {
  for (const name of PANELS) set(name, false);
}

function set(name, isOpen) {
  $(name).classList.toggle("open", isOpen);
  $(`${name}-toggle`).setAttribute("aria-expanded", isOpen);
}

for (const name of PANELS) {
  const toggle = $(`${name}-toggle`);
  toggle.addEventListener("click", () => {
    const isOpen = toggle.getAttribute("aria-expanded") !== "true";
    close();
    set(name, isOpen);
    if (isOpen) $(name).focus();
  });
  $(name).addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || toggle.getAttribute("aria-expanded") !== "true") return;
    close();
    toggle.focus();
  });
}
$("log").addEventListener("pointerdown", close);

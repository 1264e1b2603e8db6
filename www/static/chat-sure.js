// A button that acts on the second click: the first one asks whether that is meant.

import { makeButton } from "./chat-page.js";

const SURE_MS = 4_000; // for the second click

export function sureButton(className, label, question, act) {
  let sure = 0;
  const rest = () => {
    clearTimeout(sure);
    sure = 0;
    button.textContent = label;
    button.classList.remove("sure");
  };
  const button = makeButton(className, label, () => {
    if (!sure) {
      button.textContent = question;
      button.classList.add("sure");
      sure = setTimeout(rest, SURE_MS);
      return;
    }
    rest();
    act();
  });
  button.addEventListener("blur", rest);
  return button;
}

// How the outbox looks: own messages below the log, each with its state, and with its choices if it is held.

import { $, make, makeButton, text } from "./chat-page.js";
import { announce } from "./chat-voice.js";
import { keep } from "./chat-scroll.js";
import { wordsOf } from "./chat-message.js";

// Texts for the reasons why a message is held; any other is a refusal of the server.
const REASONS = {
  old: "heldOld",
  renamed: "heldRenamed",
  too_long: "long",
  storage: "heldStorage",
  muted: "heldMuted",
  locked: "heldLocked",
};

const list = $("outbox");
const shown = new Map(); // nonce → { element, state }

export function show(outbox) {
  const here = new Set(outbox.items.map(({ nonce }) => nonce));
  const isChanged = outbox.items.some((item) => shown.get(item.nonce)?.state !== item.state);
  if (!isChanged && here.size === shown.size) return;
  keep(() => {
    for (const [nonce, { element }] of shown) {
      if (here.has(nonce)) continue;
      element.remove();
      shown.delete(nonce);
    }
    for (const item of outbox.items) {
      const old = shown.get(item.nonce);
      if (old?.state === item.state) continue;
      const element = draw(outbox, item);
      if (old) old.element.replaceWith(element);
      else list.append(element);
      shown.set(item.nonce, { element, state: item.state });
      if (item.state === "held") announce(reason(item));
    }
  });
  list.hidden = here.size === 0;
}

function draw(outbox, item) {
  const element = make("li", `message own unsent ${item.state}`);
  const words = make("div", "words");
  words.dir = "auto";
  words.id = `unsent-${item.nonce}`;
  words.append(...wordsOf(item, ""));
  const meta = make("p", "meta");
  element.append(words, meta);
  if (item.state !== "held") {
    meta.textContent = text(item.state === "stored" ? "stored" : "sending");
    return element;
  }
  const choice = (key, act) => {
    const made = makeButton("link", text(key), () => {
      act();
      $("text").focus(); // the button is gone
    });
    made.setAttribute("aria-describedby", words.id);
    return made;
  };
  meta.append(make("span", "problem", reason(item)));
  meta.append(choice("resend", () => outbox.sendAgain(item)), choice("discard", () => outbox.discard(item)));
  return element;
}

const reason = ({ why }) => text(REASONS[why] ?? "heldRefused");

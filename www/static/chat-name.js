// How a name looks: its colour and its initial. Names that look alike get colours that do not.

import { letters, make } from "./chat-page.js";

const HUES = 12; // 30 degrees apart, each in two tones

// Gives the element of a member's message the colour of its name.
export function paint(element, name) {
  const colour = hashOf(name) % (2 * HUES);
  element.style.setProperty("--hue", (colour % HUES) * (360 / HUES));
  element.classList.toggle("strong", colour >= HUES);
}

export function initialOf(name) {
  const initial = make("span", "initial", letters(name).next().value ?? "");
  initial.setAttribute("aria-hidden", "true");
  return initial;
}

// FNV-1a, then the finalizer of MurmurHash3: without it the last byte of a name hardly reaches the upper bits.
function hashOf(name) {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

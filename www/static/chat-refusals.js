// Refusals: the errors of the protocol that the page says in its own words. Any other comes in the server's.

import { text } from "./chat-page.js";

const KEYS = {
  unknown_command: "refusedCommand",
  not_operator: "refusedOperator",
  no_such_name: "refusedName",
  name_taken: "refusedTaken",
  muted: "refusedMuted",
  locked: "lockedHere",
};

// A sentence for an error frame.
export const sentenceOf = ({ code, text: sentence }) => (Object.hasOwn(KEYS, code) ? text(KEYS[code]) : (sentence ?? code));
// Whether it is about what a member may say here.
export const isOfRules = ({ code }) => Object.hasOwn(KEYS, code);

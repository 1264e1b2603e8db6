// Shared by the parts of the chat page: its elements, its texts, the addresses of rooms, and letters as people count them.

export const $ = (id) => document.getElementById(id);
export const page = $("chat").dataset;

const LOBBY = "lobby";

// The room of an address of the chat, as the server writes its name.
export const roomOf = (url) => (new URL(url).searchParams.get("room") ?? LOBBY).normalize("NFC");

export const addressOf = (room) => (room === LOBBY ? "/chat/" : `/chat/?room=${encodeURIComponent(room)}`);

// A text of the page in its language, with `values` for its placeholders.
export const text = (key, ...values) => page[key].replace(/\{\}/g, () => values.shift());

export function make(tag, className, textContent = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = textContent;
  return made;
}

export function makeButton(className, label, act) {
  const made = make("button", className, label);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

const SEGMENTED = 200; // code units at once: some browsers copy the whole input for every letter

// Letters as people count them: an emoji of several code points is one.
export function* letters(string) {
  if (!Intl.Segmenter) return yield* string;
  const segmenter = new Intl.Segmenter();
  for (let at = 0; at < string.length; ) {
    const found = Array.from(segmenter.segment(string.slice(at, at + SEGMENTED)), ({ segment }) => segment);
    // The last one may be cut.
    if (found.length > 1 && at + SEGMENTED < string.length) found.pop();
    for (const letter of found) at += letter.length;
    yield* found;
  }
}

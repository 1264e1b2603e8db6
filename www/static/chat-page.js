// Shared by the parts of the chat page: its elements, its texts, and announcements for screen readers.

export const $ = (id) => document.getElementById(id);
export const page = $("chat").dataset;

// A text of the page in its language, with `value` for its placeholder.
export const text = (key, value = "") => page[key].replace("{}", () => value);

export function make(tag, className, textContent = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = textContent;
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

let unspoken = [];
let speakTimer = 0;

// At most one announcement a second.
export function announce(words) {
  unspoken.push(words);
  speakTimer ||= setTimeout(() => {
    $("heard").textContent = unspoken.length > 3 ? text("unread", unspoken.length) : unspoken.join("\n");
    unspoken = [];
    speakTimer = 0;
  }, 1000);
}

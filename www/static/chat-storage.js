// What this browser keeps for the chat, as JSON: drafts, the outbox, what was read, wishes. Storage may be forbidden or
// full; then a reload forgets.

const PREFIX = "squall-";

export function load(key) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key));
  } catch {
    return null;
  }
}

// Keeps a value; null removes it.
export function save(key, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {}
}

// The keys that begin with `beginning`.
export function keys(beginning) {
  try {
    const all = Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n));
    return all.filter((key) => key.startsWith(PREFIX + beginning)).map((key) => key.slice(PREFIX.length));
  } catch {
    return [];
  }
}

// Calls back with the key of a value that another window of this browser has changed, and whether it is gone.
export function onChange(callback) {
  addEventListener("storage", ({ key, newValue }) => {
    if (key?.startsWith(PREFIX)) callback(key.slice(PREFIX.length), newValue === null);
  });
}

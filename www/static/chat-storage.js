// What this browser keeps for the chat, as JSON: drafts, the outbox, what was read, wishes. Storage may be forbidden or
// full; then this page remembers, and a reload forgets.

const PREFIX = "squall-";
const unsaved = new Map(); // what could not be stored, as JSON

export function load(key) {
  try {
    return JSON.parse(unsaved.get(key) ?? localStorage.getItem(PREFIX + key));
  } catch {
    return null;
  }
}

// Keeps a value; null removes it.
export function save(key, value) {
  unsaved.delete(key);
  try {
    if (value === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    if (value !== null) unsaved.set(key, JSON.stringify(value));
  }
}

// The keys that begin with `beginning`.
export function keys(beginning) {
  let stored = [];
  try {
    stored = Array.from({ length: localStorage.length }, (_, n) => localStorage.key(n));
  } catch {}
  const own = stored.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
  return [...new Set([...own, ...unsaved.keys()])].filter((key) => key.startsWith(beginning));
}

// Calls back with the key of a value that another window of this browser has changed, and whether it is gone.
export function onChange(callback) {
  addEventListener("storage", ({ key, newValue }) => {
    if (key?.startsWith(PREFIX)) callback(key.slice(PREFIX.length), newValue === null);
  });
}

// The login belongs to the browser, not to one window, and scripts cannot read its cookie. So every page tells the other
// windows for which name it was made; an open chat there notices a login, a logout and another name.

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("squall-login") : null;

channel?.postMessage(document.getElementById("user")?.title ?? "");

// Calls back with the name for which a page in another window was made, or "" for none.
export function onOtherPage(callback) {
  channel?.addEventListener("message", ({ data }) => typeof data === "string" && callback(data));
}

// A logout leaves nothing of the user in this browser: no draft, no message that was not sent.
document.querySelector('form[action="/logout"]')?.addEventListener("submit", () => {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith("squall-")) localStorage.removeItem(key);
  } catch {} // storage may be forbidden
});

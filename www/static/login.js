// The login belongs to the browser, not to one window, and its cookie is hidden from scripts. So every page says to the
// other windows for which name it was made; a chat that is open there notices a login, a logout and another name.

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("squall-login") : null;

channel?.postMessage(document.getElementById("user")?.title ?? "");

// Calls back with the name for which a page in another window was made, or "" for none.
export function onOtherPage(callback) {
  channel?.addEventListener("message", ({ data }) => typeof data === "string" && callback(data));
}

// The service worker: shows notifications where a page may show none of its own (Android), and leads from one of them to
// its room. It keeps nothing and handles no request. It is there only for those who want notifications.
"use strict";

addEventListener("install", () => skipWaiting());

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(lead(event.notification.data));
});

// To the window that shows the room of this address, or to a new one.
async function lead(address) {
  const all = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const shown = all.find(({ url }) => url.replace(/#.*$/, "") === address);
  return shown ? shown.focus() : clients.openWindow(address);
}

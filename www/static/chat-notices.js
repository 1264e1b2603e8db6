// Notices: the notifications of this browser. They come from the page, and where that is not allowed from a service worker.

import { addressOf } from "./chat-page.js";

// The plain names, because a worker belongs to an address: with the version in it each version would leave one behind.
const WORKER = "/static/worker.js";
const ICON = "/static/icon-192.png";
const TAG = "squall ";

// Trusted Types: the policy of the page allows this one maker of script addresses, which makes only one.
const policy = globalThis.trustedTypes?.createPolicy("squall-worker", { createScriptURL: () => WORKER });

let open = []; // those of the page
let registered = Promise.resolve(null); // the registration of the worker

// Makes ready for notifications, or takes everything back.
export function set(isOn) {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  registered = (isOn ? workers.register(policy?.createScriptURL("") ?? WORKER) : workers.getRegistration(WORKER))
    .then((found) => (isOn ? found : (found?.unregister(), null)))
    .catch(() => null); // it may be forbidden: then only the page can show them
}

// Shows one about the mention `id` in `room`.
export async function show(title, body, room, id) {
  if (globalThis.Notification?.permission !== "granted") return;
  const options = { body, tag: `${TAG}${room} ${id}`, icon: ICON, data: new URL(addressOf(room), location.href).href };
  try {
    const made = new Notification(title, options);
    made.onclick = () => (focus(), made.close());
    open.push(made);
  } catch {
    await (await registered)?.showNotification(title, options);
  }
}

// Takes those away that were read.
export async function close() {
  for (const one of open.splice(0)) one.close();
  for (const one of (await (await registered)?.getNotifications()) ?? []) if (one.tag.startsWith(TAG)) one.close();
}

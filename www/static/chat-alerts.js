// Notifications and a sound when the user is mentioned while no window of the chat is shown. Both are asked for by a
// click, and one window tells of a mention for all.
//
// Windows agree over a BroadcastChannel: the one that wants to tell says so with a random number and waits a moment. A
// window that is shown objects, and so do one that has told of the mention already and a smaller number for it.

import { $, text } from "./chat-page.js";
import { plainOf } from "./chat-markup.js";
import { close, set, show } from "./chat-notices.js";
import { load, save } from "./chat-storage.js";

const VOTE_MS = 200; // to wait for objections
const TOLD_MAX = 100; // mentions remembered, for windows that are late
const OBJECTION = -1; // smaller than any number of a vote
const TEXT_MAX = 200; // letters of a message in a notification
const TONES = [[880, 0], [1175, 0.12]]; // hertz, seconds from the beginning
const WISH = "alerts";

const button = $("alerts");
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("squall-alerts") : null;

export class Alerts {
  #room = "";
  #votes = new Map(); // mention → { number, isLost }
  #told = new Set();
  #sound = null; // made by a click: browsers allow none before

  constructor() {
    button.hidden = !("Notification" in globalThis || "AudioContext" in globalThis);
    button.addEventListener("click", () => this.#ask());
    channel?.addEventListener("message", ({ data }) => this.#heard(data));
    document.addEventListener("visibilitychange", () => document.hidden || close());
    addEventListener("pointerdown", () => this.#prepare(), { once: true });
    set(load(WISH) === true);
    this.#show();
  }

  // Another room is shown.
  enter(room) {
    this.#room = room;
  }

  // The user was mentioned in `entries`, live ones or those that were missed.
  async mentioned(entries) {
    const last = entries.at(-1);
    if (!last || load(WISH) !== true || !document.hidden) return;
    const room = this.#room;
    const mention = `${room} ${last.id}`;
    const vote = { number: Math.random(), isLost: false };
    this.#votes.set(mention, vote);
    channel?.postMessage({ mention, number: vote.number });
    await new Promise((done) => setTimeout(done, VOTE_MS));
    this.#votes.delete(mention);
    if (vote.isLost || !document.hidden) return;
    this.#told.add(mention);
    if (this.#told.size > TOLD_MAX) this.#told.delete(this.#told.values().next().value);
    notify(room, entries);
    this.#beep();
  }

  #heard({ mention, number }) {
    const own = this.#votes.get(mention);
    if (own && number < own.number) own.isLost = true;
    const isKnown = !document.hidden || this.#told.has(mention);
    if (isKnown && number !== OBJECTION) channel.postMessage({ mention, number: OBJECTION });
  }

  #beep() {
    const { destination, currentTime } = this.#sound ?? {};
    if (!destination) return;
    for (const [hertz, after] of TONES) {
      const [tone, volume] = [this.#sound.createOscillator(), this.#sound.createGain()];
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0.15, currentTime + after);
      volume.gain.exponentialRampToValueAtTime(0.001, currentTime + after + 0.25);
      tone.connect(volume).connect(destination);
      tone.start(currentTime + after);
      tone.stop(currentTime + after + 0.3);
    }
  }

  #prepare() {
    if (load(WISH) === true && "AudioContext" in globalThis) this.#sound ??= new AudioContext();
  }

  async #ask() {
    const isOn = load(WISH) !== true;
    save(WISH, isOn || null);
    this.#prepare();
    set(isOn);
    if (isOn) await globalThis.Notification?.requestPermission();
    this.#show();
    if (isOn) this.#beep();
  }

  #show() {
    const isOn = load(WISH) === true;
    button.setAttribute("aria-pressed", isOn);
    const isRefused = isOn && globalThis.Notification?.permission === "denied";
    $("alerts-hint").textContent = isRefused ? text("alertsDenied") : "";
    $("alerts-hint").hidden = !isRefused;
  }
}

function notify(room, entries) {
  const last = entries.at(-1);
  if (entries.length > 1) return show(text("mentions", entries.length, room), "", room, last.id);
  show(text("mention", last.from, room), [...plainOf(last)].slice(0, TEXT_MAX).join(""), room, last.id);
}

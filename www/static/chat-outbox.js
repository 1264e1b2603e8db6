// The outbox: own messages from Enter until they are in the log. It survives a reload.
//
//     sending ── ack ──▶ stored ── its message is in the log ──▶ done
//       └── refused, ten minutes old, or written under another name ──▶ held ── "Send" ──▶ sending; "Discard" ──▶ done
//
// A message keeps its nonce, so the server stores it once, however often it is sent. Behind each welcome, what came back
// in the history is done, and the rest is sent again in its order.

import { keys, load, onChange, save } from "./chat-storage.js";

const PENDING_MAX = 50; // with more, the draft stays in the box
const OLD_MS = 600_000; // what is older is not sent by itself
const BUSY_MS = 1_000; // before another try, if the server names no time
const RETRIED = ["too_fast", "busy", "slow"]; // errors that pass by themselves

export class Outbox {
  // { nonce, text, at: ms since 1970, from, state, why, id, sentAt }; `sentAt` is Infinity until this connection has it.
  items = [];
  #prefix = "";
  #link;
  #roomWait; // gives the milliseconds until the room takes a message
  #changed; // called when an item has changed
  #pace = new Pace();
  #timer = 0;
  #pausedUntil = 0;

  constructor(link, roomWait, changed) {
    this.#link = link;
    this.#roomWait = roomWait;
    this.#changed = changed;
    onChange((key, isGone) => isGone && key.startsWith(this.#prefix) && this.#done(this.#find(key.slice(this.#prefix.length))));
  }

  // Another room is shown. What waits for the one before is kept until that is entered again.
  enter(room) {
    clearTimeout(this.#timer);
    this.#prefix = `outbox:${room}:`;
    this.items = [];
    // One key for each message: windows of one room do not overwrite each other's.
    for (const key of keys(this.#prefix)) {
      const kept = load(key);
      const isItem = kept && typeof kept.text === "string" && typeof kept.at === "number";
      if (isItem) this.items.push(fresh({ why: "", ...kept, nonce: key.slice(this.#prefix.length) }));
    }
    this.items.sort((one, other) => one.at - other.at);
    this.#changed();
  }

  get isFull() {
    return this.items.length >= PENDING_MAX;
  }

  // Of the oldest message that this connection has not acknowledged.
  get oldestSentAt() {
    return Math.min(...this.items.filter(({ state }) => state === "sending").map(({ sentAt }) => sentAt));
  }

  add(text) {
    this.items.push(this.#keep(fresh({ nonce: newNonce(), text, at: Date.now(), from: this.#link.name, why: "" })));
    this.flush();
  }

  // A new connection: `history` has own messages with their nonces, `limits` are those of the server, and the log reaches
  // up to the id `last`.
  welcome(history, limits, last) {
    this.#pace.limit(limits);
    this.#pausedUntil = 0;
    for (const { nonce } of history) if (nonce) this.#done(this.#find(nonce));
    for (const item of [...this.items]) {
      if (item.state === "stored" && item.id <= last) this.#done(item);
      item.sentAt = Infinity;
    }
    this.flush();
  }

  // The connection is gone.
  dropped() {
    for (const item of this.items) item.sentAt = Infinity;
  }

  // Sends what waits, as fast as the server allows.
  flush() {
    clearTimeout(this.#timer);
    this.#judge();
    for (const item of this.items) {
      if (item.state !== "sending" || item.sentAt !== Infinity) continue;
      if (!this.#link.isReady) break;
      const wait = Math.max(this.#pausedUntil - performance.now(), this.#pace.wait(), this.#roomWait());
      if (wait > 0) {
        this.#timer = setTimeout(() => this.flush(), wait);
        break;
      }
      this.#pace.take();
      item.sentAt = performance.now();
      this.#link.send({ type: "message", text: item.text, nonce: item.nonce });
    }
    this.#changed();
  }

  // The message of this nonce is stored; the log reaches up to the id `last`. False if no message has it.
  acknowledged(nonce, id, last) {
    const item = this.#find(nonce);
    if (!item) return false;
    save(this.#prefix + nonce, null);
    Object.assign(item, { state: "stored", id });
    if (id <= last) this.#done(item);
    this.#changed();
    return true;
  }

  // The log has the message of this id.
  shown(id) {
    this.#done(this.items.find((item) => item.state === "stored" && item.id === id));
  }

  // The server refused the message of this nonce. False if no message has it.
  refused({ nonce, code, retry_after_ms: after }) {
    const item = this.#find(nonce);
    if (!item || item.state === "stored") return Boolean(item);
    item.sentAt = Infinity;
    if (RETRIED.includes(code)) this.#pausedUntil = performance.now() + (after ?? BUSY_MS);
    else this.#hold(item, code);
    this.flush();
    return true;
  }

  // The author wants it sent after all: now, under the present name.
  sendAgain(item) {
    const nonce = item.why === "nonce_reused" || item.from !== this.#link.name ? newNonce() : item.nonce;
    save(this.#prefix + item.nonce, null);
    this.#keep(Object.assign(item, { nonce, at: Date.now(), from: this.#link.name, state: "sending", why: "" }));
    this.flush();
  }

  discard(item) {
    this.#done(item);
    this.#changed();
  }

  // Holds what its author has to decide about.
  #judge() {
    for (const item of this.items) {
      if (item.state !== "sending" || item.sentAt !== Infinity) continue;
      if (item.from !== this.#link.name) this.#hold(item, "renamed");
      else if (Date.now() - item.at > OLD_MS) this.#hold(item, "old");
    }
  }

  #hold(item, why) {
    this.#keep(Object.assign(item, { state: "held", why }));
  }

  #find(nonce) {
    return this.items.find((item) => item.nonce === nonce);
  }

  #keep(item) {
    const { nonce, text, at, from, why } = item;
    save(this.#prefix + nonce, { text, at, from, why });
    return item;
  }

  #done(item) {
    if (!item) return;
    save(this.#prefix + item.nonce, null);
    this.items = this.items.filter((one) => one !== item);
    this.#changed();
  }
}

// What the server allows: `burst` messages at once, and `messages_per_second` from then on. One is left for a deletion.
class Pace {
  #rate = 0;
  #burst = 0;
  #left = 0;
  #at = 0;

  limit(limits) {
    this.#rate = limits?.messages_per_second ?? 0;
    this.#burst = Math.max(1, (limits?.burst ?? 1) - 1);
    this.#left = this.#burst;
    this.#at = performance.now();
  }

  // Milliseconds until the next message may be sent.
  wait() {
    if (!this.#rate) return 0;
    const now = performance.now();
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    return this.#left >= 1 ? 0 : ((1 - this.#left) / this.#rate) * 1000;
  }

  take() {
    this.#left -= 1;
  }
}

function fresh(item) {
  return { ...item, state: item.why ? "held" : "sending", id: 0, sentAt: Infinity };
}

// 128 random bits as 32 hexadecimal digits.
export function newNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

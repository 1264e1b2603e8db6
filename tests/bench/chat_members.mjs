// Members of a chat, the same for each server: node chat_members.mjs PROTOCOL URL [COOKIE]. Packages come from TOOLS.
//
//   v1        squall.v1: a message is stored when its `ack` comes
//   socketio  Engine.IO 4 and Socket.IO 5, over WebSocket alone: a message is acknowledged by a callback
//   mqtt      MQTT 3.1.1 with QoS 1 in both directions and sessions that outlive a connection
//
// It does what the lines of its input say, and prints a line of JSON for each:
//
//   open N                   so many members are there, and can be spoken to
//   talk SENDERS SECONDS     each sender says its next message when its last one is acknowledged and has reached all
//   pace SENDERS RATE SECONDS  so many messages a second on a schedule, the senders in turn
//
// Frames are made and read by hand: a library for each protocol would compare the libraries.

import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { WebSocket } = createRequire(process.env.TOOLS + "/")("ws");
const [protocol, url, cookie] = process.argv.slice(2);
// Members that are being opened at once, fewer than the shortest backlog.
const OPENING_MAX = 50;
// Time for what is still under way, ms.
const SETTLES_WITHIN = 20_000;
const NAME = "bench";
const MESSAGE_BYTES = 64;
const DIGITS = 10;
const HASH = "#".charCodeAt(0);
const run = randomBytes(8).toString("hex");
const members = [];
// Messages under way, by number.
const live = new Map();
let said = 0;
let latencies = null;

class Member {
  constructor(number, ready) {
    this.number = number;
    this.ready = ready;
    // For MQTT: the next packet id, the messages by packet id, and the front of a packet.
    this.packet = 1;
    this.unacknowledged = new Map();
    this.rest = null;
    const headers = cookie ? { Cookie: cookie } : {};
    this.socket = new WebSocket(url, speech.subprotocol, { headers, perMessageDeflate: false });
    this.socket.on("open", () => speech.open?.(this));
    this.socket.on("message", (bytes) => speech.hear(this, bytes));
    this.socket.on("close", (code) => fail(`member ${number} was closed with ${code}`));
    this.socket.on("error", (error) => fail(`member ${number}: ${error.message}`));
  }

  send(frame) {
    this.socket.send(frame);
  }
}

const V1 = {
  subprotocol: "squall.v1",
  say(member, number, text) {
    const nonce = run + number.toString(16).padStart(16, "0");
    member.send(`{"type":"message","text":"${text}","nonce":"${nonce}"}`);
  },
  hear(member, bytes) {
    const type = bytes.toString("latin1", 9, 12);
    if (type === "mes") delivered(bytes);
    else if (type === "ack") acknowledged(parseInt(JSON.parse(bytes).nonce.slice(16), 16));
    else if (type === "wel") member.ready();
    else if (type === "err") fail(bytes.toString());
  },
};

const SOCKETIO = {
  subprotocol: [],
  say: (member, number, text) => member.send(`42${number}["say","${text}"]`),
  hear(member, bytes) {
    const type = bytes.toString("latin1", 0, 2);
    if (type === "42") delivered(bytes);
    else if (type === "43") acknowledged(parseInt(bytes.toString("latin1", 2), 10));
    else if (type === "2") member.send("3"); // a ping
    else if (type[0] === "0") member.send(`40{"name":"${NAME}"}`);
    else if (type === "40") member.ready();
    else fail(bytes.toString());
  },
};

const TOPIC = field("lobby");
const MQTT = {
  subprotocol: "mqtt",
  // The session is kept (flags 0), and no ping is asked for (keep alive 0).
  open: (member) =>
    member.send(packet(0x10, field("MQTT"), [4, 0, 0, 0], field(`${run}-${member.number}`))),
  say(member, number, text) {
    const id = member.packet;
    member.packet = (id % 0xffff) + 1;
    member.unacknowledged.set(id, number);
    member.send(packet(0x32, TOPIC, [id >> 8, id & 255], Buffer.from(`${NAME}:${text}`)));
  },
  hear(member, bytes) {
    let rest = member.rest ? Buffer.concat([member.rest, bytes]) : bytes;
    for (;;) {
      let [at, length, shift] = [1, 0, 0];
      while (at < rest.length && rest[at] & 0x80) {
        length |= (rest[at++] & 0x7f) << shift;
        shift += 7;
      }
      if (at >= rest.length) break;
      length |= rest[at++] << shift;
      if (rest.length < at + length) break;
      this.take(member, rest[0], rest.subarray(at, at + length));
      rest = rest.subarray(at + length);
    }
    member.rest = rest.length ? rest : null;
  },
  take(member, kind, body) {
    if (kind >> 4 === 3) {
      const id = 2 + body.readUInt16BE(0);
      member.send(Buffer.from([0x40, 2, body[id], body[id + 1]]));
      // Behind the packet id, which may look like anything.
      delivered(body.subarray(id + 2));
    } else if (kind === 0x40) {
      const id = body.readUInt16BE(0);
      const number = member.unacknowledged.get(id);
      member.unacknowledged.delete(id);
      acknowledged(number);
    } else if (kind === 0x20 && body[1] === 0) {
      member.send(packet(0x82, [0, 1], TOPIC, [1]));
    } else if (kind === 0x90 && body[2] === 1) {
      member.ready();
    } else {
      fail(`a packet of kind ${kind}: ${body.toString("hex")}`);
    }
  },
};

const speech = { v1: V1, socketio: SOCKETIO, mqtt: MQTT }[protocol];

// A text of MQTT, behind its length.
function field(text) {
  return Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);
}

// A packet of MQTT with less than 128 bytes behind its head.
function packet(kind, ...parts) {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([kind, body.length]), body]);
}

function fail(why) {
  process.stderr.write(`${protocol}: ${why}\n`);
  process.exit(1);
}

function say(sender) {
  const number = ++said;
  const text = `#${String(number).padStart(DIGITS, "0")}`.padEnd(MESSAGE_BYTES, "-");
  live.set(number, { sender, at: performance.now(), isAcknowledged: false, reached: 0 });
  speech.say(sender, number, text);
}

function delivered(bytes) {
  const at = bytes.indexOf(HASH) + 1;
  const message = live.get(Number(bytes.toString("latin1", at, at + DIGITS)));
  if (!message) fail(`an unknown message, or one that came twice: ${bytes}`);
  message.reached += 1;
  latencies?.push(performance.now() - message.at);
  endIfDone(Number(bytes.toString("latin1", at, at + DIGITS)), message);
}

function acknowledged(number) {
  const message = live.get(number);
  if (!message) fail(`an unknown message ${number} is acknowledged`);
  message.isAcknowledged = true;
  endIfDone(number, message);
}

let done = () => {};
function endIfDone(number, message) {
  if (!message.isAcknowledged || message.reached < members.length) return;
  live.delete(number);
  done(message.sender);
}

async function open(count) {
  const began = performance.now();
  let isOpening = 0;
  await new Promise((all) => {
    const next = () => {
      while (members.length < count && isOpening < OPENING_MAX) {
        isOpening += 1;
        members.push(new Member(members.length, () => ((isOpening -= 1), next())));
      }
      if (members.length === count && isOpening === 0) all();
    };
    next();
  });
  return { seconds: (performance.now() - began) / 1000 };
}

async function talk(senders, seconds) {
  const until = performance.now() + seconds * 1000;
  let count = 0;
  await settled((end) => {
    done = (sender) => {
      if (performance.now() < until) (count += 1), say(sender);
      else if (live.size === 0) end();
    };
    chosen(senders).forEach(say);
  }, seconds);
  return { count, rate: count / seconds };
}

async function pace(senders, rate, seconds) {
  const [speakers, total, began] = [chosen(senders), Math.round(rate * seconds), performance.now()];
  const firstOfAll = said;
  latencies = [];
  await settled((end) => {
    done = () => said - firstOfAll === total && live.size === 0 && end();
    const next = () => {
      while (said - firstOfAll < total && performance.now() >= began + ((said - firstOfAll) * 1000) / rate) {
        say(speakers[said % speakers.length]);
      }
      if (said - firstOfAll < total) setTimeout(next, began + ((said - firstOfAll) * 1000) / rate - performance.now());
    };
    next();
  }, seconds);
  const sorted = Float64Array.from(latencies).sort();
  latencies = null;
  const percentile = (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  return { count: total, p50: percentile(0.5), p99: percentile(0.99), max: percentile(1) };
}

// Members that speak, spread evenly.
function chosen(senders) {
  return Array.from({ length: senders }, (_, n) => members[Math.floor(((n + 0.5) * members.length) / senders)]);
}

// Waits until `begin` says that all is done.
function settled(begin, seconds) {
  return new Promise((end) => {
    const late = setTimeout(() => fail(`${live.size} messages have not reached all`), seconds * 1000 + SETTLES_WITHIN);
    begin(() => (clearTimeout(late), end()));
  });
}

const COMMANDS = { open, talk, pace };
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...numbers] = line.split(" ");
  const before = process.cpuUsage();
  const result = await COMMANDS[command](...numbers.map(Number));
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ ...result, cpu: (user + system) / 1e6 }));
}
// No port of ours stays in TIME_WAIT.
for (const member of members) {
  member.socket.removeAllListeners("close");
  member.socket._socket.resetAndDestroy();
}

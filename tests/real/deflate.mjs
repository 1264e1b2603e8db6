// Compression (RFC 7692) between squall, Chromium and the `ws` of node. They are led over a wire that keeps what
// passes, so that it can be seen which messages were compressed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { act, launch, person, serve } from "./stage.mjs";

const { WebSocket } = createRequire(`${process.env.TOOLS}/`)("ws");

// Leads to `port`. `wires` are the WebSockets that came by, each with `answer`, the head of the server's answer, and
// `received()` and `sent()`: the client's frames, without Ping and Pong.
async function tap(port) {
  const wires = [];
  const server = createServer((client) => {
    const squall = connect(port, "127.0.0.1");
    const [up, down] = [[], []];
    const ends = [[client, squall, up], [squall, client, down]];
    for (const [from, to, kept] of ends) {
      from.on("data", (bytes) => kept.push(bytes) && to.write(bytes));
      from.on("end", () => to.end());
      from.on("close", () => to.destroy());
      from.on("error", () => to.destroy());
    }
    squall.once("data", (bytes) => {
      const answer = bytes.toString("latin1");
      if (!answer.startsWith("HTTP/1.1 101 ")) return;
      const path = Buffer.concat(up).toString("latin1").split(" ")[1];
      wires.push({ path, answer, received: () => frames(down), sent: () => frames(up) });
    });
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { base: `http://127.0.0.1:${server.address().port}`, wires, close: () => server.close() };
}

// The whole frames in what one side has sent, behind its head.
function frames(pieces) {
  const bytes = Buffer.concat(pieces);
  const found = [];
  for (let at = bytes.indexOf("\r\n\r\n") + 4; at + 2 <= bytes.length; ) {
    const [first, second] = bytes.subarray(at, at + 2);
    const [form, mask] = [second & 127, second & 128 ? 4 : 0];
    const head = (form < 126 ? 2 : form === 126 ? 4 : 10) + mask;
    if (at + head > bytes.length) break;
    const long = () => (form === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2)));
    const length = form < 126 ? form : long();
    if (at + head + length > bytes.length) break;
    if ((first & 15) < 8) found.push({ opcode: first & 15, compressed: (first & 64) !== 0, length });
    at += head + length;
  }
  return found;
}

const agreed = (wire) => /^sec-websocket-extensions: *permessage-deflate\b/im.test(wire.answer);

const server = await serve();
const port = Number(server.address.split(":")[1]);
const wire = await tap(port);
const browser = await launch();

// A `ws` that remembers what it hears; `next` waits for more of it.
async function dial(path, options = {}) {
  const socket = new WebSocket(wire.base.replace("http", "ws") + path, options);
  const heard = [];
  const waiting = [];
  socket.on("message", (message, binary) => {
    heard.push(binary ? message : message.toString());
    waiting.shift()?.();
  });
  await new Promise((open, failed) => socket.once("open", open).once("error", failed));
  const next = async () => {
    if (heard.length === 0) {
      await new Promise((resolve, reject) => {
        waiting.push(resolve);
        socket.once("close", (code) => reject(new Error(`closed with ${code} instead of an answer`)));
      });
    }
    return heard.shift();
  };
  const until = async (wanted) => {
    while ((await next()) !== wanted);
  };
  return { socket, next, until, wire: wire.wires.at(-1) };
}

async function login(username) {
  const body = new URLSearchParams({ username });
  const answer = await fetch(`${wire.base}/login`, { method: "POST", body, redirect: "manual" });
  return answer.headers.get("set-cookie").split(";")[0];
}

const member = async (name, options) => dial("/chat/", { headers: { Cookie: await login(name) }, ...options });

const series = (length, item) => Array.from({ length }, (_, n) => item(n));
const long = (start) => start + series(400, (n) => `${n % 37} times ${n % 11}`).join(", ").slice(0, 3500).trimEnd();

await act("the `ws` of node: every combination of parameters, each message comes back as it went", async () => {
  const text = series(15_000, (n) => `${(n * 7919) % 1009} 好`).join(" ").slice(0, 100_000);
  const binary = Buffer.from(text, "utf16le").subarray(0, 100_000);
  const sizes = [9, 10, 11, 12, 13, 14, 15];
  const values = [[false, true], [false, true], [undefined, ...sizes], [undefined, true, ...sizes]];
  const offers = values.reduce((sets, some) => sets.flatMap((set) => some.map((one) => [...set, one])), [[]]);
  assert.equal(offers.length, 288);
  for (const offer of offers) {
    const [serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits] = offer;
    const parameters = { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
    const what = JSON.stringify(parameters);
    const { socket, next, wire } = await dial("/echo", { perMessageDeflate: { threshold: 0, ...parameters } });
    assert.ok(agreed(wire), `${what}: declined`);
    for (const message of [text, binary, text]) socket.send(message);
    socket.send(text.slice(0, 40_000), { fin: false });
    socket.send(text.slice(40_000));
    for (const message of [text, binary, text, text]) {
      const came = await next();
      assert.ok(typeof came === "string" ? came === message : binary.equals(came), what);
    }
    const starts = wire.received().filter((frame) => frame.opcode !== 0);
    assert.deepEqual(starts.map((frame) => frame.compressed), [true, true, true, true], what);
    socket.terminate();
  }
});

await act("Chromium, `ws`, and a `ws` that does not compress are in one room", async () => {
  const ada = await person(browser, "Ada");
  const { page } = ada;
  await page.goto(`${wire.base}/login`);
  await page.fill("#username", "Ada");
  await page.click("main form button");
  await page.waitForSelector("#chat[data-state=connected]");
  const chromium = wire.wires.at(-1);
  assert.equal(chromium.path, "/chat/");
  assert.ok(agreed(chromium));
  const ws = await member("ws");
  const plain = await member("plain", { perMessageDeflate: false });
  assert.ok(agreed(ws.wire) && !agreed(plain.wire));
  await ws.until("plain enter room");
  await plain.until("plain enter room");

  const say = async (words) => {
    await page.fill("#text", words);
    await page.press("#text", "Enter");
  };
  const speakers = { ws: (words) => ws.socket.send(words), plain: (words) => plain.socket.send(words), Ada: say };
  const isShown = (words) => [...document.querySelectorAll(".words")].at(-1)?.textContent === words;
  for (const [name, send] of Object.entries(speakers)) {
    const words = long(`${name} says: `);
    await send(words);
    assert.equal(await ws.next(), `${name}:${words}`);
    assert.equal(await plain.next(), `${name}:${words}`);
    await page.waitForFunction(isShown, words);
    for (const compressed of [chromium, ws.wire].map((wire) => wire.received().at(-1))) {
      assert.ok(compressed.compressed && compressed.length < words.length / 2, JSON.stringify(compressed));
    }
    const bytes = Buffer.byteLength(`${name}:${words}`);
    assert.deepEqual(plain.wire.received().at(-1), { opcode: 1, compressed: false, length: bytes });
  }
  assert.ok(chromium.sent().at(-1).compressed && ws.wire.sent().at(-1).compressed, "they compress what they say");

  ws.socket.send("hi");
  assert.equal(await plain.next(), "ws:hi");
  await page.waitForFunction(isShown, "hi");
  assert.deepEqual(ws.wire.received().at(-1), { opcode: 1, compressed: false, length: 5 });
  for (const { socket } of [ws, plain]) socket.terminate();
  await ada.leave();
});

await act("Chromium and /echo: text and binary of 100 KB come back", async () => {
  const ada = await person(browser, "Ada");
  await ada.page.goto(`${wire.base}/`);
  const { extensions, equal } = await ada.page.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/echo`);
    socket.binaryType = "arraybuffer";
    const next = (event) =>
      new Promise((happened, gone) => Object.assign(socket, { [event]: happened, onclose: gone }));
    await next("onopen");
    const text = Array.from({ length: 20_000 }, (_, n) => (n * 7919) % 1009).join("|").slice(0, 100_000);
    const bytes = new TextEncoder().encode(text).map((byte, at) => byte ^ (at >> 8));
    const equal = [];
    for (const message of [text, bytes, text, "", bytes]) {
      socket.send(message);
      const { data } = await next("onmessage");
      equal.push(typeof message === "string" ? data === message : String(new Uint8Array(data)) === String(message));
    }
    return { extensions: socket.extensions, equal };
  });
  assert.match(extensions, /^permessage-deflate/);
  assert.deepEqual(equal, [true, true, true, true, true]);
  const seen = wire.wires.at(-1).received().filter((frame) => frame.length > 1);
  assert.deepEqual(seen.map((frame) => frame.compressed), [true, true, true, true]);
  await ada.leave();
});

await browser.close();
await server.stop();
wire.close();

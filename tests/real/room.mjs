// The chat page by itself: what scrolls and what does not, what is printed, colours of names, messages that are too
// long, and what is left without JavaScript.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { act, isIn, launch, logIn, person, say, says, scratch, serve, states } from "./stage.mjs";

const { WebSocket } = createRequire(`${process.env.TOOLS}/`)("ws");
const SIZES = [[1280, 800], [390, 844], [844, 390], [320, 256], [256, 205]]; // the last two are 400 % and 500 % of zoom
const LINES = 60;

const browser = await launch();
const server = await serve({ flags: ["--message-rate", "0"] });
const { base } = server;
const ada = await person(browser, "Ada");
const { page } = ada;
await logIn(page, base, "Ada");
const lines = Array.from({ length: LINES }, (_, n) => `line ${n + 1}`);
for (const line of lines) await say(page, line);
await says(page, lines.at(-1));

// Somebody who comes in without a browser, says one thing and leaves.
async function sayAs(name, words) {
  const login = await fetch(`${base}/login`, { method: "POST", body: new URLSearchParams({ username: name }), redirect: "manual" });
  const socket = new WebSocket(`${base.replace("http", "ws")}/chat/`, { headers: { cookie: login.headers.get("set-cookie").split(";")[0] } });
  await new Promise((open, failed) => socket.on("open", open).on("error", failed));
  socket.send(words);
  socket.close();
}

// What scrolls although it should not, and what is cut off. The page follows a new size of its window a moment later.
async function faults() {
  for (let tries = 0; ; tries++) {
    const found = await look();
    if (!found.length || tries === 20) return found;
    await page.waitForTimeout(100);
  }
}

const look = () =>
  page.evaluate(() => {
    const found = [];
    scrollTo(0, 9999);
    if (scrollY) found.push(`the page scrolls by ${scrollY}`);
    const root = document.documentElement;
    if (root.scrollHeight > innerHeight) found.push(`the page is ${root.scrollHeight} pixels high, not ${innerHeight}`);
    if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} pixels wide, not ${innerWidth}`);
    for (const one of document.querySelectorAll("body, main, #chat, .past")) {
      one.scrollTop = 9999;
      if (one.scrollTop) found.push(`${one.id || one.className} scrolls by ${one.scrollTop}`);
    }
    const log = document.querySelector("#log");
    if (log.scrollHeight <= log.clientHeight) found.push("the log does not scroll");
    if (log.clientHeight < 32) found.push(`the log is ${log.clientHeight} pixels high`);
    for (const one of document.querySelectorAll("#text, #say button, #state, .bar a, .bar button")) {
      const box = one.getBoundingClientRect();
      const isSeen = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
      if (!isSeen) found.push(`${one.id || one.textContent} is at ${Object.values(box.toJSON()).map(Math.round)}`);
    }
    return found;
  });

await act("nothing but the log scrolls, at any size and with any draft", async () => {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    for (const draft of ["", "one\n".repeat(12), "x".repeat(4200)]) {
      await page.fill("#text", draft);
      assert.deepEqual(await faults(), [], `${width} x ${height}, ${draft.length} letters`);
    }
    await page.fill("#text", "");
  }
});

await act("the wheel over the box, Space, Page Down and the skip link leave the page where it is", async () => {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    const where = async (what) => assert.deepEqual(await page.evaluate(() => [scrollX, scrollY]), [0, 0], `${what} at ${width}`);
    await page.hover("#text");
    await page.mouse.wheel(0, 3000);
    await page.waitForTimeout(100);
    await where("the wheel");
    await page.evaluate(() => document.activeElement.blur());
    for (const key of ["Space", "PageDown", "End"]) await page.keyboard.press(key);
    await page.waitForTimeout(200);
    await where("Space");
    await page.focus(".skip");
    await page.keyboard.press("Enter");
    await where("the skip link");
    // The log itself does scroll.
    await page.focus("#log");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector("#log").scrollTop < 48);
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.querySelector("#newer").hidden);
  }
});

await act("what is printed is the whole conversation and nothing else, wherever it was scrolled to", async () => {
  for (const [scheme, scrolled] of [["light", 0], ["dark", 99999]]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.evaluate((top) => (document.querySelector("#log").scrollTop = top), scrolled);
    const file = join(scratch, `${scheme}.pdf`);
    writeFileSync(file, await page.pdf({ format: "A5" }));
    const printed = execFileSync("pdftotext", ["-layout", file, "-"]).toString();
    const there = new Set(printed.split(/[\n\f]/).map((line) => line.trim()));
    const missing = lines.filter((line) => !there.has(line));
    assert.deepEqual(missing, [], scheme);
    for (const word of ["Log out", "Send", "Connected"]) assert.ok(!printed.includes(word), `${word} is printed`);
    const pages = printed.split("\f").slice(0, -1);
    assert.ok(pages.length > 1 && pages.every((text) => text.trim()), "a blank page");
  }
  await page.emulateMedia({ colorScheme: null });
});

await act("names that look alike have colours that do not", async () => {
  const sets = [
    (n) => `user${n}`,
    (n) => `${n}user`,
    (n) => "ABCDEFGHI"[n],
    (n) => `用户${"一二三四五六七八九"[n]}`,
    (n) => `guest-0000${n}`,
  ];
  for (const name of sets) {
    const names = [1, 2, 3, 4, 5, 6, 7, 8].map(name);
    const colours = new Set();
    for (const one of names) {
      await sayAs(one, `I am ${one}`);
      await says(page, `I am ${one}`);
      const initial = page.locator(".message", { has: page.locator(".from", { hasText: one }) }).last().locator(".initial");
      colours.add(await initial.evaluate((initial) => getComputedStyle(initial).backgroundColor));
    }
    // By chance eight names have 6.9 of 24 colours on the average.
    assert.ok(colours.size >= 6, `${names} have ${colours.size} colours`);
  }
});

await act("what is too long is counted in letters, and Send says why it does nothing", async () => {
  await page.setViewportSize({ width: 900, height: 600 });
  const send = page.locator("#say button");
  await page.waitForTimeout(1_100); // what was announced before
  await page.fill("#text", "a".repeat(4098));
  await page.waitForSelector("#heard:has-text('Too long to send')", { state: "attached" });
  await page.fill("#text", "");
  const reason = () => send.evaluate((send) => document.getElementById(send.getAttribute("aria-describedby"))?.textContent);
  for (const [words, letters] of [
    ["a".repeat(4097), 1],
    ["a".repeat(4106), 10],
    ["好".repeat(1366), 1], // 3 bytes each
    ["👋".repeat(1026), 2], // 4 bytes each
    [`${"a".repeat(4090)}👨‍👩‍👧‍👦`, 1], // one letter of 25 bytes
    ["a".repeat(100_000), 95_904],
  ]) {
    await page.fill("#text", words);
    assert.equal(await reason(), `Too long to send. Letters to take out: ${letters}`);
    assert.equal(await send.getAttribute("aria-disabled"), "true");
    await page.press("#text", "Enter");
    await send.click({ force: true });
    assert.equal(await page.inputValue("#text"), words);
    await page.fill("#text", words.endsWith("👦") ? words.slice(0, 4090) : [...words].slice(0, -letters).join(""));
    assert.equal(await send.getAttribute("aria-disabled"), "false");
  }
  await page.fill("#text", "好".repeat(1300));
  assert.equal(await reason(), "Letters left: about 65");
  await page.fill("#text", "");
  assert.match(await reason(), /^Enter sends/);
});

await act("without JavaScript nothing promises a connection or a Send that works", async () => {
  for (const [locale, notice] of [["en-US", "The chat needs JavaScript."], ["zh-CN", "聊天需要 JavaScript。"]]) {
    const joan = await person(browser, `Joan-${locale}`, { javaScriptEnabled: false, locale });
    await joan.page.goto(`${base}/login`);
    await joan.page.fill("#username", joan.name);
    await joan.page.click("main form button");
    await joan.page.waitForURL(`${base}/chat/`);
    assert.match(await joan.page.innerText("main"), new RegExp(`^\\S+( room)?\\s+${notice}$`));
    for (const control of await joan.page.locator("main :is(button, textarea, a)").all()) assert.ok(!(await control.isVisible()));
    await joan.leave();
  }
});

await act("what is sent without a connection waits, says so, and goes out once when it is back", async () => {
  ada.expected = /ERR_CONNECTION_(REFUSED|RESET)|WebSocket connection to .* failed|ERR_INTERNET_DISCONNECTED/;
  await ada.context.setOffline(true);
  await isIn(page, "waiting");
  await states(page, /^Connection lost/);
  assert.match(await page.textContent("#hint"), /^Not connected: messages are sent when the connection is back/);
  await say(page, "said offline");
  await page.locator("#outbox .words", { hasText: "said offline" }).waitFor();
  assert.equal(await page.textContent("#outbox .meta"), "Sending…");
  await page.fill("#text", "kept");
  await page.setViewportSize({ width: 320, height: 256 });
  assert.deepEqual(await faults(), []);
  await ada.context.setOffline(false);
  await isIn(page, "connected");
  await says(page, "said offline");
  assert.equal(await page.locator(".message", { hasText: "said offline" }).count(), 1);
  assert.equal(await page.inputValue("#text"), "kept");
});

await ada.leave();
await server.stop();
await browser.close();

// Rooms that change without loading the page: what goes with the room, what stays behind in it, and where back, forward
// and reload lead.

import assert from "node:assert/strict";
import { act, isIn, launch, logIn, member, person, say, says, serve } from "./stage.mjs";

const browser = await launch();
const server = await serve({ flags: ["--message-rate", "0"] });
const { base } = server;
const ada = await person(browser, "Ada", { viewport: { width: 1280, height: 800 } });
const grace = await person(browser, "Grace");
const { page } = ada;
await logIn(page, base, "Ada");
await logIn(grace.page, base, "Grace");
// A page that is loaded again forgets this.
await page.evaluate(() => (globalThis.isSame = true));

const room = (name) => page.locator("#room-list a", { hasText: name });
const texts = () => page.locator("#lines .message .words").allTextContents();
const isSame = async () => assert.ok(await page.evaluate(() => globalThis.isSame === true), "the page was loaded again");

async function isAt(name) {
  await page.waitForFunction((name) => document.querySelector("#room-name").textContent === name, name);
  await isIn(page, "connected");
  const path = name === "lobby" ? "/chat/" : `/chat/?room=${encodeURIComponent(name)}`;
  const { href } = new URL(path, base);
  assert.deepEqual([page.url(), await page.title()], [href, `${name} · squall`]);
  assert.equal(await page.getAttribute("#again", "href"), `/login?next=${encodeURIComponent(path)}`);
  assert.equal(await room(name).getAttribute("aria-current"), "page");
  assert.equal(await page.locator("#room-list [aria-current]").count(), 1);
}

await act("the form for another room makes it in place, with its own members and messages", async () => {
  await say(page, "said in the lobby");
  await says(grace.page, "said in the lobby");
  await member(page, "Grace");
  await page.fill("#text", "a draft for the lobby");
  await page.fill("#room", "设计-1");
  await page.press("#room", "Enter");
  await isAt("设计-1");
  await page.waitForFunction(() => document.querySelectorAll("#member-list .member").length === 1);
  assert.deepEqual(await texts(), []);
  assert.equal(await page.inputValue("#text"), "");
  assert.ok(await page.evaluate(() => document.activeElement.id === "text"));
  await page.waitForSelector('#heard:has-text("设计-1")', { state: "attached" });
  await say(page, "said in the other room");
  await says(page, "said in the other room");
  await grace.page.waitForFunction(() => !document.querySelector("#member-list").textContent.includes("Ada"));
  await isSame();
});

await act("what is said in the room that was left is not shown in the other one, and counts as unread there", async () => {
  await say(grace.page, "nobody of the other room sees this");
  await says(grace.page, "nobody of the other room sees this");
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.waitForFunction(() => document.querySelector('#room-list a.unread[href="/chat/"]'), null, { timeout: 40_000, polling: 500 });
  assert.deepEqual(await texts(), ["said in the other room"]);
});

await act("a click on a room, back and forward lead to the rooms, with their drafts and the mark of what is new", async () => {
  await page.fill("#text", "a draft for the other");
  await room("lobby").click();
  await isAt("lobby");
  await says(page, "nobody of the other room sees this");
  assert.equal(await page.inputValue("#text"), "a draft for the lobby");
  assert.equal(await page.locator("#lines .marker + .message .words").textContent(), "nobody of the other room sees this");
  await page.goBack();
  await isAt("设计-1");
  await says(page, "said in the other room");
  assert.equal(await page.inputValue("#text"), "a draft for the other");
  await page.goForward();
  await isAt("lobby");
  await says(page, "said in the lobby");
  await page.fill("#text", "");
  await isSame();
  await page.reload();
  await isAt("lobby");
  await page.evaluate(() => (globalThis.isSame = true));
});

await act("going from room to room at once shows the last one only, with one connection", async () => {
  const names = ["one", "two", "three"];
  for (const name of names) {
    await page.fill("#room", name);
    await page.press("#room", "Enter");
    await isAt(name);
    await say(page, `this is ${name}`);
    await says(page, `this is ${name}`);
  }
  ada.expected = /WebSocket is closed before the connection is established/;
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket));
  await page.evaluate(() => {
    for (const name of ["one", "two", "three", "one", "two"]) document.querySelector(`#room-list a[href="/chat/?room=${name}"]`).click();
  });
  await isAt("two");
  await says(page, "this is two");
  await page.waitForTimeout(500);
  assert.deepEqual(await texts(), ["this is two"]);
  assert.deepEqual(sockets.filter((socket) => !socket.isClosed()).map((socket) => new URL(socket.url()).searchParams.get("room")), ["two"]);
  for (let n = 0; n < 5; n++) await page.goBack();
  await isAt("three");
  await says(page, "this is three");
  assert.deepEqual(await texts(), ["this is three"]);
  await isSame();
});

await act("a message that waits in a room is sent there, once, when the room is entered again", async () => {
  ada.expected = /ERR_INTERNET_DISCONNECTED|WebSocket connection to .* failed/;
  await ada.context.setOffline(true);
  await isIn(page, "waiting");
  await say(page, "waits in three");
  await room("lobby").click();
  assert.deepEqual(await page.locator("#outbox .words").allTextContents(), []);
  await say(page, "waits in the lobby");
  await ada.context.setOffline(false);
  await isAt("lobby");
  await says(grace.page, "waits in the lobby");
  await page.goBack();
  await isAt("three");
  await says(page, "waits in three");
  await page.locator("#outbox .words").waitFor({ state: "detached" });
  assert.deepEqual(await texts(), ["this is three", "waits in three"]);
  assert.equal(await grace.page.locator(".message", { hasText: "waits in three" }).count(), 0);
  await isSame();
});

await act("older pages of one room do not come into the next, and the view begins at its end", async () => {
  for (let n = 1; n <= 80; n++) await say(page, `line ${n}`);
  await says(page, "line 80");
  await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
  await room("lobby").click();
  await isAt("lobby");
  await says(page, "waits in the lobby");
  await room("three").click();
  await isAt("three");
  await says(page, "line 80");
  await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
  await page.locator("#beginning").waitFor();
  const all = await texts();
  assert.deepEqual([all.length, all[0], all.at(-1)], [82, "this is three", "line 80"]);
});

await act("with a key or the middle button a room opens in a window of its own", async () => {
  for (const how of [{ modifiers: ["Control"] }, { button: "middle" }]) {
    const [window] = await Promise.all([ada.context.waitForEvent("page"), room("lobby").click(how)]);
    await isIn(window, "connected");
    assert.equal(await window.textContent("#room-name"), "lobby");
    await window.close();
    await isAt("three");
  }
});

await act("on a phone the list closes when a room is chosen, and the keyboard stays away", async () => {
  const ida = await person(browser, "Ida", { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  await logIn(ida.page, base, "Ida");
  await ida.page.click("#rooms-toggle");
  await ida.page.locator("#room-list a", { hasText: "three" }).click();
  await ida.page.waitForFunction(() => document.querySelector("#room-name").textContent === "three");
  await isIn(ida.page, "connected");
  assert.ok(!(await ida.page.locator("#rooms").isVisible()));
  assert.equal(await ida.page.evaluate(() => document.activeElement.id), "log");
  await ida.leave();
});

await ada.leave();
await grace.leave();
await server.stop();
await browser.close();

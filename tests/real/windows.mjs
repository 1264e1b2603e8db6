// Several windows of one browser, and paths that die without a word: what a page does that is told of neither.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { act, isIn, launch, logIn, notice, person, say, says, serve, states } from "./stage.mjs";

const REFUSED = /status of 401|Unexpected response code: 401|WebSocket connection to .* failed/;
const browser = await launch();
const server = await serve();
const { base } = server;
const grace = await person(browser, "Grace");
await logIn(grace.page, base, "Grace");

const unsent = (page) => page.locator("#outbox .words").allTextContents();
const shows = async (page, name) => page.waitForFunction((name) => document.querySelector("#user").textContent === name, name);

// Another window of somebody's browser, at the login form.
async function typesName(window, name, next = "") {
  await window.goto(`${base}/login${next && `?next=${next}`}`);
  await window.fill("#username", name);
  await window.click("main form button");
}

// Leads to the server until `swallow` is said: from then on nothing passes, on any connection (or, in one `direction`
// only, on those that are open), and nothing is closed.
async function path() {
  const open = new Set();
  let isSwallowing = false;
  const door = createServer((client) => {
    const squall = connect(new URL(base).port, "127.0.0.1");
    const wire = { up: true, down: true, cut: () => (client.resetAndDestroy(), squall.destroy()) };
    open.add(wire);
    if (isSwallowing) wire.up = wire.down = false;
    client.on("data", (bytes) => wire.up && squall.write(bytes));
    squall.on("data", (bytes) => wire.down && client.write(bytes));
    for (const [one, other] of [[client, squall], [squall, client]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => wire.up && wire.down && other.destroy());
    }
  });
  await new Promise((listening) => door.listen(0, "127.0.0.1", listening));
  return {
    base: `http://127.0.0.1:${door.address().port}`,
    swallow(directions = ["up", "down"], newOnes = true) {
      isSwallowing = newOnes;
      for (const wire of open) for (const direction of directions) wire[direction] = false;
    },
    // All connections are reset, new ones pass.
    cut() {
      for (const wire of open) wire.cut();
    },
    // New connections pass again, the old ones are reset.
    heal() {
      isSwallowing = false;
      for (const wire of open) if (!wire.down) wire.cut();
    },
    close() {
      door.close();
      for (const wire of open) wire.cut();
    },
  };
}

// ---- Several windows ----

for (const [path, other] of [["/chat/", "Byron"], ["/search", "Lamb"], ["/login", "Milbanke"]]) {
  await act(`a login under another name, from ${path}, is followed at once by the chat in another window`, async () => {
    const ada = await person(browser, "Ada");
    await logIn(ada.page, base, "Ada");
    const window = await ada.context.newPage();
    await typesName(window, other, path === "/login" ? "/sleep?seconds=0" : path);
    await shows(ada.page, other);
    await isIn(ada.page, "connected");
    await notice(grace.page, other, "came in");
    await say(ada.page, `said after ${path}`);
    await grace.page.waitForSelector(`.message:has-text("said after ${path}")`);
    const authors = await grace.page.locator(".message .from").allTextContents();
    assert.equal(authors.at(-1), other);
    assert.equal(await ada.page.locator(".notice", { hasText: `You are ${other} now` }).count(), 1);
    await ada.leave();
  });
}

await act("a logout in one window ends the chat in the other, and a new login brings it back", async () => {
  const ada = await person(browser, "Ada");
  await logIn(ada.page, base, "Ada");
  const window = await ada.context.newPage();
  await window.goto(`${base}/search`);
  ada.expected = REFUSED;
  await ada.page.fill("#text", "half a word");
  const kept = () => window.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("squall-draft")));
  for (let tries = 0; tries < 50 && !(await kept()).length; tries++) await window.waitForTimeout(50);
  await window.click('form[action="/logout"] button');
  await window.waitForURL(`${base}/`);
  assert.deepEqual(await kept(), [], "a draft is left");
  await isIn(ada.page, "gone");
  await notice(grace.page, "Ada", "left");
  await ada.page.press("#text", "Enter");
  assert.equal(await ada.page.inputValue("#text"), "half a word");
  // The next login is followed, too.
  await typesName(window, "Countess");
  await isIn(ada.page, "connected");
  await ada.page.press("#text", "Enter");
  await says(grace.page, "half a word");
  await ada.leave();
});

await act("a login that no page tells of is noticed before anything else is said", async () => {
  const ada = await person(browser, "Ada");
  await logIn(ada.page, base, "Ada");
  // A page of the owner's own, or a script: nothing of ours is loaded.
  await ada.context.request.post(`${base}/login`, { form: { username: "Lovelace", next: "/plaintext" } });
  await ada.page.fill("#text", "who says this?");
  await ada.page.evaluate(() => {
    dispatchEvent(new Event("focus"));
    document.querySelector("#say button").click();
  });
  await shows(ada.page, "Lovelace");
  // Under which name it goes out is for its author to say.
  await ada.page.click("#outbox button:has-text('Send')");
  await says(grace.page, "who says this?");
  const authors = await grace.page.locator(".message .from").allTextContents();
  assert.equal(authors.at(-1), "Lovelace");
  await ada.leave();
});

await act("a second window under the same name changes nothing, and neither does a focus", async () => {
  const ada = await person(browser, "Ada");
  await logIn(ada.page, base, "Ada");
  const window = await ada.context.newPage();
  await window.goto(`${base}/chat/`);
  await isIn(window, "connected");
  for (let n = 0; n < 3; n++) {
    await ada.page.evaluate(() => dispatchEvent(new Event("focus")));
    await say(ada.page, `focused ${n}`);
    await ada.page.waitForTimeout(1_100);
  }
  for (const page of [ada.page, window, grace.page]) {
    for (let n = 0; n < 3; n++) assert.equal(await page.locator(".message", { hasText: `focused ${n}` }).count(), 1);
  }
  assert.equal(await ada.page.locator(".notice:has-text('Ada')").count(), 0);
  assert.deepEqual(await unsent(ada.page), []);
  await ada.leave();
});

// ---- Paths that die ----

await act("a path that swallows everything is noticed by its speaker, whose messages arrive after a reload, once and in order", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  ada.expected = /WebSocket|ERR_/;
  await logIn(ada.page, way.base, "Ada");
  await say(ada.page, "this one arrives");
  await says(grace.page, "this one arrives");
  way.swallow();
  const began = Date.now();
  const words = ["first, not stored", "second\nin two lines", "x".repeat(3000), "y".repeat(3000)];
  for (const one of words) await say(ada.page, one);
  await isIn(ada.page, "waiting");
  const took = Date.now() - began;
  assert.ok(took < 14_000, `it took ${took} ms`);
  assert.deepEqual(await unsent(ada.page), words);
  assert.equal(await ada.page.inputValue("#text"), "");
  way.heal();
  await ada.page.reload();
  await isIn(ada.page, "connected");
  for (const { page } of [ada, grace]) {
    await says(page, words.at(-1));
    const said = await page.locator("#lines .message .words").allTextContents();
    assert.deepEqual(said.filter((one) => words.includes(one)), words);
  }
  assert.deepEqual(await unsent(ada.page), []);
  await ada.leave();
  way.close();
});

await act("a path that is dead in one direction is replaced without a word, and nothing is said twice", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  await logIn(ada.page, way.base, "Ada");
  way.swallow(["up"], false);
  await say(ada.page, "into the void");
  await says(grace.page, "into the void");
  await isIn(ada.page, "connected");
  await say(ada.page, "through the new one");
  await says(grace.page, "through the new one");
  assert.equal(await grace.page.locator(".message", { hasText: "into the void" }).count(), 1);
  assert.equal(await ada.page.locator(".notice:has-text('Ada')").count(), 0);
  await ada.leave();
  way.close();
});

await act("an answer that got lost is made up for: what was stored is not sent to the others again", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  await logIn(ada.page, way.base, "Ada");
  way.swallow(["down"], false);
  await say(ada.page, "stored, but who knows");
  await says(grace.page, "stored, but who knows");
  assert.deepEqual(await unsent(ada.page), ["stored, but who knows"]);
  await says(ada.page, "stored, but who knows");
  assert.deepEqual(await unsent(ada.page), []);
  for (const { page } of [ada, grace]) assert.equal(await page.locator(".message", { hasText: "stored, but" }).count(), 1);
  await ada.leave();
  way.close();
});

// Puts messages into the outbox of a page, as if they had been written then.
const leaveUnsent = (page, words, minutes) =>
  page.evaluate(
    ([words, at]) => {
      for (const [n, text] of words.entries()) {
        const nonce = crypto.randomUUID().replaceAll("-", "");
        localStorage.setItem(`squall-outbox:lobby:${nonce}`, JSON.stringify({ text, at: at + n, from: "Ada", why: "" }));
      }
    },
    [words, Date.now() - minutes * 60_000],
  );

await act("what is older than ten minutes is not sent by itself: its author sends or discards it", async () => {
  const ada = await person(browser, "Ada");
  await logIn(ada.page, base, "Ada");
  await leaveUnsent(ada.page, ["too old", "too old, too"], 11);
  await ada.page.reload();
  await isIn(ada.page, "connected");
  await ada.page.locator("#outbox .problem", { hasText: "more than ten minutes old" }).first().waitFor();
  assert.deepEqual(await unsent(ada.page), ["too old", "too old, too"]);
  await ada.page.locator("#outbox li").last().getByText("Discard").click();
  await ada.page.locator("#outbox li").first().getByText("Send", { exact: true }).click();
  for (const { page } of [ada, grace]) await says(page, "too old");
  assert.deepEqual(await unsent(ada.page), []);
  await ada.page.reload();
  await isIn(ada.page, "connected");
  assert.deepEqual(await unsent(ada.page), []);
  assert.equal(await grace.page.locator(".message", { hasText: "too old" }).count(), 1);
  await ada.leave();
});

await act("fifty messages that are not stored are the most: the next one stays in the box, and Send says why", async () => {
  const ada = await person(browser, "Ada", { viewport: { width: 320, height: 256 } });
  const { page } = ada;
  await logIn(page, base, "Ada");
  const words = Array.from({ length: 50 }, (_, n) => `lost ${n}`);
  await leaveUnsent(page, words, 60);
  await page.reload();
  await isIn(page, "connected");
  await page.locator("#outbox .problem").last().waitFor();
  assert.deepEqual(await unsent(page), words);
  await page.fill("#text", "one more");
  await page.press("#text", "Enter");
  assert.equal(await page.inputValue("#text"), "one more");
  assert.match(await page.textContent("#hint"), /^50 messages are not stored yet/);
  assert.equal(await page.getAttribute("#send", "aria-disabled"), "true");
  assert.equal(await page.evaluate(() => document.documentElement.scrollHeight - innerHeight), 0);
  await page.locator("#outbox li").last().getByText("Discard").click();
  await page.press("#text", "Enter");
  await says(grace.page, "one more");
  assert.equal(await page.inputValue("#text"), "");
  await ada.leave();
});

await act("a cut of less than three seconds is not worth a word", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  ada.expected = /WebSocket|ERR_/;
  await logIn(ada.page, way.base, "Ada");
  await ada.page.evaluate(() => {
    globalThis.said = new Set();
    const note = () => said.add(document.querySelector("#state").textContent).add(document.querySelector("#heard").textContent);
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  way.cut();
  await isIn(ada.page, "waiting");
  await isIn(ada.page, "connected");
  await ada.page.waitForTimeout(1_200);
  assert.deepEqual(await ada.page.evaluate(() => [...said].filter(Boolean).sort()), ["Connected", "Connecting…"]);
  await ada.leave();
  way.close();
});

await act("a connection that is cut again and again is said", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  ada.expected = /WebSocket|ERR_/;
  await logIn(ada.page, way.base, "Ada");
  for (let cuts = 0; cuts < 4; cuts++) {
    await isIn(ada.page, "connected");
    way.cut();
    await isIn(ada.page, "waiting");
  }
  await states(ada.page, /^Connection lost/);
  await isIn(ada.page, "connected");
  await ada.leave();
  way.close();
});

await act("a page that was hidden for half a minute trusts no connection: it connects anew when it is shown", async () => {
  const way = await path();
  const ada = await person(browser, "Ada");
  ada.expected = /WebSocket|ERR_/;
  await ada.page.clock.install();
  await logIn(ada.page, way.base, "Ada");
  const hide = (isHidden) =>
    ada.page.evaluate((isHidden) => {
      Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  way.swallow(["up", "down"], false); // the old connection is dead, and nobody has said so
  await say(grace.page, "said in the night");
  await ada.page.clock.runFor(31_000);
  assert.equal(await ada.page.getAttribute("#chat", "data-state"), "connected");
  await hide(false);
  await ada.page.clock.runFor(200);
  await says(ada.page, "said in the night");
  await ada.leave();
  way.close();
});

// Time is played: a page that only listens looks after itself once a minute.
await act("a listener on a dead path notices within 75 seconds, one in a quiet room stays where it is", async () => {
  const way = await path();
  const [ada, ida] = [await person(browser, "Ada"), await person(browser, "Ida")];
  let dialled = 0;
  ada.expected = /WebSocket|ERR_/;
  ida.page.on("websocket", () => (dialled += 1));
  for (const { page } of [ada, ida]) await page.clock.install();
  await logIn(ada.page, way.base, "Ada");
  await logIn(ida.page, base, "Ida");
  way.swallow();
  for (let seconds = 0; seconds < 75; seconds += 5) {
    for (const { page } of [ada, ida]) await page.clock.runFor(5_000);
    await ida.page.waitForTimeout(50);
  }
  assert.notEqual(await ada.page.getAttribute("#chat", "data-state"), "connected");
  assert.equal(await ida.page.getAttribute("#chat", "data-state"), "connected");
  assert.ok(dialled <= 3, `an idle page has dialled ${dialled} times in 75 s`);
  way.heal();
  await ada.page.clock.runFor(40_000);
  await isIn(ada.page, "connected");
  // The name has been there all the time.
  assert.equal(await ida.page.locator(".notice:has-text('Ida left')").count(), 0);
  assert.equal(await grace.page.locator(".notice:has-text('Ida came in')").count(), 1);
  await ada.leave();
  await ida.leave();
  way.close();
});

await grace.leave();
await server.stop();
await browser.close();

// The history in the chat page: what was missed comes once and in order, what is deleted goes, and hostile text stays
// text. And what surrounds it: rooms, members, names, markers.

import assert from "node:assert/strict";
import { act, isIn, launch, logIn, member, notice, person, say, says, serve, states } from "./stage.mjs";

const LOST = /ERR_CONNECTION_(REFUSED|RESET)|WebSocket connection to .* failed|ERR_INTERNET_DISCONNECTED/;
const browser = await launch();
const server = await serve({ flags: ["--message-rate", "0"] });
const { base } = server;
const ada = await person(browser, "Ada");
const grace = await person(browser, "Grace");
await logIn(ada.page, base, "Ada");
await logIn(grace.page, base, "Grace");

const texts = (page) => page.locator("#lines .message .words").allTextContents();
const message = (page, words) => page.locator("#lines .message", { hasText: words });
// As if another program had the screen.
const hide = (page, isHidden) =>
  page.evaluate((isHidden) => {
    for (const [key, value] of Object.entries({ hidden: isHidden, visibilityState: isHidden ? "hidden" : "visible" }))
      Object.defineProperty(document, key, { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);

await act("whoever is offline for ten seconds gets the thirty messages of that time, once and in order", async () => {
  ada.expected = LOST;
  await say(ada.page, "before");
  await says(ada.page, "before");
  await ada.context.setOffline(true);
  await isIn(ada.page, "waiting");
  const began = Date.now();
  const missed = Array.from({ length: 30 }, (_, n) => `missed ${n + 1}`);
  for (const words of missed) await say(grace.page, words);
  await say(ada.page, "written offline");
  await ada.page.waitForTimeout(10_000 - (Date.now() - began));
  await ada.context.setOffline(false);
  await isIn(ada.page, "connected");
  await says(grace.page, "written offline");
  await says(ada.page, "written offline");
  for (const { page } of [ada, grace]) {
    const all = await texts(page);
    assert.deepEqual(all.slice(all.indexOf("before")), ["before", ...missed, "written offline"]);
  }
  ada.expected = null;
});

await act("three cuts in a row lose nothing and double nothing", async () => {
  ada.expected = LOST;
  for (const n of [1, 2, 3]) {
    await ada.context.setOffline(true);
    await isIn(ada.page, "waiting");
    await say(grace.page, `cut ${n}`);
    await ada.context.setOffline(false);
    await isIn(ada.page, "connected");
    await says(ada.page, `cut ${n}`);
  }
  assert.deepEqual((await texts(ada.page)).slice(-3), ["cut 1", "cut 2", "cut 3"]);
  ada.expected = null;
});

await act("a deleted message disappears in both windows, for whoever was away, and for whoever comes later", async () => {
  const ida = await person(browser, "Ida");
  ida.expected = LOST;
  await logIn(ida.page, base, "Ida");
  await say(ada.page, "a secret of mine");
  await message(ada.page, "a secret of mine").getByRole("img", { name: "Stored" }).waitFor();
  for (const { page } of [ada, grace, ida]) await says(page, "a secret of mine");
  await ida.context.setOffline(true);
  await isIn(ida.page, "waiting");
  // Others' messages have no button.
  assert.equal(await message(grace.page, "a secret of mine").locator("button").count(), 0);
  const id = await message(ada.page, "a secret of mine").getAttribute("data-id");
  const button = ada.page.locator(`[data-id="${id}"] button`);
  await button.click();
  assert.equal(await button.textContent(), "Really delete?");
  await button.click();
  for (const { page } of [ada, grace]) {
    await page.locator(`[data-id="${id}"].deleted`).waitFor();
    assert.equal(await page.textContent(`[data-id="${id}"] .words`), "Message deleted");
  }
  await ida.context.setOffline(false);
  await ida.page.locator(`[data-id="${id}"].deleted`).waitFor();
  const late = await ada.context.newPage();
  await late.goto(`${base}/chat/`);
  await late.locator(`[data-id="${id}"].deleted`).waitFor();
  for (const page of [ada.page, grace.page, ida.page, late]) {
    assert.ok(!(await page.content()).includes("a secret of mine"), `the text is still in ${page.url()}`);
  }
  await late.close();
  await ida.leave();
});

await act("an own message is deleted with the keyboard alone", async () => {
  for (const words of ["first", "second", "third"]) await say(ada.page, words);
  await says(ada.page, "third");
  await ada.page.focus("#text");
  await ada.page.keyboard.press("Shift+Tab");
  const focused = () => ada.page.evaluate(() => document.activeElement.closest(".message")?.querySelector(".words").textContent);
  assert.equal(await focused(), "third");
  await ada.page.keyboard.press("ArrowUp");
  assert.equal(await focused(), "second");
  await ada.page.keyboard.press("Enter");
  await ada.page.keyboard.press("Enter");
  await message(grace.page, "second").waitFor({ state: "detached" });
  assert.deepEqual((await texts(grace.page)).slice(-3), ["first", "Message deleted", "third"]);
});

await act("markup, a javascript: link and a right-to-left override are harmless text", async () => {
  const hostile = [
    `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`,
    "javascript:document.title='owned'",
    "data:text/html,<b>x</b> and [x](javascript:alert(1))",
    "`<b>` and ```<i>```",
  ];
  for (const words of hostile) await say(ada.page, words);
  await say(ada.page, "abc\u202egpj.exe\u2069\u202c");
  await say(ada.page, "safe https://example.org/a?b=c&d#e, and http://example.org/\u202efdp.");
  await says(grace.page, "safe https://example.org");
  for (const { page } of [ada, grace]) {
    for (const words of hostile.slice(0, 3)) await message(page, words).waitFor();
    assert.equal(await page.locator("#lines :is(img, script, b, i)").count(), 0);
    const links = await page.locator("#lines a").evaluateAll((all) => all.map(({ href, rel }) => [href, rel]));
    const rel = "noopener noreferrer nofollow";
    assert.deepEqual(links, [["https://example.org/a?b=c&d#e", rel], ["http://example.org/fdp", rel]]);
    assert.ok((await texts(page)).includes("abcgpj.exe"));
    assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(await page.innerText("#lines")));
    assert.match(await page.title(), /^lobby/);
  }
});

await act("nothing is sent or completed while an input method composes, in Safari's order neither", async () => {
  await grace.page.fill("#text", "nihao");
  await grace.page.evaluate(() => {
    const box = document.querySelector("#text");
    const key = (key, more) => box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
    const compose = (type) => box.dispatchEvent(new CompositionEvent(type, { data: "你好", bubbles: true }));
    compose("compositionstart");
    key("Enter", { isComposing: true, keyCode: 229 });
    key("Tab", { isComposing: true, keyCode: 229 });
    compose("compositionend");
    // Safari ends the composition before it tells of the key.
    compose("compositionstart");
    compose("compositionend");
    key("Enter", { isComposing: false, keyCode: 229 });
  });
  assert.equal(await grace.page.inputValue("#text"), "nihao");
  await grace.page.fill("#text", "");
});

await act("Tab completes a name and then leaves the box; a mention is marked for the one it means", async () => {
  await grace.page.fill("#text", "hello A");
  await grace.page.press("#text", "Tab");
  assert.equal(await grace.page.inputValue("#text"), "hello @Ada ");
  await grace.page.press("#text", "Tab");
  assert.equal(await grace.page.inputValue("#text"), "hello A");
  await grace.page.press("#text", "Tab");
  await grace.page.keyboard.press("Tab");
  await grace.page.keyboard.press("Tab");
  assert.ok(await grace.page.evaluate(() => document.activeElement.id !== "text"), "Tab does not lead out of the box");
  await grace.page.fill("#text", "");
  await grace.page.locator("#text").pressSequentially("@a");
  await grace.page.locator("#offer button", { hasText: "Ada" }).click();
  assert.equal(await grace.page.inputValue("#text"), "@Ada ");
  await grace.page.keyboard.type("look, Adam and ADA");
  await grace.page.keyboard.press("Enter");
  await says(ada.page, "look, Adam");
  const found = message(ada.page, "look, Adam");
  assert.deepEqual(await found.locator("mark").allTextContents(), ["@Ada", "ADA"]);
  assert.ok(await found.evaluate((one) => one.classList.contains("mentions")));
  assert.equal(await message(grace.page, "look, Adam").locator("mark").count(), 0);
});

await act("a hidden page counts what it has not shown, marks where it begins, and is read when it is shown", async () => {
  await hide(ada.page, true);
  await say(grace.page, "while away 1");
  await say(grace.page, "while away 2");
  await ada.page.waitForFunction(() => document.title === "(2) lobby · squall");
  assert.match(await ada.page.getAttribute("link[type='image/svg+xml']", "href"), /unread/);
  await says(ada.page, "while away 2");
  const behind = await ada.page.locator("#lines .marker + .message .words").textContent();
  assert.equal(behind, "while away 1");
  await hide(ada.page, false);
  await ada.page.waitForFunction(() => document.title === "lobby · squall");
  assert.doesNotMatch(await ada.page.getAttribute("link[type='image/svg+xml']", "href"), /unread/);
});

await act("a mention is told of by one hidden window, once it was asked for, and by none while one is shown", async () => {
  const ida = await person(browser, "Ida", { viewport: { width: 1280, height: 800 } });
  // Notifications of a browser without a screen cannot be seen.
  await ida.context.addInitScript(() => {
    globalThis.told = [];
    globalThis.Notification = class {
      static permission = "default";
      static requestPermission = async () => (Notification.permission = "granted");
      constructor(title) {
        told.push(title);
      }
      close() {}
    };
  });
  await logIn(ida.page, base, "Ida");
  const second = await ida.context.newPage();
  await second.goto(`${base}/chat/`);
  const windows = [ida.page, second];
  const told = async () => (await Promise.all(windows.map((window) => window.evaluate(() => told)))).flat();
  const mention = async (words) => {
    await say(grace.page, `Ida: ${words}`);
    for (const window of windows) await says(window, words);
    await ida.page.waitForTimeout(600);
  };
  for (const window of windows) await isIn(window, "connected").then(() => hide(window, true));
  await mention("nobody has asked yet");
  assert.deepEqual(await told(), []);
  await hide(second, false);
  await second.click("#alerts");
  assert.equal(await second.getAttribute("#alerts", "aria-pressed"), "true");
  await ida.page.evaluate(() => (Notification.permission = "granted"));
  await mention("one is shown");
  assert.deepEqual(await told(), []);
  await hide(second, true);
  await mention("both are hidden");
  assert.deepEqual(await told(), ["Grace in lobby"]);
  await say(grace.page, "Idaho is no mention");
  await say(ida.page, "Ida is myself");
  await ida.page.waitForTimeout(600);
  assert.equal((await told()).length, 1);
  await ida.leave();
});

await act("where a page may show no notification, a service worker does, for those who asked, until it is read", async () => {
  const context = { viewport: { width: 1280, height: 800 }, permissions: ["notifications"] };
  const ida = await person(browser, "Ida", context);
  // As on Android.
  await ida.context.addInitScript(() => {
    globalThis.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor() {
        throw new TypeError("Illegal constructor");
      }
    };
  });
  await logIn(ida.page, base, "Ida");
  const workers = () => ida.page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope));
  assert.deepEqual(await workers(), []);
  await ida.page.click("#alerts");
  const titles = () =>
    ida.page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration("/static/");
      return ((await registration?.getNotifications()) ?? []).map(({ title, data }) => [title, data]);
    });
  for (let tries = 0; tries < 50 && !(await workers()).length; tries++) await ida.page.waitForTimeout(50);
  assert.deepEqual(await workers(), [`${base}/static/`]);
  await hide(ida.page, true);
  await say(grace.page, "Ida: are you there?");
  for (let tries = 0; tries < 50 && !(await titles()).length; tries++) await ida.page.waitForTimeout(50);
  assert.deepEqual(await titles(), [["Grace in lobby", `${base}/chat/`]]);
  await hide(ida.page, false);
  for (let tries = 0; tries < 50 && (await titles()).length; tries++) await ida.page.waitForTimeout(50);
  assert.deepEqual(await titles(), []);
  await ida.page.click("#alerts");
  for (let tries = 0; tries < 50 && (await workers()).length; tries++) await ida.page.waitForTimeout(50);
  assert.deepEqual(await workers(), []);
  await ida.leave();
});

await act("new lines do not move whoever reads further up; a button leads to them", async () => {
  const log = ada.page.locator("#log");
  await ada.page.setViewportSize({ width: 390, height: 500 });
  await log.evaluate((log) => log.scrollTo(0, log.scrollHeight / 3));
  await ada.page.waitForTimeout(100);
  const before = await log.evaluate((log) => log.scrollTop);
  for (let n = 1; n <= 3; n++) await say(grace.page, `below ${n}`);
  await ada.page.locator("#newer", { hasText: "3 new messages" }).waitFor();
  assert.equal(await log.evaluate((log) => log.scrollTop), before);
  await ada.page.click("#newer");
  await ada.page.waitForFunction(() => document.querySelector("#newer").hidden);
  assert.ok(await log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2));
});

await act("joins and leaves are one line, and many of them only a number", async () => {
  const crowd = await Promise.all([1, 2, 3, 4, 5].map((n) => person(browser, `Guest ${n}`)));
  for (const { page, name } of crowd) await logIn(page, base, name);
  await ada.page.locator(".notice summary", { hasText: "5 came in" }).waitFor();
  for (const { name } of crowd) await member(ada.page, name);
  await notice(grace.page, "Guest 5", "came in");
  for (const somebody of crowd) await somebody.leave();
});

// What a script of Ada's says to a room; each frame gets a nonce and is acknowledged.
const sayTo = (room, frames) =>
  ada.page.evaluate(
    async ([room, frames]) => {
      const socket = new WebSocket(`${location.origin.replace("http", "ws")}/chat/?room=${room}`, "squall.v1");
      const acknowledged = new Promise((done) => {
        let left = frames.length;
        socket.onmessage = ({ data }) => JSON.parse(data).type === "ack" && --left === 0 && done();
      });
      await new Promise((open) => (socket.onopen = open));
      for (const frame of frames) socket.send(JSON.stringify({ ...frame, nonce: crypto.randomUUID().replaceAll("-", "") }));
      await acknowledged;
      socket.close();
    },
    [room, frames],
  );

await act("pages that have nothing but deletions are passed on the way up", async () => {
  const numbers = Array.from({ length: 130 }, (_, n) => n + 1);
  await sayTo("emptied", numbers.map((n) => ({ type: "message", text: `soon gone ${n}` })));
  await sayTo("emptied", numbers.map((id) => ({ type: "delete", id })));
  await sayTo("emptied", numbers.slice(0, 30).map((n) => ({ type: "message", text: `stays ${n}` })));
  await ada.page.goto(`${base}/chat/?room=emptied`);
  await says(ada.page, "stays 30");
  for (let tries = 0; tries < 50 && !(await ada.page.locator("#beginning").isVisible()); tries++) {
    await ada.page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
    await ada.page.waitForTimeout(100);
  }
  const all = await texts(ada.page);
  assert.deepEqual([all.length, all.filter((words) => words === "Message deleted").length], [160, 130]);
});

await act("scrolling up through 2,000 messages shows them all, and what is read does not move", async () => {
  const [room, count] = ["long", 2_000];
  await ada.page.setViewportSize({ width: 390, height: 600 });
  await ada.page.goto(`${base}/chat/?room=${room}`);
  await isIn(ada.page, "connected");
  const many = (n) => `message ${n}${"\nand another line".repeat(n % 5)}`;
  await sayTo(room, Array.from({ length: count }, (_, n) => ({ type: "message", text: many(n + 1) })));
  await ada.page.goto(`${base}/chat/?room=${room}`);
  await says(ada.page, `message ${count}`);
  const log = ada.page.locator("#log");
  const drawn = () => ada.page.locator("#lines .message").count();
  assert.ok((await drawn()) < 500, "a page is opened with its last messages only");
  // The line at the top of the view, and where it is, before and behind the loading of a page.
  const jumps = await log.evaluate(async (log) => {
    const lines = log.querySelector("#lines");
    const found = [];
    let before;
    const top = () => log.getBoundingClientRect().top;
    const look = () => {
      const line = [...lines.querySelectorAll(".message")].find((one) => one.getBoundingClientRect().bottom > top());
      before = line && { line, at: line.getBoundingClientRect().top };
    };
    const observer = new MutationObserver(() => {
      const moved = before.line.getBoundingClientRect().top - before.at;
      if (Math.abs(moved) > 1) found.push(moved);
    });
    observer.observe(lines, { childList: true });
    for (let tries = 0; tries < 3_000 && !/^message 1\b/.test(lines.querySelector(".words").textContent); tries++) {
      log.scrollTop -= tries % 7 === 0 ? 100_000 : 400; // with a leap to the very top now and then
      look();
      await new Promise((later) => setTimeout(later, 20));
    }
    observer.disconnect();
    return found;
  });
  assert.deepEqual(jumps, []);
  const numbers = (await texts(ada.page)).map((words) => Number(words.match(/^message (\d+)/)[1]));
  assert.deepEqual(numbers, Array.from({ length: count }, (_, n) => n + 1));
  await ada.page.locator("#beginning").waitFor();
  // At the end the oldest lines are not needed any more.
  await say(ada.page, "the end");
  await says(ada.page, "the end");
  assert.ok((await drawn()) <= 500, `${await drawn()} lines are kept`);
  assert.ok(await log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2));
});

await act("rooms are apart, with their drafts, and the list leads from one to the other", async () => {
  await ada.page.setViewportSize({ width: 1280, height: 800 });
  await ada.page.goto(`${base}/chat/`);
  await isIn(ada.page, "connected");
  await ada.page.fill("#text", "a draft for the lobby");
  await ada.page.evaluate(() => dispatchEvent(new Event("pagehide")));
  await ada.page.goto(`${base}/chat/?room=${encodeURIComponent("设计-1")}`);
  await isIn(ada.page, "connected");
  assert.equal(await ada.page.textContent("#room-name"), "设计-1");
  assert.equal(await ada.page.inputValue("#text"), "");
  await say(ada.page, "only here");
  await says(ada.page, "only here");
  await say(grace.page, "only there");
  await says(grace.page, "only there");
  assert.equal(await message(grace.page, "only here").count(), 0);
  assert.equal(await message(ada.page, "only there").count(), 0);
  const link = ada.page.locator("#room-list a", { hasText: "lobby" });
  await link.locator(".count", { hasText: "2" }).waitFor();
  assert.equal(await ada.page.locator("#room-list [aria-current=page]").getAttribute("href"), new URL(ada.page.url()).pathname + new URL(ada.page.url()).search);
  await link.click();
  await isIn(ada.page, "connected");
  await says(ada.page, "only there");
  assert.equal(await ada.page.inputValue("#text"), "a draft for the lobby");
  await ada.page.fill("#text", "");
});

await act("a server that has lost its history replaces the list, and what was written meanwhile is stored once", async () => {
  const forgetful = { data: "forgetful", flags: ["--history", "memory"] };
  let other = await serve(forgetful);
  const { address } = other;
  const ida = await person(browser, "Ida");
  ida.expected = LOST;
  await logIn(ida.page, other.base, "Ida");
  await say(ida.page, "soon forgotten");
  await says(ida.page, "soon forgotten");
  await other.stop();
  await isIn(ida.page, "waiting");
  await say(ida.page, "written meanwhile");
  other = await serve({ ...forgetful, listen: address });
  await says(ida.page, "written meanwhile");
  await ida.page.waitForSelector(".notice:has-text('The history of the server has changed')");
  assert.deepEqual(await texts(ida.page), ["written meanwhile"]);
  await ida.leave();
  await other.stop();
});

await act("a room that the server does not have is named as what is wrong", async () => {
  const other = await serve({ data: "fixed", flags: ["--rooms", "fixed:lobby,ops"] });
  const ida = await person(browser, "Ida");
  ida.expected = /WebSocket connection to .* failed|status of 404/;
  await logIn(ida.page, other.base, "Ida");
  await ida.page.goto(`${other.base}/chat/?room=elsewhere`);
  await states(ida.page, /^There is no such room on this server\.$/);
  await ida.leave();
  await other.stop();
});

await ada.leave();
await grace.leave();
await server.stop();
await browser.close();

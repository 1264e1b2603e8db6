// Two people with Chromium: they log in, talk, leave, lose their server and find it again; one of them searches while
// a third page sleeps. A word of the console that was not expected is a failure, so a violation of the policy is one.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { act, isIn, launch, logIn, member, notice, person, say, says, serve, states } from "./stage.mjs";

const GONE = /ERR_CONNECTION_(REFUSED|RESET)|WebSocket connection to .* failed/; // while the server is away
const browser = await launch();

// What a screen reader is given; it is said a moment later.
const hears = (page, words) => page.waitForSelector(`#heard:has-text("${words}")`, { state: "attached" });

async function tabTo(page, selector) {
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
  }
  assert.fail(`the Tab key does not lead to ${selector}`);
}

// The search site: takes its time and sends its page in two pieces, or breaks the connection off.
const dot = `<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><rect width="7" height="7"/></svg>`;
const site = createServer(async (request, response) => {
  if (request.url === "/dot.svg") return response.writeHead(200, { "Content-Type": "image/svg+xml" }).end(dot);
  const words = new URL(request.url, "http://site").searchParams.get("wd");
  if (words === "break") return request.socket.destroy();
  const escaped = words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  await new Promise((later) => setTimeout(later, 700));
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Set-Cookie": "username=stolen", Refresh: "0" });
  response.write(`<!doctype html><title>found</title><h1>${escaped}</h1><script>document.body.append("scripted")</script>`);
  await new Promise((later) => setTimeout(later, 700));
  response.end(`<img src="dot.svg" alt=""><p><a href="next?page=2">the end</a></p>`);
});
await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
const flags = ["--search-url", `http://127.0.0.1:${site.address().port}/s?wd={}`];

let server = await serve({ flags });
const { base, address } = server;
const ada = await person(browser, "Ada");
const grace = await person(browser, "Grace");

await act("Ada logs in with the keyboard alone", async () => {
  await ada.page.goto(base);
  await tabTo(ada.page, 'a[href="/login"]');
  await ada.page.keyboard.press("Enter");
  await ada.page.waitForURL(`${base}/login`);
  // The field gets the focus by itself, but a moment after the page is there.
  await ada.page.waitForFunction(() => document.activeElement.name === "username");
  await ada.page.keyboard.type("Ada");
  await tabTo(ada.page, "main form button");
  await ada.page.keyboard.press("Enter");
  await ada.page.waitForURL(`${base}/chat/`);
  await isIn(ada.page, "connected");
  await member(ada.page, "Ada");
  assert.equal(await ada.page.textContent("#user"), "Ada");
  assert.ok(await ada.page.evaluate(() => document.activeElement.id === "text"));
});

await act("Grace enters, and both see it", async () => {
  await logIn(grace.page, base, "Grace");
  await notice(ada.page, "Grace", "came in");
  for (const name of ["Ada", "Grace"]) for (const { page } of [ada, grace]) await member(page, name);
});

await act("they talk both ways; each sees their own words as their own", async () => {
  await say(ada.page, "Good morning, Grace");
  await says(grace.page, "Good morning, Grace");
  await hears(grace.page, "Ada: Good morning, Grace");
  await say(grace.page, "你好, Ada 👋");
  await says(ada.page, "你好, Ada 👋");
  await ada.page.click("#text");
  for (const [page, own, other] of [[ada.page, "Good morning", "你好"], [grace.page, "你好", "Good morning"]]) {
    await page.waitForSelector(`.message.own .words:has-text("${own}")`);
    await page.waitForSelector(`.message:not(.own) .words:has-text("${other}")`);
  }
});

await act("markup in words and names stays text", async () => {
  const markup = `<img src=x onerror="document.title='owned'">`;
  await say(ada.page, markup);
  await says(grace.page, markup);
  const eve = await person(browser, "Eve");
  await logIn(eve.page, base, "<img src=x onerror=alert(1)>");
  await notice(grace.page, "<img src=x onerror=alert(1)>", "came in");
  assert.equal(await eve.page.textContent("#user"), "<img src=x onerror=alert(1)>");
  await eve.leave();
  await notice(grace.page, "<img src=x onerror=alert(1)>", "left");
  assert.equal(await grace.page.locator("main img").count(), 0);
  assert.match(await grace.page.title(), /^lobby/);
});

await act("Enter while an input method composes sends nothing, Shift+Enter makes a line", async () => {
  await ada.page.fill("#text", "nihao");
  await ada.page.evaluate(() => {
    const box = document.querySelector("#text");
    const enter = { key: "Enter", bubbles: true, cancelable: true };
    for (const composing of [{ isComposing: true }, { keyCode: 229 }])
      box.dispatchEvent(new KeyboardEvent("keydown", { ...enter, ...composing }));
  });
  assert.equal(await ada.page.inputValue("#text"), "nihao");
  await ada.page.press("#text", "Shift+Enter");
  assert.equal(await ada.page.inputValue("#text"), "nihao\n");
  await ada.page.press("#text", "Enter");
  await says(grace.page, "nihao");
});

await act("a name that is online is not given away", async () => {
  const bob = await person(browser, "Bob");
  bob.expected = /status of 409/;
  await bob.page.goto(`${base}/login`);
  await bob.page.fill("#username", "Ada");
  await bob.page.click("main form button");
  await bob.page.waitForSelector("#problem:has-text('Somebody is online under that name')");
  await bob.leave();
});

await act("a second window of Ada's is no second Ada", async () => {
  const window = await ada.context.newPage();
  await window.goto(`${base}/chat/`);
  await isIn(window, "connected");
  await window.close();
  await say(ada.page, "still here");
  await says(grace.page, "still here");
  assert.equal(await grace.page.locator(".notice:has-text('Ada came in'), .notice:has-text('Ada left')").count(), 0);
});

await act("the server restarts: both reconnect by themselves, and unsent words are kept", async () => {
  ada.expected = grace.expected = GONE;
  await ada.page.fill("#text", "half a sent");
  await server.stop();
  await isIn(ada.page, "waiting");
  await states(ada.page, /restarting\. Connection lost\. Trying again in \d+ s/);
  server = await serve({ listen: address, flags });
  await isIn(ada.page, "connected");
  await isIn(grace.page, "connected");
  ada.expected = grace.expected = null;
  assert.equal(await ada.page.inputValue("#text"), "half a sent");
  await ada.page.press("#text", "Enter");
  await says(grace.page, "half a sent");
});

await act("whoever is hung up on for being silent is not told of a restart", async () => {
  const ida = await person(browser, "Ida");
  let sockets = 0;
  await ida.page.routeWebSocket(/\/chat\//, (socket) => {
    sockets += 1;
    if (sockets === 2) return; // long enough without an answer for the trouble to be said
    const server = socket.connectToServer();
    if (sockets > 1) return;
    server.onMessage((words) => {
      socket.send(words);
      socket.close({ code: 1001, reason: "no answer to pings" });
      server.close();
    });
  });
  await ida.page.goto(`${base}/login`);
  await ida.page.fill("#username", "Ida");
  await ida.page.click("main form button");
  await states(ida.page, /^Connection lost\. Trying again in \d+ s$/);
  await isIn(ida.page, "connected");
  await ida.leave();
});

await act("Grace closes her browser, and Ada sees her leave", async () => {
  await grace.leave();
  await notice(ada.page, "Grace", "left");
});

await act("a server with another secret: the page finds its login gone, and a new one brings everything back", async () => {
  ada.expected = new RegExp(`${GONE.source}|status of 401|Unexpected response code: 401`);
  await ada.page.fill("#text", "another half");
  await server.stop();
  await isIn(ada.page, "waiting");
  server = await serve({ listen: address, data: "other", flags });
  await isIn(ada.page, "gone");
  assert.match(await ada.page.textContent("#state"), /login is gone/);
  await ada.page.click("#again");
  await ada.page.waitForURL((url) => url.searchParams.get("next") === "/chat/");
  ada.expected = null;
  await ada.page.fill("#username", "Ada");
  await ada.page.click("main form button");
  await isIn(ada.page, "connected");
  assert.equal(await ada.page.inputValue("#text"), "another half");
});

await act("Ada logs out", async () => {
  await ada.page.click('form[action="/logout"] button');
  await ada.page.waitForURL(`${base}/`);
  assert.equal(await ada.page.locator("#user").count(), 0);
  await ada.page.goto(`${base}/chat/`);
  assert.equal(ada.page.url(), `${base}/login?next=/chat/`);
});

const began = Date.now();
const sleeper = await ada.context.newPage();
const sleep = sleeper.goto(`${base}/sleep?seconds=10`).then(() => Date.now() - began);
let asleep = true;
sleep.then(() => (asleep = false), () => {});

await act("a search says at once that it is under way and shows what it found, while another tab sleeps", async () => {
  const { page } = ada;
  ada.expected = /Blocked script execution in .* because the document's frame is sandboxed/;
  await page.goto(`${base}/search`);
  await page.fill("#wd", "a&b <i>好");
  await page.press("#wd", "Enter");
  await page.waitForSelector("#progress.busy");
  assert.equal(await page.textContent("#status"), "Searching for “a&b <i>好”");
  const frame = page.frameLocator("#result iframe");
  await frame.getByText("the end").waitFor();
  assert.equal(await frame.locator("h1").textContent(), "a&b <i>好");
  assert.equal(await frame.getByText("scripted").count(), 0);
  // Relative links and pictures are those of the site.
  assert.equal(await frame.locator("a").evaluate((a) => a.href), `http://127.0.0.1:${site.address().port}/next?page=2`);
  const width = () => frame.locator("img").evaluate((img) => img.naturalWidth);
  for (let tries = 0; tries < 100 && (await width()) !== 7; tries++) await page.waitForTimeout(50);
  assert.equal(await width(), 7);
  await page.waitForFunction(() => document.querySelector("#status").textContent.startsWith("Done in"));
  assert.equal(await page.locator("#progress.busy").count(), 0);
  assert.deepEqual(await ada.context.cookies(), []);
  assert.ok(asleep, "the search had to wait until the other tab woke up");
});

await act("a search that fails says so in the frame", async () => {
  ada.expected = /status of 502/;
  await ada.page.fill("#wd", "break");
  await ada.page.press("#wd", "Enter");
  const frame = ada.page.frameLocator("#result iframe");
  await frame.locator(".status", { hasText: "502" }).waitFor();
  assert.match(await frame.locator(".lead").textContent(), /^The search failed: /);
  ada.expected = null;
});

await act("a frame that never loads is given up after 25 seconds, and the way out is shown", async () => {
  const mary = await person(browser, "Mary");
  const { page } = mary;
  await page.clock.install();
  await page.route(/framed=1/, () => {}); // nobody answers
  await page.goto(`${base}/search`);
  await page.fill("#wd", "slow");
  await page.press("#wd", "Enter");
  await page.waitForSelector("#progress.busy");
  await page.clock.runFor(24_000);
  assert.match(await page.textContent("#clock"), /^2\d\.\d s$/);
  await page.clock.runFor(1_500);
  assert.equal(await page.locator("#progress.busy").count(), 0);
  assert.equal(await page.textContent("#clock"), "");
  assert.match(await page.textContent("#status"), /^Nothing to see for “slow” yet\. .* page of its own\.$/);
  assert.equal(await page.getAttribute("#alone", "href"), "/search?wd=slow");
  await mary.leave();
});

await act("without JavaScript the search form goes to the answer itself, and a failure has a way back", async () => {
  const joan = await person(browser, "Joan", { javaScriptEnabled: false });
  const { page } = joan;
  joan.expected = /status of 502/;
  for (const words of ["a&b 好", "break"]) {
    await page.goto(`${base}/search`);
    await page.fill("#wd", words);
    await page.click("#search button");
    await page.waitForURL((url) => url.searchParams.get("wd") === words);
    assert.equal(await page.locator("iframe").count(), 0);
    if (words !== "break") assert.equal(await page.textContent("h1"), words);
  }
  assert.match(await page.textContent(".lead"), /^The search failed: /);
  assert.equal(await page.locator("form").count(), 0);
  await page.click(".failure a");
  await page.waitForURL(`${base}/`);
  await joan.leave();
});

await act("the echo answers on the front page", async () => {
  await ada.page.goto(base);
  await ada.page.fill("#echo-text", "hey");
  await ada.page.press("#echo-text", "Enter");
  await ada.page.waitForSelector("output:has-text('“hey” · ')");
});

await act("a browser in Chinese gets Chinese pages", async () => {
  const zhang = await person(browser, "张三", { locale: "zh-CN" });
  await logIn(zhang.page, base, "张三");
  await member(zhang.page, "张三");
  assert.equal(await zhang.page.getAttribute("html", "lang"), "zh-Hans");
  assert.equal(await zhang.page.textContent("#state"), "已连接");
  await zhang.leave();
});

await act("no page is wider than a phone", async () => {
  const phone = await person(browser, "a phone", { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true });
  phone.expected = /status of 404/;
  await logIn(phone.page, base, "M".repeat(32));
  await say(phone.page, `${"long".repeat(200)}\nhttps://example.org/${"x".repeat(300)}`);
  await says(phone.page, "longlong");
  for (const path of ["/chat/", "/", "/login", "/search", "/nothing"]) {
    if (path !== "/chat/") await phone.page.goto(base + path);
    const over = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${path} is ${over} pixels too wide`);
  }
  await phone.leave();
});

await act("the other tab has slept its ten seconds", async () => {
  const took = await sleep;
  assert.ok(took >= 10_000, `it slept ${took} ms`);
  assert.match(await sleeper.textContent(".notice"), /^Slept 10 s/);
});

await ada.leave();
if (process.env.SHOTS) await act("pictures for the README", () => takePictures(process.env.SHOTS));
await server.stop();
await browser.close();
site.close();

// A chat of two, on a desk by day and on a phone by night.
async function takePictures(directory) {
  const desk = await person(browser, "the desk", { viewport: { width: 1200, height: 800 }, colorScheme: "light" });
  const night = { viewport: { width: 375, height: 720 }, colorScheme: "dark", deviceScaleFactor: 2, isMobile: true };
  const phone = await person(browser, "the phone", { ...night, hasTouch: true });
  await logIn(desk.page, base, "Grace");
  await logIn(phone.page, base, "张三");
  // A room of their own: what was said before is not for the pictures.
  for (const { page } of [desk, phone]) {
    await page.goto(`${base}/chat/?room=deck`);
    await isIn(page, "connected");
  }
  await say(desk.page, "Morning! Is your search still running next door?");
  await say(phone.page, "It is, and another tab has been asleep for ten seconds.");
  await says(desk.page, "It is, and");
  await say(phone.page, "大家好，我从手机上来的。");
  await say(desk.page, "One thread for all of it, and nobody waits for anybody.\nRead how: src/lib.rs");
  await says(phone.page, "One thread");
  await phone.page.fill("#text", "");
  for (const [{ page }, file] of [[desk, "chat.png"], [phone, "chat-phone-dark.png"]]) {
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: join(directory, file) });
  }
  await desk.leave();
  await phone.leave();
}

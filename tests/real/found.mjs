// The search in the chat page: what is found is marked and shown in the log, also from far back, and the panel is used
// with the keyboard alone, in both languages and on a phone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { act, launch, logIn, person, say, says, serve } from "./stage.mjs";

const AXE = readFileSync(join(process.env.TOOLS, "node_modules/axe-core/axe.min.js"), "utf8");
const LINES = 2_600;

const browser = await launch();
const server = await serve({ flags: ["--message-rate", "0"] });
const { base } = server;
const ada = await person(browser, "Ada");
const { page } = ada;

const results = (page) => page.locator("#find-list .said").allTextContents();
const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);

async function search(page, words) {
  await page.fill("#find-words", words);
  await page.press("#find-words", "Enter");
  await page.waitForFunction(() => !/…$/.test(document.querySelector("#find-state").textContent));
}

// What a script says, many lines at once.
async function sayMany(texts) {
  const login = await fetch(`${base}/login`, { method: "POST", body: new URLSearchParams({ username: "Robot" }), redirect: "manual" });
  const cookie = login.headers.get("set-cookie").split(";")[0];
  const post = (text) => fetch(`${base}/api/rooms/lobby/messages`, { method: "POST", headers: { cookie }, body: new URLSearchParams({ text }) });
  for (const text of texts) assert.equal((await post(text)).status, 201);
}

await sayMany([
  "the Harbour of long ago",
  ...Array.from({ length: LINES }, (_, n) => (n === LINES - 300 ? "明天的会议改到三点" : `line ${n + 1}`)),
  "100% of <b>a_b</b>",
]);
await logIn(page, base, "Ada");

await act("a search shows author, time and text with the words marked", async () => {
  await page.click("#find-toggle");
  assert.equal(await focused(), "find-words");
  await search(page, "LINE 2599");
  assert.deepEqual(await results(page), ["line 2599"]);
  assert.equal(await page.textContent("#find-state"), "Messages found: 1");
  assert.deepEqual(await page.locator("#find-list mark").allTextContents(), ["line", "2599"]);
  assert.equal(await page.textContent("#find-list .from"), "Robot");
  assert.match(await page.getAttribute("#find-list time", "datetime"), /^\d{4}-/);
  for (const [words, found] of [["0% <b>", ["100% of <b>a_b</b>"]], ["axb", []], ["会议", ["明天的会议改到三点"]]]) {
    await search(page, words);
    assert.deepEqual(await results(page), found, words);
  }
  assert.equal(await page.locator("#find-list b").count(), 0);
  await search(page, "nowhere");
  assert.equal(await page.textContent("#find-state"), "No message has all of these words.");
  ada.expected = /status of 400/;
  await search(page, "a b c d e f g h i");
  assert.match(await page.textContent("#find-state"), /^Search for one to eight words/);
  ada.expected = null;
});

await act("the rest of many results is found further back", async () => {
  await search(page, "line 25");
  assert.equal((await results(page)).length, 20);
  assert.equal((await results(page))[0], "line 2599");
  await page.click("#find-more");
  await page.waitForFunction(() => document.querySelectorAll("#find-list .hit").length === 40);
  assert.equal((await results(page))[39], "line 2560");
});

await act("a result is shown in the log, which loads what lies between", async () => {
  await search(page, "会议");
  await page.click("#find-list .hit");
  const sought = page.locator("#lines .message.sought");
  await sought.waitFor();
  assert.equal(await sought.locator(".words").textContent(), "明天的会议改到三点");
  assert.ok(!(await page.isVisible("#find")));
  const isInView = await sought.evaluate((line) => {
    const [own, log] = [line, document.querySelector("#log")].map((one) => one.getBoundingClientRect());
    return own.top >= log.top && own.bottom <= log.bottom;
  });
  assert.ok(isInView);
  const all = await page.locator("#lines .message").evaluateAll((all) => all.map(({ dataset }) => Number(dataset.id)));
  assert.deepEqual(all, Array.from({ length: all.length }, (_, n) => all[0] + n), "no hole and no double");
});

await act("a result from far back is shown with those around it", async () => {
  await page.click("#find-toggle");
  await search(page, "harbour");
  await page.click("#find-list .hit");
  await page.locator("#find-list .around.sought").waitFor();
  assert.equal((await results(page)).length, 11);
  assert.deepEqual(await page.locator("#find-list mark").allTextContents(), ["Harbour"]);
  await page.click("#find-list button");
  assert.deepEqual(await results(page), ["the Harbour of long ago"]);
  assert.equal(await focused(), "hit");
});

await act("the keyboard alone searches, chooses and leaves", async () => {
  await page.keyboard.press("Escape");
  assert.ok(!(await page.isVisible("#find")));
  assert.equal(await focused(), "find-toggle");
  await page.keyboard.press("Enter");
  await page.keyboard.type("line 2598");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelectorAll("#find-list .hit").length === 1);
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "hit");
  await page.keyboard.press("Enter");
  await page.locator("#lines .message.sought", { hasText: "line 2598" }).waitFor();
  assert.match(await focused(), /^message/);
});

await act("a deleted message is no result any more", async () => {
  await say(page, "a secret of mine");
  await says(page, "a secret of mine");
  await page.click("#find-toggle");
  await search(page, "secret mine");
  assert.deepEqual(await results(page), ["a secret of mine"]);
  const other = await ada.context.newPage();
  await other.goto(`${base}/chat/`);
  const button = other.locator(".message", { hasText: "a secret of mine" }).locator("button.delete");
  await button.click();
  await button.click();
  await page.waitForFunction(() => !document.querySelector("#find-list .hit"));
  await search(page, "secret mine");
  assert.deepEqual(await results(page), []);
  await other.close();
});

for (const [width, height, colorScheme, locale] of [[1280, 800, "light", "en-US"], [390, 844, "dark", "zh-CN"], [320, 568, "light", "en-US"]]) {
  await act(`axe-core finds nothing in the search, ${width} x ${height}, ${colorScheme}, ${locale}`, async () => {
    const ida = await person(browser, `Ida${width}`, { viewport: { width, height }, colorScheme, locale });
    await logIn(ida.page, base, ida.name);
    await ida.page.click("#find-toggle");
    await search(ida.page, "line 25");
    assert.equal((await results(ida.page)).length, 20);
    await ida.page.evaluate(AXE);
    const { violations } = await ida.page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`), []);
    const wide = await ida.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide[0] <= wide[1], `${wide}`);
    // A picture to look at.
    if (process.env.LOOK) await ida.page.screenshot({ path: join(process.env.LOOK, `search-${width}.png`) });
    await ida.leave();
  });
}

await ada.leave();
await server.stop();
await browser.close();

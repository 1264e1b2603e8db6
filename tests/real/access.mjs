// axe-core on every page: it knows many of the rules by which pages can be used by everybody.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { act, launch, logIn, member, person, say, says, serve } from "./stage.mjs";

const AXE = readFileSync(join(process.env.TOOLS, "node_modules/axe-core/axe.min.js"), "utf8");
const SIZES = [[1280, 800], [390, 844], [320, 568]];

const browser = await launch();
const server = await serve();
const { base } = server;

async function faults(page) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  assert.ok(passes.length > 20, `only ${passes.length} rules found anything to look at`);
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
}

const grace = await person(browser, "Grace");
await logIn(grace.page, base, "Grace");

for (const colorScheme of ["light", "dark"]) {
  for (const [width, height] of SIZES) {
    await act(`axe-core finds nothing in the chat, ${width} x ${height}, ${colorScheme}`, async () => {
      const ada = await person(browser, "Ada", { viewport: { width, height }, colorScheme });
      const { page } = ada;
      await logIn(page, base, "Ada");
      await say(grace.page, "@Ada see https://example.org/ and `code`\n```\na block\n```");
      await say(page, "I do");
      await says(page, "I do");
      await page.locator(".message.own button.delete").last().focus();
      await page.locator("#text").pressSequentially("@g");
      await member(page, "Grace");
      assert.deepEqual(await faults(page), []);
      for (const panel of width < 800 ? ["rooms", "members"] : []) {
        await page.click(`#${panel}-toggle`);
        assert.deepEqual(await faults(page), [], panel);
        await page.keyboard.press("Escape");
        assert.ok(await page.evaluate((panel) => document.activeElement.id === `${panel}-toggle`, panel));
        assert.ok(!(await page.locator(`#${panel}`).isVisible()));
      }
      await page.fill("#text", "");
      await ada.leave();
    });
  }
  await act(`axe-core finds nothing in the other pages, ${colorScheme}`, async () => {
    const ida = await person(browser, "Ida", { colorScheme });
    ida.expected = /status of 404/;
    for (const path of ["/", "/login", "/search", "/nothing"]) {
      await ida.page.goto(base + path);
      assert.deepEqual(await faults(ida.page), [], path);
    }
    await ida.leave();
  });
}

await act("a screen reader is given live messages, and not the history", async () => {
  const ida = await person(browser, "Ida");
  await logIn(ida.page, base, "Ida");
  await says(ida.page, "I do");
  await ida.page.waitForTimeout(1_200);
  assert.equal(await ida.page.textContent("#heard"), "");
  await say(grace.page, "live");
  await ida.page.waitForSelector('#heard:text-is("Grace: live")', { state: "attached" });
  await ida.leave();
});

await act("the chat can be installed", async () => {
  const ida = await person(browser, "Ida");
  await logIn(ida.page, base, "Ida");
  const session = await ida.context.newCDPSession(ida.page);
  const manifest = await session.send("Page.getAppManifest");
  assert.deepEqual(manifest.errors, []);
  for (const { src, sizes } of JSON.parse(manifest.data).icons) {
    const answer = await fetch(base + src);
    assert.equal(answer.status, 200, src);
    if (!src.endsWith(".png")) continue;
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes, src);
  }
  const { installabilityErrors: errors } = await session.send("Page.getInstallabilityErrors");
  // A browser of a test is always incognito.
  assert.deepEqual(errors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito"), []);
  await ida.leave();
});

await grace.leave();
await server.stop();
await browser.close();

// Commands and moderation in the chat page: what it sends, what it shows of the results, what operators are offered, and
// what somebody sees who is kicked or banned. A script between the page and squall plays what an operator does.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { act, isIn, launch, logIn, member, person, say, says, scratch, serve, states } from "./stage.mjs";

const AXE = readFileSync(join(process.env.TOOLS, "node_modules/axe-core/axe.min.js"), "utf8");
const LOST = /WebSocket connection to .* failed|status of 403/;
const browser = await launch();
const server = await serve({ flags: ["--message-rate", "0"] });
const { base } = server;
const hint = (page) => page.textContent("#hint");
const hints = (page, pattern) =>
  page.waitForFunction((source) => new RegExp(source).test(document.querySelector("#hint").textContent), pattern.source);

// Somebody whose frames pass through a script. `script.commands` are the commands that came, `script.send` sends a frame of
// the server, `script.take` is asked first for each frame of the page and each of the server, and gives the frame to pass
// on, or null.
async function scripted(name, { operator = false, options = {} } = {}) {
  const somebody = await person(browser, name, options);
  const script = {
    operator,
    settings: { locked: false, slow: 0, private: false },
    commands: [],
    opened: 0,
    isShut: false,
    answer: ({ nonce }) => script.send({ type: "result", nonce, text: "Done." }),
    fromServer: (frame) => frame,
  };
  await somebody.context.routeWebSocket(/\/chat\//, (page) => {
    script.opened += 1;
    if (script.isShut) return page.close({ code: 1006 });
    const squall = page.connectToServer();
    script.send = (frame) => page.send(JSON.stringify(frame));
    script.close = (code, reason) => (page.close({ code, reason }), squall.close());
    page.onMessage((data) => {
      const frame = JSON.parse(data);
      if (frame.type === "delete" && script.operator) {
        script.commands.push(`delete ${frame.id}`);
        return script.send({ type: "ack", nonce: frame.nonce, id: 1_000, tag: "00000001" });
      }
      if (frame.type !== "command") return squall.send(data);
      script.commands.push(frame.text);
      assert.match(frame.nonce, /^[0-9a-f]{32}$/);
      script.answer(frame);
    });
    squall.onMessage((data) => {
      const frame = JSON.parse(data);
      if (frame.type === "welcome") Object.assign(frame, { operator: script.operator, settings: script.settings });
      const passed = script.fromServer(frame);
      if (passed) page.send(JSON.stringify(passed));
    });
  });
  await logIn(somebody.page, base, name);
  return { ...somebody, somebody, script };
}

// Waits until the page has sent this command.
async function commanded({ page, script }, text) {
  for (let tries = 0; tries < 50 && script.commands.at(-1) !== text; tries++) await page.waitForTimeout(50);
  assert.equal(script.commands.at(-1), text);
}

async function faults(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
}

// A picture to look at, in the folder LOOK.
async function shot(page, name) {
  if (process.env.LOOK) await page.screenshot({ path: join(process.env.LOOK, `${name}.png`) });
}

const ada = await scripted("Ada");
const grace = await person(browser, "Grace");
await logIn(grace.page, base, "Grace");

// ---- Commands ----

await act("a line that begins with / is a command; its result is shown to nobody else, with its lines", async () => {
  ada.script.answer = ({ nonce }) =>
    ada.script.send({ type: "result", nonce, text: "Two members are here:", lines: ["Ada", "Grace <b>x</b>"] });
  await say(ada.page, "/who");
  await commanded(ada, "/who");
  const found = ada.page.locator("#lines .notice", { hasText: "Two members are here: (Only you see this.)" });
  await found.waitFor();
  assert.deepEqual(await found.locator("li").allTextContents(), ["Ada", "Grace <b>x</b>"]);
  assert.equal(await grace.page.locator(".notice", { hasText: "Two members" }).count(), 0);
  assert.equal(await ada.page.locator("#lines .message").count(), 0);
});

await act("// begins a message with a slash, and /me shows what its author does, to a screen reader, too", async () => {
  await say(ada.page, "//usr/bin");
  await says(grace.page, "/usr/bin");
  await say(ada.page, "/me waves at @Grace");
  await says(grace.page, "* Ada waves at @Grace");
  for (const { page } of [ada, grace]) await page.locator(".message.action", { hasText: "* Ada waves at @Grace" }).waitFor();
  assert.equal(await grace.page.locator(".message.action mark").textContent(), "@Grace");
  await grace.page.waitForSelector('#heard:has-text("* Ada waves at @Grace")', { state: "attached" });
  assert.deepEqual(ada.script.commands, ["/who"]);
});

await act("a refused command comes back into the box, with the reason near it and the time of another try", async () => {
  ada.script.answer = ({ nonce }) => ada.script.send({ type: "error", code: "unknown_command", text: "no", nonce });
  await ada.page.fill("#text", "/whoo");
  await ada.page.press("#text", "Enter");
  await hints(ada.page, /^There is no such command\. \/help lists them\.$/);
  assert.equal(await ada.page.inputValue("#text"), "/whoo");
  assert.ok(await ada.page.locator("#hint.problem").isVisible());
  ada.script.answer = ({ nonce }) => ada.script.send({ type: "error", code: "busy", text: "The store is busy.", nonce, retry_after_ms: 2_000 });
  await ada.page.fill("#text", "/invite");
  await ada.page.press("#text", "Enter");
  await hints(ada.page, /^The store is busy\. Try again in 2 seconds\.$/);
  await hints(ada.page, /^Enter sends/);
  await ada.page.fill("#text", "");
});

await act("Tab completes commands, and names behind them without an @", async () => {
  await ada.page.locator("#text").pressSequentially("/w");
  assert.deepEqual(await ada.page.locator("#offer button").allTextContents(), ["/who"]);
  assert.equal(await ada.page.getAttribute("#offer", "aria-label"), "Commands");
  await ada.page.press("#text", "Tab");
  assert.equal(await ada.page.inputValue("#text"), "/who ");
  await ada.page.fill("#text", "");
  await ada.page.locator("#text").pressSequentially("/he");
  await ada.page.locator("#offer button").waitFor();
  await ada.page.press("#text", "Enter");
  await ada.page.locator("#offer").waitFor({ state: "hidden" });
  await hints(ada.page, /^The store is busy/);
  await ada.page.fill("#text", "/ki");
  await ada.page.press("#text", "Tab");
  assert.equal(await ada.page.inputValue("#text"), "/ki", "what only operators can do is not offered to others");
  await ada.page.fill("#text", "/free gr");
  await ada.page.focus("#text");
  await ada.page.press("#text", "Tab");
  assert.equal(await ada.page.inputValue("#text"), "/free Grace ");
  await ada.page.fill("#text", "");
});

await act("a command whose result cannot come any more is said to be lost, and is not sent again", async () => {
  ada.script.answer = () => ada.script.close(1001, "");
  const before = ada.script.commands.length;
  await say(ada.page, "/invite");
  await ada.page.locator(".notice", { hasText: "The connection was lost before the result came of: /invite" }).waitFor();
  await isIn(ada.page, "connected");
  await ada.page.waitForTimeout(300);
  assert.equal(ada.script.commands.length, before + 1);
});

await act("a message that is stored but not shown when the path is cut is shown once behind it", async () => {
  ada.script.fromServer = (frame) => (frame.type === "message" && frame.text === "cut behind the ack" ? null : frame);
  await say(ada.page, "cut behind the ack");
  await ada.page.locator("#outbox .stored", { hasText: "cut behind the ack" }).waitFor();
  ada.script.close(1001, "");
  ada.script.fromServer = (frame) => frame;
  await says(ada.page, "cut behind the ack");
  for (const { page } of [ada, grace]) {
    assert.equal(await page.locator(".message .words", { hasText: "cut behind the ack" }).count(), 1);
  }
});

// ---- The rules of a room ----

await act("everybody sees that a room is locked, and the box says so; a command still goes", async () => {
  ada.script.send({ type: "settings", locked: true, slow: 0, private: true, by: "Grace" });
  await ada.page.locator("#rules", { hasText: "Only operators may write · Not in the list of rooms" }).waitFor();
  assert.equal(await ada.page.getAttribute("#text", "placeholder"), "Only operators may write here");
  assert.equal(await ada.page.getAttribute("#send", "aria-disabled"), "true");
  await ada.page.fill("#text", "may I?");
  await ada.page.press("#text", "Enter");
  assert.equal(await ada.page.inputValue("#text"), "may I?");
  assert.equal(await hint(ada.page), "Only operators may write in this room now.");
  ada.script.answer = ({ nonce }) => ada.script.send({ type: "result", nonce, text: "Nobody else is here." });
  await say(ada.page, "/who");
  await ada.page.locator(".notice", { hasText: "Nobody else is here." }).waitFor();
  ada.script.send({ type: "settings", locked: false, slow: 0, private: false, by: "Grace" });
  await ada.page.locator("#rules").waitFor({ state: "hidden" });
  assert.equal(await ada.page.getAttribute("#text", "placeholder"), "Say something to everybody");
});

await act("in a slow room a message waits for its time and then goes by itself", async () => {
  ada.script.send({ type: "settings", locked: false, slow: 2, private: false, by: "Grace" });
  await ada.page.locator("#rules", { hasText: "Slow: one message every 2 seconds" }).waitFor();
  await say(ada.page, "slowly 1");
  await says(grace.page, "slowly 1");
  const began = Date.now();
  await say(ada.page, "slowly 2");
  await hints(ada.page, /^This room is slow: your next message can go out in [12] seconds?\.$/);
  assert.equal(await ada.page.textContent("#outbox .meta"), "Sending…");
  await says(grace.page, "slowly 2");
  assert.ok(Date.now() - began > 1_000, `after ${Date.now() - began} ms`);
  ada.script.send({ type: "settings", locked: false, slow: 0, private: false, by: "Grace" });
});

await act("a muted member's message is kept, with the reason and the time", async () => {
  let nonce = "";
  const { send } = ada.script;
  ada.script.fromServer = (frame) => {
    if (frame.type !== "ack") return frame.type === "message" && frame.text === "muted words" ? null : frame;
    nonce = frame.nonce;
    return { type: "error", code: "muted", text: "muted", nonce, retry_after_ms: 540_000 };
  };
  await say(ada.page, "muted words");
  await hints(ada.page, /^An operator has muted you\. Try again in 9 minutes\.$/);
  await ada.page.locator("#outbox .held", { hasText: "Not sent: you are muted." }).waitFor();
  ada.script.fromServer = (frame) => frame;
  await ada.page.click("#outbox button:has-text('Discard')");
  send({ type: "error", code: "surprise", text: "Something that the page does not know." });
  await ada.page.locator(".notice", { hasText: "Something that the page does not know." }).waitFor();
});

// ---- Operators ----

for (const [width, height, colorScheme] of [[1280, 800, "light"], [390, 844, "dark"], [320, 568, "light"]]) {
  await act(`an operator acts on a member, a message and the room, by keyboard alone, ${width} x ${height}`, async () => {
    const ida = await scripted("Ida", { operator: true, options: { viewport: { width, height }, colorScheme } });
    const { page, script } = ida;
    await member(page, "Grace");
    await say(grace.page, `to be deleted at ${width}`);
    await says(page, `to be deleted at ${width}`);
    const press = async (keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    if (width < 1_000) await page.click("#members-toggle");
    const menu = page.getByRole("button", { name: "Act on Grace" });
    assert.equal(await page.locator(".acts-toggle").count(), await page.locator("#member-list .member").count() - 1, "nobody acts on themselves");
    await menu.focus();
    await press(["Enter", "Tab"]);
    assert.equal(await menu.getAttribute("aria-expanded"), "true");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Kick out");
    assert.deepEqual(await faults(page), []);
    await shot(page, `operator-members-${width}`);
    await press(["Tab", "Tab", "Enter"]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Really ban?");
    assert.equal(script.commands.length, 0);
    // Somebody comes in; the menu and the focus stay where they are.
    const guest = await person(browser, "Aaron");
    await logIn(guest.page, base, "Aaron");
    await member(page, "Aaron");
    // The question is taken back after four seconds.
    const asked = await page.evaluate(() => document.activeElement.textContent);
    assert.match(asked, /^(Really ban\?|Ban for a day)$/);
    await press(asked === "Really ban?" ? ["Enter"] : ["Enter", "Enter"]);
    await commanded(ida, "/ban Grace 1d");
    assert.equal(await menu.getAttribute("aria-expanded"), "false");
    await press(["Enter", "Tab", "Tab", "Enter"]);
    await commanded(ida, "/mute Grace 10m");
    await press(["Enter", "Tab", "Escape"]);
    assert.ok(await menu.evaluate((menu) => document.activeElement === menu));
    if (width < 1_000) await press(["Escape"]);
    await guest.leave();

    const settings = page.locator("#settings-toggle");
    assert.equal(await settings.getAttribute("aria-label"), "Settings of the room");
    await settings.focus();
    await press(["Enter", "Tab", "Space"]);
    await commanded(ida, "/lock");
    script.send({ type: "settings", locked: true, slow: 0, private: false, by: "Ida" });
    await page.locator("#rules", { hasText: "Only operators may write" }).waitFor();
    assert.ok(await page.isChecked("#set-locked"));
    assert.equal(await page.getAttribute("#send", "aria-disabled"), "false", "an operator may write");
    await page.selectOption("#set-slow", "30");
    await commanded(ida, "/slow 30");
    script.answer = ({ nonce }) => script.send({ type: "error", code: "not_operator", text: "no", nonce });
    await page.locator("#set-private").click();
    await commanded(ida, "/private");
    await hints(page, /^Only operators can do that\.$/);
    assert.ok(!(await page.isChecked("#set-private")), "a switch that was turned in vain goes back");
    assert.equal(await page.inputValue("#text"), "");
    assert.deepEqual(await faults(page), []);
    await shot(page, `operator-settings-${width}`);
    await page.focus("#set-locked");
    await press(["Escape"]);
    assert.ok(!(await page.locator("#settings").isVisible()));

    const target = page.locator(".message", { hasText: `to be deleted at ${width}` });
    await target.locator("button.delete").focus();
    await press(["Enter", "Enter"]);
    await commanded(ida, `delete ${await target.getAttribute("data-id")}`);
    await page.waitForTimeout(100);
    await shot(page, `operator-log-${width}`);
    await ida.leave();
  });
}

await act("what an operator deletes, one message or all of a member, says by whom", async () => {
  const ida = await scripted("Ida");
  const { page, script } = ida;
  for (const words of ["first of Ida", "second of Ida", "third of Ida"]) await say(page, words);
  await says(page, "third of Ida");
  await page.locator("#outbox li").first().waitFor({ state: "detached" });
  const id = (words) => page.locator(".message", { hasText: words }).getAttribute("data-id").then(Number);
  const [first, last] = [await id("first of Ida"), await id("third of Ida")];
  const isGone = (id) =>
    page.waitForFunction((id) => document.querySelector(`[data-id="${id}"] .words`).textContent === "Message deleted by Grace", id);
  script.send({ type: "deleted", id: last + 1, tag: "00000001", target: first, by: "Grace" });
  await isGone(first);
  assert.ok((await page.innerText("#lines")).includes("second of Ida"));
  script.send({ type: "cleared", id: last + 2, tag: "00000002", user: "Ida", by: "Grace" });
  await isGone(last);
  assert.ok(!(await page.innerText("#lines")).includes("of Ida"));
  await ida.leave();
});

// ---- Out ----

await act("somebody who is kicked stays out until they come back by themselves", async () => {
  const ida = await scripted("Ida");
  const { page, script } = ida;
  await page.fill("#text", "half a word");
  script.send({ type: "error", code: "kicked", text: "kicked" });
  script.close(1008, "kicked");
  await states(page, /^An operator has removed you from this room\.$/);
  await isIn(page, "out");
  for (const event of ["online", "focus"]) await page.evaluate((event) => dispatchEvent(new Event(event)), event);
  await page.press("#text", "Enter");
  await page.waitForTimeout(2_500);
  assert.equal(script.opened, 1, "the page has reconnected");
  assert.equal(await page.inputValue("#text"), "half a word");
  assert.deepEqual(await faults(page), []);
  await page.click("#return");
  await isIn(page, "connected");
  await page.press("#text", "Enter");
  await says(grace.page, "half a word");
  await ida.leave();
});

await act("somebody who is banned sees until when, also when they come again", async () => {
  const ida = await scripted("Ida", { options: { viewport: { width: 320, height: 568 }, colorScheme: "dark" } });
  const { page, script } = ida;
  ida.somebody.expected = LOST;
  script.send({ type: "error", code: "banned", text: "banned", retry_after_ms: 3_600_000 });
  script.close(1008, "banned");
  await states(page, /^You are banned here until .*\d:\d\d.*\.$/);
  assert.ok(!(await page.locator("#return").isVisible()));
  await shot(page, "banned-320");
  // The page itself is cached, or was open in another window; the handshake and the page are refused.
  script.isShut = true;
  await page.reload();
  await ida.context.route(/\/chat\//, (route) =>
    route.request().resourceType() === "fetch" ? route.fulfill({ status: 403, headers: { "retry-after": "2" } }) : route.continue(),
  );
  await page.reload();
  await states(page, /^You are banned here until /);
  await page.locator("#return").waitFor();
  const before = script.opened;
  await page.waitForTimeout(1_500);
  assert.equal(script.opened, before);
  await ida.context.unrouteAll();
  script.isShut = false;
  await page.click("#return");
  await isIn(page, "connected");
  await ida.leave();
});

await ada.leave();
await grace.leave();
await server.stop();

// ---- Without a script between them ----

await act("an operator with a password mutes, kicks and bans, and the banned one is told so by the page, too", async () => {
  const file = join(scratch, "operators");
  writeFileSync(file, execFileSync(process.env.BIN, ["operator", "Op"], { input: "a long secret\n" }), { mode: 0o600 });
  const other = await serve({ data: "moderated", flags: ["--operators-file", file] });
  const [op, bob] = [await person(browser, "Op", { viewport: { width: 1280, height: 800 } }), await person(browser, "Bob")];
  bob.expected = LOST;
  await op.page.goto(`${other.base}/login`);
  await op.page.fill("#username", "Op");
  await op.page.click("main form button");
  await op.page.fill("#password", "a long secret");
  await op.page.click("main form button");
  await isIn(op.page, "connected");
  await logIn(bob.page, other.base, "Bob");
  const acts = async (...labels) => {
    await op.page.getByRole("button", { name: "Act on Bob" }).click();
    for (const label of labels) await op.page.click(`.acts >> text=${label}`);
  };
  await say(bob.page, "hello");
  await says(op.page, "hello");
  await acts("Mute for 10");
  await op.page.locator(".notice", { hasText: "mute Bob" }).waitFor();
  await say(bob.page, "can I?");
  await bob.page.locator("#outbox .held", { hasText: "you are muted" }).waitFor();
  await op.page.locator(".message", { hasText: "hello" }).hover();
  for (const label of ["Delete", "Really delete?"]) await op.page.click(`.message button.delete >> text=${label}`);
  await bob.page.locator(".message.deleted", { hasText: "Message deleted by Op" }).waitFor();
  await op.page.click("#settings-toggle");
  await op.page.click("#set-locked");
  await bob.page.locator("#rules", { hasText: "Only operators may write" }).waitFor();
  await acts("Kick out");
  await isIn(bob.page, "out");
  await bob.page.click("#return");
  await isIn(bob.page, "connected");
  await acts("Ban for a day", "Really ban?");
  await states(bob.page, /^You are banned here until /);
  // In another room it is the handshake that is refused, and the page that says until when.
  await bob.page.fill("#room", "elsewhere");
  await bob.page.press("#room", "Enter");
  await states(bob.page, /^You are banned here until .*\d:\d\d/);
  await bob.page.goto(`${other.base}/chat/`);
  assert.match(await bob.page.innerText("main"), /An operator has banned this name or address until \d{4}-/);
  for (const somebody of [op, bob]) await somebody.leave();
  await other.stop();
});

await browser.close();

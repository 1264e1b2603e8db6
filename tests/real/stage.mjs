// What the browser parts share: servers, people with browsers, and acts that are named as they go.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(`${process.env.TOOLS}/`)("playwright-core");

export const scratch = mkdtempSync(join(tmpdir(), "squall-"));
const servers = new Set();
process.on("exit", () => {
  for (const child of servers) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(143));

// Starts squall; `base` is where it listens, `warnings()` is what
// it has said on standard error, `stop` ends it with SIGTERM and minds how it ends.
export async function serve({ listen = "127.0.0.1:0", data = "data", flags = [] } = {}) {
  const given = ["--listen", listen, "--data-dir", join(scratch, data), "--drain", "5", "--presence-grace", "3", ...flags];
  const child = spawn(process.env.BIN, given, { stdio: ["ignore", "pipe", "pipe"] });
  servers.add(child);
  let warnings = "";
  child.stderr.on("data", (piece) => {
    warnings += piece;
    process.stderr.write(piece);
  });
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
  let said = "";
  const base = await new Promise((resolve, reject) => {
    child.stdout.on("data", (piece) => {
      said += piece;
      const found = said.match(/^squall listening on (http:\S+)\/$/m);
      if (found) resolve(found[1]);
    });
    ended.then((how) => reject(new Error(`squall --listen ${listen} ended with ${how} before it listened`)));
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const how = await ended;
    servers.delete(child);
    if (how !== 0) throw new Error(`squall ended with ${how}`);
  };
  return { base, address: base.replace("http://", ""), warnings: () => warnings, stop };
}

export function launch() {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
  args.push("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage");
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

const people = new Set();

// Somebody with a browser of their own: no cookie is shared. What the console says is their trouble.
export async function person(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 900, height: 600 }, locale: "en-US", ...options });
  const somebody = { name, context, troubles: [], expected: null, leave };
  const trouble = (text) => somebody.expected?.test(text) || somebody.troubles.push(text);
  context.on("console", (message) => ["error", "warning"].includes(message.type()) && trouble(message.text()));
  context.on("weberror", (error) => trouble(String(error.error())));
  people.add(somebody);
  somebody.page = await context.newPage();
  somebody.page.setDefaultTimeout(20_000);
  return somebody;

  async function leave() {
    await context.close();
    people.delete(somebody);
  }
}

// Runs one act; its end is the time to ask whether a console had something to say.
export async function act(title, play) {
  const began = Date.now();
  try {
    await play();
    for (const somebody of people) {
      const troubles = somebody.troubles.splice(0);
      if (troubles.length) throw new Error(`the console of ${somebody.name} says: ${troubles.join(" | ")}`);
    }
  } catch (error) {
    console.log(`WRONG  ${title}`);
    throw error;
  }
  console.log(`ok     ${title} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

// Steps on the chat page.
export const isIn = (page, state) => page.waitForSelector(`#chat[data-state=${state}]`);
export const notice = (page, name, what) => page.waitForSelector(`.notice:has-text("${name} ${what}")`);
export const member = (page, name) => page.locator("#member-list bdi", { hasText: name }).first().waitFor({ state: "attached" });
export const says = (page, words) => page.locator("#lines .message .words", { hasText: words }).last().waitFor();

// The state line says this now or in a moment: a trouble is said when it has lasted for three seconds.
export const states = (page, pattern) =>
  page.waitForFunction((source) => new RegExp(source).test(document.querySelector("#state").textContent), pattern.source);

// The cookies of each name that has logged in: without them the name is taken.
const cookies = new Map();

export async function typesName(page, base, name) {
  await page.context().addCookies(cookies.get(name) ?? []);
  await page.goto(`${base}/login`);
  await page.fill("#username", name);
  await page.click("main form button");
  await page.waitForURL((url) => url.pathname !== "/login");
  cookies.set(name, await page.context().cookies(base));
}

export async function logIn(page, base, name) {
  await typesName(page, base, name);
  await isIn(page, "connected");
}

export async function say(page, words) {
  await page.fill("#text", words);
  await page.press("#text", "Enter");
  await page.waitForFunction(() => document.querySelector("#text").value === "");
}

// The kind of page that a course on asynchronous servers starts with: it opens a WebSocket to an address that is
// written into it, shows each message as it comes and sends what is typed. It must work as it is.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { act, launch, person, serve } from "./stage.mjs";

const www = join(dirname(fileURLToPath(import.meta.url)), "course");
const browser = await launch();

// Two people on one page, who see themselves and each other enter, talk and leave.
async function play(base, path) {
  const pages = [];
  for (const name of ["alice", "张三"]) {
    const somebody = await person(browser, name);
    somebody.expected = /favicon/;
    await somebody.page.goto(`${base}/login?next=${path}`);
    await somebody.page.fill("#username", name);
    await somebody.page.click("main form button");
    await somebody.page.waitForURL(base + path);
    await somebody.page.waitForSelector(`p:text-is("${name} enter room")`);
    pages.push(somebody);
  }
  const [alice, zhang] = pages;
  await send(alice.page, "hello & <b>goodbye</b>");
  await zhang.page.waitForSelector('p:text-is("alice:hello & <b>goodbye</b>")');
  await send(zhang.page, "你好");
  await alice.page.waitForSelector('p:text-is("张三:你好")');
  await zhang.leave();
  await alice.page.waitForSelector('p:text-is("张三 leave room")');
  assert.deepEqual(await alice.page.locator("p").allTextContents(), [
    "alice enter room",
    "张三 enter room",
    "alice:hello & <b>goodbye</b>",
    "张三:你好",
    "张三 leave room",
  ]);
  await alice.leave();
}

async function send(page, words) {
  await page.fill("#message", words);
  await page.click("button");
}

await act("as the template of the chat page, on any port", async () => {
  const server = await serve({ flags: ["--www", www] });
  await play(server.base, "/chat/");
  await server.stop();
});

await act("as a static file with the address ws://127.0.0.1:80/chat/ written into it", async () => {
  const server = await serve({ listen: "127.0.0.1:80", data: "static", flags: ["--www", www] }).catch((error) => {
    throw new Error(`${error.message}: this needs the right to listen on port 80 (root has it), and nobody else there`);
  });
  await play("http://127.0.0.1", "/static/course.html");
  const form = new URLSearchParams({ username: "bob" });
  const login = await fetch("http://127.0.0.1/login", { method: "POST", body: form, redirect: "manual" });
  const cookie = login.headers.get("set-cookie").split(";")[0];
  for (const path of ["/static/course.html", "/chat/"]) {
    const { status, headers } = await fetch(`http://127.0.0.1${path}`, { headers: { cookie } });
    assert.equal(status, 200, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("content-security-policy"), null, path);
  }
  await server.stop();
});

await browser.close();

// The chat behind nginx: as the README sets it up, and as it is when the lines for Upgrade are forgotten.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { act, isIn, launch, logIn, person, say, says, scratch, serve, states, typesName } from "./stage.mjs";

const REFUSED = /WebSocket connection to .* failed|status of 502/;
const HINT = /^Pages load, the chat does not: perhaps a proxy does not pass on Upgrade\. Trying again in \d+ s$/;
const UPGRADE = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;";
const browser = await launch();

// nginx on a port of its own, before a server; `lines` are those of its location.
async function nginx(server, lines) {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address();
  free.close();
  const folder = join(scratch, `nginx-${port}`);
  mkdirSync(folder);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
  const write = (lines) =>
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; pid ${folder}/pid; error_log ${folder}/errors;
      events {}
      http {
        access_log off; ${temporary.join(" ")}
        map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
        server {
          listen 127.0.0.1:${port};
          location / { proxy_pass ${server.base}; proxy_set_header Host $http_host; ${lines} }
        }
      }`,
    );
  write(lines);
  const child = spawn("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")], { stdio: ["ignore", "inherit", "ignore"] });
  const end = () => child.kill("SIGTERM");
  process.on("exit", end);
  const base = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100 && !(await fetch(`${base}/healthz`).then(() => true, () => false)); tries++) {
    await new Promise((later) => setTimeout(later, 50));
  }
  const reload = (lines) => (write(lines), child.kill("SIGHUP"));
  const stop = async () => (end(), await once(child, "exit"));
  return { base, reload, stop };
}

const stripped = (server) => server.warnings().match(/ WARN .*\/chat\/ was asked for by a script without an upgrade/g)?.length ?? 0;

for (const [title, lines] of [
  ["no line for Upgrade", ""],
  ["no line for Upgrade, but HTTP/1.1", "proxy_http_version 1.1;"],
  ["Upgrade over HTTP/1.0", UPGRADE],
]) {
  await act(`${title}: the page says what may be wrong, the log says it once, and a mended proxy is found`, async () => {
    const server = await serve();
    const proxy = await nginx(server, lines);
    const ada = await person(browser, "Ada", { viewport: { width: 320, height: 256 } });
    ada.expected = REFUSED;
    await typesName(ada.page, proxy.base, "Ada");
    await states(ada.page, HINT);
    assert.equal(await ada.page.evaluate(() => document.documentElement.scrollHeight - innerHeight), 0);
    assert.ok(await ada.page.locator("#log").evaluate((log) => log.clientHeight > 32));
    // It goes on to say so, and the log does not.
    for (let tries = 0; tries < 2; tries++) {
      await ada.page.evaluate(() => document.querySelector("#retry").click());
      await states(ada.page, HINT);
    }
    assert.equal(stripped(server), 1, server.warnings());
    proxy.reload(`proxy_http_version 1.1; ${UPGRADE}`);
    // By itself the page tries again in up to half a minute by now.
    const state = () => ada.page.getAttribute("#chat", "data-state");
    for (let tries = 0; tries < 40 && (await state()) !== "connected"; tries++) {
      await ada.page.evaluate(() => document.querySelector("#retry").click());
      await ada.page.waitForTimeout(500);
    }
    assert.equal(await ada.page.textContent("#state"), "Connected");
    await ada.leave();
    await proxy.stop();
    await server.stop();
  });
}

// A proxy that passes pages on and does with a handshake what `meet` does.
async function strange(server, meet) {
  const door = createServer((client) => {
    const squall = connect(new URL(server.base).port, "127.0.0.1");
    let isHandshake = false;
    client.on("data", (bytes) => {
      isHandshake ||= /^upgrade: websocket/im.test(bytes.toString("latin1"));
      isHandshake ? meet(client, squall, bytes) : squall.write(bytes);
    });
    squall.on("data", (bytes) => isHandshake || client.write(bytes));
    for (const [one, other] of [[client, squall], [squall, client]]) one.on("error", () => {}).on("close", () => other.destroy());
  });
  await once(door.listen(0, "127.0.0.1"), "listening");
  return { base: `http://127.0.0.1:${door.address().port}`, close: () => door.close() };
}

for (const [title, meet] of [
  ["refuses a handshake", (client) => client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")],
  ["cuts a handshake off", (client) => client.destroy()],
  ["never answers a handshake", () => {}],
  ["lets a handshake in and then swallows everything", (client, squall, bytes) => {
    squall.once("data", (answer) => client.write(answer.subarray(0, answer.indexOf("\r\n\r\n") + 4)));
    squall.write(bytes);
  }],
]) {
  await act(`a proxy that ${title} is hinted at on the page`, async () => {
    const server = await serve();
    const proxy = await strange(server, meet);
    const ada = await person(browser, "Ada");
    ada.expected = /WebSocket/;
    await ada.page.clock.install();
    await typesName(ada.page, proxy.base, "Ada");
    for (let seconds = 0; seconds < 24 && !HINT.test(await ada.page.textContent("#state")); seconds += 2) {
      await ada.page.clock.runFor(2_000);
      await ada.page.waitForTimeout(100);
    }
    assert.match(await ada.page.textContent("#state"), HINT);
    assert.equal(stripped(server), 0);
    await ada.leave();
    proxy.close();
    await server.stop();
  });
}

await act("as the README sets it up the chat works, and a server that is away is no proxy that does not pass on", async () => {
  const server = await serve();
  const proxy = await nginx(server, `proxy_http_version 1.1; ${UPGRADE}`);
  const ada = await person(browser, "Ada");
  const zhang = await person(browser, "张三", { locale: "zh-CN" });
  await logIn(ada.page, proxy.base, "Ada");
  await logIn(zhang.page, proxy.base, "张三");
  await say(ada.page, "through nginx");
  await says(zhang.page, "through nginx");
  ada.expected = zhang.expected = REFUSED;
  await server.stop();
  await states(ada.page, /Connection lost/);
  for (let tries = 0; tries < 3; tries++) {
    await ada.page.evaluate(() => document.querySelector("#retry").click());
    await states(ada.page, /Connection lost/);
  }
  await states(zhang.page, /连接断开/);
  assert.equal(stripped(server), 0);
  await ada.leave();
  await zhang.leave();
  await proxy.stop();
});

await browser.close();

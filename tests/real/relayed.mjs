// Pages of a search site in Chromium, each opened at its site and then relayed by squall: text, encoding, doctype,
// links, pictures and style sheets must be the same. Scripts are off both times, since nothing runs in what is relayed.
// Not here: a base that is no URL. Chromium drops every relative link then; squall passes it over, as the standard says.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { act, launch, person, serve } from "./stage.mjs";

const dot = `<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"><rect width="7" height="7"/></svg>`;
const rest = `<link rel=stylesheet href=style.css></head><body class=b><h1>Grüße 中文</h1><img src=dot.svg><img src=/dot.svg>
<a href=next>a</a><a href=?q>b</a><a href=//other.test/x>c</a><a href="">d</a><p id=p>x</p>`;
const latin = rest.replace("Grüße 中文", "hello");
const utf8 = (text) => [Buffer.from(text)];
const utf16 = (text) => [Buffer.from(`\ufeff${text}`, "utf16le")];
const gbk = Buffer.from([0xd6, 0xd0, 0xce, 0xc4]); // 中文
const withGbk = (before) => [Buffer.concat([Buffer.from(before), gbk, Buffer.from("</h1><img src=dot.svg><a href=x>a</a>")])];
// A page whose <meta charset> ends with the byte 1,024.
const upTo1024 = (before, meta) => `${before}${meta}`.replace("~", "x".repeat(1025 - before.length - meta.length));

const PAGES = {
  plain: utf8(`<!doctype html><html lang=de class=c><head><meta charset=utf-8><title>t</title>${rest}`),
  "no head and no doctype": utf8(`<p id=p>hello<img src=dot.svg><a href=next>a</a>`),
  "quirks mode": utf8(`<html><head><meta charset=utf-8>${rest}<table><tr><td id=q>x</table>`),
  "a doctype of HTML 4": utf8(
    `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
    <html><head><meta http-equiv=Content-Type content="text/html; charset=utf-8">${rest}`),
  "a comment before the doctype": utf8(`<!-- <base href=/> > -->\n<!doctype html><meta charset=utf-8><title>t</title>${rest}`),
  "its own base /": utf8(`<!doctype html><head><meta charset=utf-8><base href="/"><title>t</title>${rest}`),
  "its own base, relative": utf8(`<!doctype html><head><meta charset=utf-8><base href="../other/"><title>t</title>${rest}`),
  "its own base, with a query": utf8(`<!doctype html><meta charset=utf-8><base href="/other/?a=1&amp;b=&#50;">${rest}`),
  "its own base, on another host": utf8(`<!doctype html><meta charset=utf-8><base href="http://localhost:PORT/other/">${rest}`),
  "its own base, without a scheme": utf8(`<!doctype html><meta charset=utf-8><base href=//localhost:PORT/other/>${rest}`),
  "its own base, behind a style": utf8(
    `<!doctype html><head><style>i{color:red}</style><script>"<base href=/no>"</script><meta charset=utf-8><base href=/>${rest}`),
  "two bases": utf8(`<!doctype html><meta charset=utf-8><base target=_self><base href="/"><base href="/other/">${rest}`),
  "a base that is a script": utf8(`<!doctype html><meta charset=utf-8><base href="javascript:x">${rest}`),
  "a base in a comment": utf8(`<!doctype html><meta charset=utf-8><!-- <base href="/other/"> -->${rest}`),
  "a base in a noscript": utf8(`<!doctype html><meta charset=utf-8><noscript><base href="/"></noscript>${rest}`),
  "a policy about bases": utf8(
    `<!doctype html><meta charset=utf-8><meta http-equiv=Content-Security-Policy content="base-uri 'none'">${rest}`),
  "UTF-8 with a mark": utf8(`\ufeff<!doctype html>${rest}`),
  "a mark cut in two": [Buffer.from([0xef]), Buffer.concat([Buffer.from([0xbb, 0xbf]), ...utf8(`<!doctype html>${rest}`)])],
  "a mark cut in three": [[0xef], [0xbb], [0xbf]].map(Buffer.from).concat(utf8(`<!doctype html><base href=/>${rest}`)),
  "cut in every tag": utf8(`<!doctype html><meta charset=utf-8><base href="/">${rest}`)[0].toString("latin1").match(/[^]{1,9}/g)
    .map((piece) => Buffer.from(piece, "latin1")),
  "UTF-16, little end first": utf16(`<!doctype html><title>t</title>${rest}`),
  "UTF-16, big end first": utf16(`<!doctype html><title>t</title>${rest}`).map((bytes) => Buffer.from(bytes).swap16()),
  "a mark of UTF-16 cut in two": [[0xff], [0xfe]].map(Buffer.from).concat(utf16(`<!doctype html>${rest}`)[0].subarray(2)),
  GBK: withGbk(`<!doctype html><meta charset=gbk><title>t</title><h1>`),
  "GBK by a pragma": withGbk(`<!doctype html><meta http-equiv="content-type" content="text/html; charset=gbk"><h1>`),
  "GBK in the last of 1,024 bytes": withGbk(upTo1024("<!doctype html><title>~</title>", "<meta charset=gbk>") + "<h1>"),
  "the same behind a link": withGbk(upTo1024("<!doctype html><link rel=x href=~>", "<meta charset=gbk>") + "<h1>"),
  "the same behind a base": withGbk(upTo1024("<!doctype html><base href=/?~>", "<meta charset=gbk>") + "<h1>"),
  "a frameset": utf8(`<html><head><title>t</title></head><frameset cols=*><frame src=frame><frame src=/frame></frameset>`),
  "text only": utf8(latin.replace(/<[^>]*>/g, "")),
};

const site = createServer(async (request, response) => {
  const url = new URL(request.url, "http://site");
  if (url.pathname.endsWith("dot.svg")) return response.writeHead(200, { "Content-Type": "image/svg+xml" }).end(dot);
  if (url.pathname.endsWith("style.css"))
    return response.writeHead(200, { "Content-Type": "text/css" }).end(`#p{color:rgb(1,2,${url.pathname.length})}`);
  if (url.pathname.endsWith("frame")) return response.writeHead(200, { "Content-Type": "text/html" }).end("<p>frame");
  if (url.pathname === "/s") return response.writeHead(302, { Location: `/deep/er/page${url.search}` }).end();
  const name = url.searchParams.get("wd");
  response.writeHead(200, { "Content-Type": "text/html" });
  for (const piece of PAGES[name] ?? [Buffer.from("no such page")]) {
    response.write(Buffer.from(piece.toString("latin1").replace("PORT", site.address().port), "latin1"));
    await new Promise((later) => setTimeout(later, PAGES[name]?.length > 3 ? 5 : 60));
  }
  response.end();
});
await new Promise((listening) => site.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${site.address().port}`;

const browser = await launch();
const server = await serve({ flags: ["--search-url", `${origin}/s?wd={}`] });
const reader = await person(browser, "the reader", { javaScriptEnabled: false });
reader.expected = /./; // what the site's pages do wrong is not ours

// What a visitor would notice. The base elements themselves are left out, ours is one of them.
function facts() {
  const loaded = (image) => `${image.src} ${image.complete && image.naturalWidth}`;
  const color = (id) => document.getElementById(id) && getComputedStyle(document.getElementById(id)).color;
  return {
    encoding: document.characterSet,
    mode: document.compatMode,
    doctype: document.doctype && `${document.doctype.name} ${document.doctype.publicId}`,
    root: [...document.documentElement.attributes].map(({ name, value }) => `${name}=${value}`),
    body: document.body.nodeName + document.body.className,
    title: document.title,
    text: document.body.textContent,
    links: [...document.querySelectorAll("a, link, frame")].map((element) => element.href || element.src),
    images: [...document.images].map(loaded),
    color: color("p"),
  };
}

async function seen(address) {
  await reader.page.goto(address, { waitUntil: "load" });
  return reader.page.evaluate(facts);
}

let wrong = 0;
for (const name of Object.keys(PAGES)) {
  const words = encodeURIComponent(name);
  const direct = await seen(`${origin}/s?wd=${words}`);
  const relayed = await seen(`${server.base}/search?wd=${words}`);
  if (name.includes("UTF-16")) for (const page of [direct, relayed]) delete page.links, delete page.images, delete page.color;
  try {
    await act(`a page with ${name} is the same when it is relayed`, async () => assert.deepEqual(relayed, direct));
  } catch (error) {
    wrong += 1;
    console.log(error.message);
  }
}

await reader.leave();
await server.stop();
await browser.close();
site.close();
site.closeAllConnections();
process.exitCode = wrong ? 1 : 0;

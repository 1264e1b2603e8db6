"""A Tornado application beside squall, with the same cookie secret: each accepts whom the other has let in.

BASE is where squall listens, SECRET_FILE what it signs with.
"""

import asyncio
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.httputil import url_concat
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import websocket_connect

BASE = os.environ["BASE"]
SECRET = Path(os.environ["SECRET_FILE"]).read_bytes().rstrip(b"\n").decode()
wrong = 0


class Login(RequestHandler):
    def get(self):
        self.set_signed_cookie("username", self.get_argument("name"))


class Who(RequestHandler):
    def get(self):
        self.write(self.get_signed_cookie("username") or b"")


def tornado_with(secret):
    """Starts the application with a secret; answers its address."""
    listener, port = bind_unused_port()
    HTTPServer(Application([("/login", Login), ("/who", Who)], cookie_secret=secret)).add_sockets([listener])
    return f"http://127.0.0.1:{port}"


def check(what, wanted, got):
    global wrong
    if wanted == got:
        print(f"ok     {what}")
    else:
        wrong += 1
        print(f"WRONG  {what}\n       wanted {wanted!r}\n       got    {got!r}")


known = {}


async def ask(url, cookie=None, **more):
    headers = {"Cookie": f"username={cookie}"} if cookie else {}
    request = HTTPRequest(url, headers=headers, follow_redirects=False, request_timeout=20, **more)
    return await AsyncHTTPClient().fetch(request, raise_error=False)


def cookie_of(response):
    """The value as it stands in Set-Cookie, quotes and all, which is how a browser sends it back."""
    return re.match("username=([^;]*)", response.headers["Set-Cookie"])[1]


async def from_squall(name):
    """Of the first login: the name belongs to this cookie."""
    if name not in known:
        known[name] = cookie_of(await ask(f"{BASE}/login", method="POST", body=urlencode({"username": name})))
    return known[name]


async def from_tornado(at, name):
    return cookie_of(await ask(url_concat(f"{at}/login", {"name": name})))


async def who_in_tornado(at, cookie):
    return (await ask(f"{at}/who", cookie)).body.decode()


async def who_in_squall(cookie):
    """The name on the chat page, or the status that is not 200."""
    answer = await ask(f"{BASE}/chat/", cookie)
    return re.search('data-user="([^"]*)"', answer.body.decode())[1] if answer.code == 200 else answer.code


async def cookies():
    friend, stranger = tornado_with(SECRET), tornado_with("another secret")
    for name in ("alice", "张三"):
        ours = await from_squall(name)
        check(f"Tornado knows {name} from squall", name, await who_in_tornado(friend, ours))
        check("quoted, too", name, await who_in_tornado(friend, f'"{ours}"'))
        check("with another secret it does not", "", await who_in_tornado(stranger, ours))
        check("nor if it was tampered with", "", await who_in_tornado(friend, ours.replace("|1:0|", "|1:1|")))

        theirs = await from_tornado(friend, name)
        bare = theirs.strip('"')
        check(f"squall knows {name} from Tornado", name, await who_in_squall(theirs))
        check("without quotes", name, await who_in_squall(bare))
        check("with quotes", name, await who_in_squall(f'"{bare}"'))
        escaped = bare.replace("=", r"\075").replace("|", r"\174")
        check("with quotes and escapes", name, await who_in_squall(f'"{escaped}"'))
        check("signed with another secret it does not", 303, await who_in_squall(await from_tornado(stranger, name)))
        check("nor if it was tampered with", 303, await who_in_squall(bare[:-1] + ("0" if bare[-1] != "0" else "1")))
    check("alice from Tornado comes in quotes", '"', (await from_tornado(friend, "alice"))[0])
    check("a name that squall would not give is no login", 303, await who_in_squall(await from_tornado(friend, "a:b")))


async def join(cookie):
    request = HTTPRequest(BASE.replace("http:", "ws:") + "/chat/", headers={"Cookie": f"username={cookie}"})
    return await websocket_connect(request)


async def chat():
    """Tornado's WebSocket client in the room, once with a cookie of squall's and once with one of Tornado's."""
    alice = await join(await from_squall("alice"))
    check("alice sees herself enter", "alice enter room", await alice.read_message())
    zhang = await join(await from_tornado(tornado_with(SECRET), "张三"))
    for member in (alice, zhang):
        check("both see 张三 enter", "张三 enter room", await member.read_message())
    await alice.write_message("hello: you")
    await zhang.write_message("你好")
    for member in (alice, zhang):
        lines = {await member.read_message(), await member.read_message()}
        check("both read both", {"alice:hello: you", "张三:你好"}, lines)
    zhang.close(1000, "bye")
    check("alice sees 张三 leave", "张三 leave room", await alice.read_message())
    check("the close handshake is complete", (None, 1000), (await zhang.read_message(), zhang.close_code))
    await alice.write_message(b"\x00", binary=True)
    lines = [await alice.read_message()]
    check("binary closes with 1003", ([None], 1003), (lines, alice.close_code))
    try:
        await join("2|1:0|10:1700000000|8:username|8:YWxpY2U=|" + "0" * 64)
        check("a forged cookie is refused", 401, "let in")
    except HTTPClientError as error:
        check("a forged cookie is refused", 401, error.code)


async def main():
    await asyncio.wait_for(cookies(), 60)
    await asyncio.wait_for(chat(), 60)
    return wrong != 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(asyncio.run(main()))

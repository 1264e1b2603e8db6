"""The paths of the table on tornado's own server: tornado_site.py PORT WWW."""

import asyncio
import sys

from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler
from tornado.websocket import WebSocketHandler


class Page(RequestHandler):
    def initialize(self, kind, body):
        self.kind, self.body = kind, body

    def get(self):
        self.set_header("Content-Type", self.kind)
        self.write(self.body)

    head = get

    def options(self):
        self.set_header("Allow", "GET, HEAD, OPTIONS")
        self.set_status(204)


class Login(RequestHandler):
    def post(self):
        self.get_body_argument("username")
        self.redirect("/plain", status=303)

    def options(self):
        self.set_header("Allow", "POST, OPTIONS")
        self.set_status(204)


class Echo(WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)


class Chat(WebSocketHandler):
    def prepare(self):
        raise HTTPError(403)


async def main(port, www):
    site = Application(
        [
            ("/", Page, {"kind": "text/html; charset=utf-8", "body": "<!doctype html><p>Hello"}),
            ("/plaintext", Page, {"kind": "text/plain", "body": "Hello, World!"}),
            ("/login", Login),
            ("/echo", Echo),
            ("/chat/", Chat),
            ("/static/(.*)", StaticFileHandler, {"path": www + "/static"}),
        ]
    )
    site.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

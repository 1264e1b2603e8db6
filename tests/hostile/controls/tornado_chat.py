"""tornado_chat.py PORT: Tornado with a room, and the deadlines it has set to those of squall."""

import asyncio
import logging
import socket
import sys

import tornado.httpserver
import tornado.web
import tornado.websocket


class Plaintext(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain")
        self.write("Hello, World!")

    post = head = get


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message):
        await self.write_message(message, binary=isinstance(message, bytes))


class Chat(tornado.websocket.WebSocketHandler):
    members = set()

    def open(self):
        self.members.add(self)

    def on_close(self):
        self.members.discard(self)

    def on_message(self, message):
        for member in list(self.members):
            try:
                member.write_message(message)
            except tornado.websocket.WebSocketClosedError:
                pass


async def main(port):
    logging.disable(logging.CRITICAL)
    pages = [("/", Plaintext), ("/plaintext", Plaintext), ("/login", Plaintext), ("/echo", Echo), ("/chat/", Chat)]
    site = tornado.web.Application(pages, websocket_max_message_size=16 << 20)
    server = tornado.httpserver.HTTPServer(site, idle_connection_timeout=10, body_timeout=10)
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    server.add_socket(listener)
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1])))

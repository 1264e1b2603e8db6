"""tornado_site.py PORT UPSTREAM: Tornado with what the bench asks for; {} in UPSTREAM is where a search's words go."""

import asyncio
import logging
import socket
import sys

from tornado import httpclient, httpserver, web, websocket


class Plaintext(web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain")
        self.write("Hello, World!")


class Search(web.RequestHandler):
    async def get(self):
        url = sys.argv[2].replace("{}", self.get_query_argument("wd"))
        answer = await httpclient.AsyncHTTPClient().fetch(url, raise_error=False)
        self.set_status(answer.code)
        self.write(answer.body)


class Echo(websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


class Chat(websocket.WebSocketHandler):
    members = set()

    def open(self):
        self.members.add(self)

    def on_close(self):
        self.members.discard(self)

    def on_message(self, message):
        for member in self.members:
            member.write_message(message)


async def main(port):
    logging.disable(logging.CRITICAL)
    pages = [("/plaintext", Plaintext), ("/search", Search), ("/echo", Echo), ("/chat/", Chat)]
    site = web.Application(pages, websocket_max_message_size=16 << 20, log_function=lambda _: None)
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    httpserver.HTTPServer(site).add_socket(listener)
    await asyncio.Event().wait()


asyncio.run(main(int(sys.argv[1])))

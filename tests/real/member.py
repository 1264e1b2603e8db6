"""A client of squall.v1 that loses nothing: an outbox with nonces, resume, and a journal for `squall verify`."""

import asyncio
import json
import random
import urllib.error
import urllib.parse
import urllib.request
from collections import deque

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException

# Seconds, at most, until a connection is open.
OPEN_WITHIN = 5
# Seconds between two attempts to connect, at most.
PAUSE_MOST = 0.1
# Seconds until a message that was refused is sent again, at most: less than a server asks for, to meet more failures.
RETRY_MOST = 0.3
# Refusals after which a message is sent again.
PASSING = {"too_fast", "busy", "storage"}
# Refusals that end a deletion: it was done before, or the message is gone.
SETTLED = {"no_such_message"}


def login(base, name):
    """The Cookie field of a user."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)
    form = urllib.parse.urlencode({"username": name}).encode()
    try:
        opener.open(f"{base}/login", form, timeout=10)
    except urllib.error.HTTPError as response:
        if response.status == 303:
            return response.headers["Set-Cookie"].split(";")[0]
    raise AssertionError(f"{name} could not log in")


def fetch_json(url, cookie):
    """What a GET responds with."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers={"Cookie": cookie}), timeout=10) as response:
        return json.load(response)


class Journal:
    """Lines in the order in which a client did or saw things."""

    def __init__(self, path, **fields):
        self.file = open(path, "w", encoding="utf-8")
        self.fields = fields

    def write(self, event, **fields):
        self.file.write(json.dumps(self.fields | {"event": event} | fields) + "\n")

    def close(self):
        self.file.close()


class Member:
    """One client. It connects for as long as it runs; `say` and `delete` work while it is cut off, too."""

    def __init__(self, name, address, cookie, room, journal, seed):
        self.name, self.cookie, self.journal = name, cookie, journal
        self.url = f"ws://{address}/chat/?" + urllib.parse.urlencode({"room": room})
        self.rng = random.Random(seed)
        # What is not acknowledged yet, by nonce, in the order in which it is sent.
        self.outbox = {}
        # Nonces of the outbox that wait to be sent on this connection, and whether there are any.
        self.unsent, self.has_unsent = deque(), asyncio.Event()
        self.position, self.gaps, self.connects = None, [], 0
        # Messages that were stored though the acknowledgement did not come.
        self.found = 0
        # Ids of own messages that are stored and were not deleted.
        self.own = []
        # Nonces of what is stored.
        self.struck = set()
        # Whether this connection has had its welcome.
        self.is_in = False
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self.socket = None
        self.wrong = []

    @property
    def id(self):
        return int(self.position.split(".")[0]) if self.position else 0

    def say(self, text):
        self._add({"type": "message", "text": text})

    def delete(self, id):
        self._add({"type": "delete", "id": id})

    async def leave(self):
        """Goes, and stays away until `may_connect` is set."""
        self.may_connect.clear()
        if self.socket:
            await self.socket.close()

    async def run(self):
        while True:
            await self.may_connect.wait()
            since = {"since": self.position} if self.position else {}
            url = self.url + ("&" + urllib.parse.urlencode(since) if since else "")
            try:
                async with connect(url, subprotocols=["squall.v1"], additional_headers={"Cookie": self.cookie}, proxy=None,
                                   compression=None, ping_interval=None, open_timeout=OPEN_WITHIN, close_timeout=1) as socket:
                    self.connects += 1
                    self.journal.write("connected", user=self.name, **since)
                    await self._session(socket)
            except (OSError, TimeoutError, EOFError, WebSocketException, InvalidHandshake, InvalidMessage):
                pass
            await asyncio.sleep(self.rng.uniform(0, PAUSE_MOST))

    async def _session(self, socket):
        self.socket = socket
        pump = asyncio.create_task(self._pump(socket))
        try:
            async for frame in socket:
                self._take(json.loads(frame))
        finally:
            self.socket, self.is_in = None, False
            pump.cancel()
            await asyncio.wait([pump])
            if not pump.cancelled() and not isinstance(pump.exception(), WebSocketException):
                self.wrong.append(f"{self.name} cannot send: {pump.exception()!r}")
            self.journal.write("disconnected")

    def _take(self, frame):
        kind = frame.pop("type")
        match kind:
            case "welcome":
                # The position moves before anything else is done.
                self.position = frame["position"]
                self.journal.write("welcome", **{name: frame[name] for name in ("position", "resumed", "history")})
                for entry in frame["history"]:
                    self.found += self._strike(entry.get("nonce"), entry["id"])
                self.is_in = True
                self.unsent = deque(self.outbox)
                self.has_unsent.set()
            case "message" | "deleted" | "cleared":
                self.position = f"{frame['id']}.{frame['tag']}"
                self.journal.write("saw", entry={"type": kind} | frame)
            case "ack":
                self.journal.write("acked", nonce=frame["nonce"], id=frame["id"])
                self._strike(frame["nonce"], frame["id"])
            case "error":
                self._refused(frame)
            case "gap":
                self.gaps.append(frame["reason"])
                self.is_in = False
                self.journal.write("gap", reason=frame["reason"])
                # Under the ids that were its own there may be other messages now.
                self.own.clear()
                self.outbox = {nonce: sent for nonce, sent in self.outbox.items() if sent["type"] == "message"}
            case "enter" | "leave" | "presence":
                pass
            case _:
                self.wrong.append(f"{self.name} got a frame {kind}")

    def _strike(self, nonce, id):
        """The message is stored. Returns whether that is news."""
        sent = self.outbox.pop(nonce, None)
        self.struck.add(nonce)
        if sent and sent["type"] == "message":
            self.own.append(id)
        return sent is not None

    def _refused(self, frame):
        code, nonce = frame["code"], frame.get("nonce")
        if code in PASSING | SETTLED and nonce in self.struck:
            # It was on its way twice, and the other one was stored.
            return
        if nonce in self.outbox:
            if code != "storage":
                # Of a write or a sync that has failed nothing is known: a kill may find it in the log.
                self.journal.write("refused", nonce=nonce, code=code)
            sent = self.outbox[nonce]
            if code in PASSING:
                wait = min(frame.get("retry_after_ms", 100) / 1000, RETRY_MOST)
                asyncio.get_running_loop().call_later(wait, self._again, nonce)
                return
            del self.outbox[nonce]
            if sent["type"] == "delete" and code in SETTLED:
                return
        self.wrong.append(f"{self.name} got an error {code}: {frame['text']}")

    def _again(self, nonce):
        if nonce in self.outbox and nonce not in self.unsent:
            # Behind what was sent since.
            self.outbox[nonce] = self.outbox.pop(nonce)
            self.unsent.append(nonce)
            self.has_unsent.set()

    def _add(self, frame):
        nonce = f"{self.rng.getrandbits(128):032x}"
        self.outbox[nonce] = frame | {"nonce": nonce}
        self.unsent.append(nonce)
        self.has_unsent.set()

    async def _pump(self, socket):
        """Sends what waits, in its order, once the connection has had its welcome."""
        while True:
            await self.has_unsent.wait()
            self.has_unsent.clear()
            while self.is_in and self.unsent:
                frame = self.outbox.get(self.unsent.popleft())
                if frame is None:
                    continue
                what = {"text": frame["text"]} if frame["type"] == "message" else {"target": frame["id"]}
                self.journal.write("sent", nonce=frame["nonce"], **what)
                await socket.send(json.dumps(frame))

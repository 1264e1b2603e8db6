"""A client of the chat over HTTP that loses nothing: it follows a room by Server-Sent Events and posts with nonces."""

import asyncio
import json
import random
from urllib.parse import quote

# Seconds that a request may take, and that a stream may be without its head.
WITHIN = 5
# Seconds between two attempts, at most.
PAUSE_MOST = 0.1
# Statuses after which a message is posted again.
PASSING = {429, 503}


class Script:
    """One client. What others see of it is as of `Member`."""

    def __init__(self, name, address, cookie, room, journal, seed):
        self.name, self.cookie, self.journal = name, cookie, journal
        self.host, port = address.split(":")
        self.port, self.path = int(port), f"/api/rooms/{quote(room)}"
        self.rng = random.Random(seed)
        self.outbox, self.has_unsent = {}, asyncio.Event()
        self.position, self.gaps, self.connects, self.found = "", [], 0, 0
        # It deletes nothing.
        self.own = []
        self.is_in = False
        self.wrong = []

    @property
    def id(self):
        return int(self.position.split(".")[0]) if self.position else 0

    def say(self, text):
        self.outbox[f"{self.rng.getrandbits(128):032x}"] = text
        self.has_unsent.set()

    async def run(self):
        await asyncio.gather(self._follow(), self._post())

    async def _follow(self):
        while True:
            try:
                await self._stream()
            except (OSError, EOFError, TimeoutError, ValueError):
                pass
            await asyncio.sleep(self.rng.uniform(0, PAUSE_MOST))

    async def _stream(self):
        fields = f"Last-Event-ID: {self.position}\r\n" if self.position else ""
        async with asyncio.timeout(WITHIN):
            reader, writer, status, head = await self._request(f"GET {self.path}/events", fields)
        try:
            if status != 200:
                return
            self.connects += 1
            self.journal.write("connected", user=self.name, **({"since": self.position} if self.position else {}))
            self.is_in = True
            await self._events(reader)
        finally:
            if self.is_in:
                self.journal.write("disconnected")
            self.is_in = False
            writer.close()

    async def _events(self, reader):
        text, id, data = b"", None, None
        while size := int(await reader.readline(), 16):
            text += (await reader.readexactly(size + 2))[:-2]
            *lines, text = text.split(b"\n")
            for line in map(bytes.decode, lines):
                if line.startswith("id: "):
                    id = line[4:]
                elif line.startswith("data: "):
                    data = json.loads(line[6:])
                elif not line:
                    # An id without data counts, too: it is the position in a room without entries.
                    self.position = id or self.position
                    if data:
                        self._take(data)
                    id = data = None

    def _take(self, data):
        if data["type"] in ("message", "deleted", "cleared"):
            self.journal.write("saw", entry=data)
        elif data["type"] == "gap":
            # What follows takes the place of what it has; there is no welcome in a stream.
            self.position = "0.0"
            self.gaps.append(data["reason"])
            self.journal.write("gap", reason=data["reason"])
            self.journal.write("welcome", resumed=False, history=[])

    async def _post(self):
        while True:
            await self.has_unsent.wait()
            if not self.outbox:
                self.has_unsent.clear()
                continue
            nonce, text = next(iter(self.outbox.items()))
            # Only a client that has been in the room says anything in its journal.
            if not self.connects or not await self._post_once(nonce, text):
                await asyncio.sleep(self.rng.uniform(0, PAUSE_MOST))

    async def _post_once(self, nonce, text):
        """Returns whether it was told what became of the message."""
        body = json.dumps({"text": text, "nonce": nonce}).encode()
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        self.journal.write("sent", nonce=nonce, text=text)
        try:
            async with asyncio.timeout(WITHIN):
                reader, writer, status, head = await self._request(f"POST {self.path}/messages", fields, body)
                response = await reader.readexactly(int(head["content-length"]))
                writer.close()
        except (OSError, EOFError, TimeoutError, ValueError):
            return False
        if status in (200, 201):
            self.journal.write("acked", nonce=nonce, id=json.loads(response)["id"])
            del self.outbox[nonce]
            # 200: it was stored before.
            self.found += status == 200
            return True
        if status not in PASSING:
            self.wrong.append(f"{self.name} posted and got {status}: {response[:200]}")
            del self.outbox[nonce]
        if status != 503:
            # Of a write or a sync that has failed nothing is known: a kill may find it in the log.
            self.journal.write("refused", nonce=nonce, code=status)
        return False

    async def _request(self, line, fields, body=b""):
        """Reader and writer of a connection, behind the head of a response; its status and fields."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            head = f"{line} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nCookie: {self.cookie}\r\n{fields}\r\n"
            writer.write(head.encode() + body)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            names = dict(line.lower().split(": ", 1) for line in lines[1:-2])
            return reader, writer, int(lines[0].split()[1]), names
        except BaseException:
            writer.close()
            raise

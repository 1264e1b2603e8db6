"""A proxy that cuts, delays and splits at random: what a bad network does to a connection."""

import asyncio
import random

# Bytes that a connection carries before it is cut, at most.
CARRIED_MOST = 20_000
# Seconds that a piece is held back, at most.
HELD_MOST = 0.02
# Seconds that a connection is silent before it is cut, at most.
SILENT_MOST = 0.3


class Cutter:
    """Listens on a port of its own and leads to another one of this machine."""

    def __init__(self, port, seed):
        self.port, self.seed, self.count = port, seed, 0
        # Whether it only passes on.
        self.is_calm = False
        self.cuts = 0
        self.server = None
        self.tasks = set()

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    def stop(self):
        self.server.close()
        for task in self.tasks:
            task.cancel()

    async def _serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        self.count += 1
        rng = random.Random(f"{self.seed}/{self.count}")
        try:
            beyond, to_beyond = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.transport.abort()
            return
        carried = [rng.randint(1, CARRIED_MOST)]
        ways = [asyncio.create_task(self._carry(*way, carried, rng)) for way in ((reader, to_beyond), (beyond, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, to_beyond):
                # Now and then with RST, so that the peer loses what it has not read.
                end.transport.abort() if rng.random() < 0.5 else end.close()

    async def _carry(self, reader, writer, carried, rng):
        """Returns when the connection is to be cut."""
        try:
            while data := await reader.read(65536):
                while data:
                    if self.is_calm:
                        piece = data
                    else:
                        piece = data[: rng.choice((1, 2, 7, 100, 1500, 65536))]
                        if rng.random() < 0.2:
                            await asyncio.sleep(rng.uniform(0, HELD_MOST))
                        carried[0] -= len(piece)
                    if carried[0] < 0 and not self.is_calm:
                        self.cuts += 1
                        if rng.random() < 0.3:
                            await asyncio.sleep(rng.uniform(0, SILENT_MOST))
                        return
                    writer.write(piece)
                    await writer.drain()
                    data = data[len(piece) :]
        except OSError:
            return

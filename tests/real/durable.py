"""A message is on the disk before anybody hears of it: durable.py SQUALL. The system calls of the server, seen by strace.

For each message, in this order: its text is written to the log of the database, an fdatasync of the log begins after that and
returns, and only then a socket gets the acknowledgement, or the message itself. With --history-sync normal there must be
messages of which that is not so; otherwise this check would see nothing.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile

import kills
from kills import ROOM, Server
from member import Journal, Member, login

MEMBERS = 4
# Messages of each member.
MESSAGES = 25
# Seconds within which all are acknowledged; under strace a server is slow.
WITHIN = 60
# Bytes of a call's data that strace prints: a frame of the log has a page of 4 KiB.
SHOWN = 65536
CALLS = "fdatasync,fsync,write,writev,pwrite64,sendto,sendmsg"
WROTE = re.compile(r"^(pwrite64|write)\(\d+<[^>]*chat\.db-wal>")
SYNCED = re.compile(r"^(fdatasync|fsync)\(\d+<[^>]*chat\.db-wal>")
SENT = re.compile(r"^(write|writev|sendto|sendmsg)\(\d+<(TCP|socket)")
TEXT = re.compile(r"durable-(\d+)-(\d+);")
ACK = re.compile(r'\\"ack\\",\\"nonce\\":\\"([0-9a-f]{32})\\"')


async def talk(server):
    """All say everything at once. Returns the text of each nonce."""
    members = []
    with tempfile.TemporaryDirectory() as folder:
        journals = [Journal(os.path.join(folder, str(n))) for n in range(MEMBERS)]
        for n, journal in enumerate(journals):
            cookie = login(server.base, f"user{n}")
            members.append(Member(f"user{n}", f"127.0.0.1:{server.port}", cookie, ROOM, journal, n))
        tasks = [asyncio.create_task(member.run()) for member in members]
        texts = {}
        for k in range(MESSAGES):
            for n, member in enumerate(members):
                member.say(f"durable-{n}-{k};")
                nonce = next(reversed(member.outbox))
                texts[nonce] = f"durable-{n}-{k};"
            await asyncio.sleep(0.005)
        async with asyncio.timeout(WITHIN):
            while any(member.outbox or member.id < MEMBERS * MESSAGES for member in members):
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for journal in journals:
            journal.close()
    return texts


def calls(path):
    """The calls in the order of what strace saw: (is its begin, is its end, the call)."""
    open_calls = {}
    with open(path, encoding="latin-1") as lines:
        for line in lines:
            match = re.match(r"^(\d+)\s+(.*)$", line)
            if not match:
                continue
            thread, call = match.groups()
            if call.endswith("<unfinished ...>"):
                open_calls[thread] = call
                yield True, False, call
            elif call.startswith("<... "):
                if thread in open_calls:
                    yield False, True, open_calls.pop(thread)
            else:
                yield True, True, call


def early(path, texts):
    """What was told before it was on the disk: a set of texts; and the texts that were told at all."""
    # The texts that are in the log, those that a sync that is under way is for, and those that are on the disk.
    written, syncing, synced = set(), set(), set()
    told, too_early = set(), set()
    for begins, ends, call in calls(path):
        if SYNCED.match(call):
            if begins:
                syncing = set(written)
            if ends:
                synced |= syncing
        elif WROTE.match(call):
            if ends:
                written |= {match.group() for match in TEXT.finditer(call)}
        elif SENT.match(call) and begins:
            heard = {texts[nonce] for nonce in ACK.findall(call) if nonce in texts}
            heard |= {match.group() for match in TEXT.finditer(call)}
            told |= heard
            too_early |= heard - synced
    return too_early, told


def run(sync):
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "trace")
        os.mkdir(os.path.join(folder, "data"))
        server = Server(os.path.join(folder, "data"), sync)
        server.start()
        command = ["strace", "-f", "-yy", "-s", str(SHOWN), "-e", f"trace={CALLS}", "-o", trace, "-p", str(server.process.pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise OSError(f"{said}{tracer.stderr.read()}")
            texts = asyncio.run(talk(server))
        finally:
            server.kill()
            # It ends with the server.
            tracer.communicate(timeout=30)
        return *early(trace, texts), len(texts)


def main():
    kills.SQUALL = os.path.abspath(sys.argv[1])
    try:
        too_early, told, count = run("full")
    except OSError as why:
        print(f"skipped: strace cannot trace a server here: {why}")
        return
    is_sound = len(told) == count and not too_early
    print(f"{'ok    ' if is_sound else 'FAILED'} full: {len(told)} of {count} messages were told, {len(too_early)} of them before they were on the disk")
    too_early, told, count = run("normal")
    is_seen = len(told) == count and too_early
    print(f"{'ok    ' if is_seen else 'FAILED'} normal, as a control: {len(too_early)} of {count} were told before they were on the disk")
    sys.exit(not (is_sound and is_seen))


if __name__ == "__main__":
    main()

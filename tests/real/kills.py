"""Nothing acknowledged or shown is lost: kills.py SQUALL [--runs N] [--seed N] [--chaos WHAT] [--sync MODE] [--keep DIR].

Clients talk while the server is killed with SIGKILL at random moments and started again. At the end all are connected, the
server is killed once more, and the history is read from the disk. `squall verify` judges what the clients wrote down.

--chaos proxy     a proxy in between cuts, delays and splits at random, too
--chaos restore   the files are copied while the server runs, and put back later: who was shown more gets a gap
--chaos empty     the files are removed while the server is down: who was shown anything gets a gap
--chaos torn      the end of the log is cut off while the server is down, as a power cut may do it with --sync normal
--chaos faults    writes and syncs of the server fail at random: no space, I/O errors (strace injects them)
--chaos control   as restore, but the judge is not told of it: it must find that
--sync full|normal
--seed N          the first run has this seed, the second one N + 1, and so on
--keep DIR        journals of a run that fails are left there
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from cutter import Cutter
from member import Journal, Member, fetch_json, login
from script import Script
from websockets.asyncio.client import connect

# Members of the room by WebSocket, and one more client over HTTP.
MEMBERS = 4
ROOM = "lobby"
# Messages of each member.
MESSAGES = 30
# Seconds between two messages of a member, at most.
PAUSE_MOST = 0.04
# The share of messages that are followed by the deletion of an older one.
DELETIONS = 0.08
# The share of messages that are about as long as a page of the database.
LONG = 0.05
# Seconds from the last messages to a kill, at most: about what it takes to store them.
BEFORE_KILL_MOST = 0.005
# Seconds within which all is quiet at the end.
QUIET_WITHIN = 30
# Anomalies of a run that are printed.
LINES_MOST = 20
# One of this many writes fails with --chaos faults, at least and at most; and one of this many syncs.
FAULTS_ONE_IN = (5, 40)
# Seconds until strace has attached to a server.
ATTACHED_WITHIN = 20
# What the judge says of a message that another one of its client has overtaken.
OVERTAKEN = "stored behind what the client sent later"
# Entries of a page of the history.
PAGE = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Untraceable(Exception):
    """No program may trace another one here (ptrace(2))."""


class Server:
    """squall on one port and one data directory, which it keeps when it is killed."""

    def __init__(self, folder, sync):
        self.folder, self.port, self.process, self.kills = folder, free_port(), None, 0
        self.tracer, self.faults = None, 0
        listen = ["--listen", f"127.0.0.1:{self.port}", "--data-dir", folder]
        self.command = [SQUALL, "serve", *listen, "--message-rate", "0", "--history-sync", sync]

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert "listening on" in line, f"the server does not start: {' '.join(self.command)}"

    def break_disk(self, rng):
        """From now on writes and syncs of this process fail at random."""
        injected = []
        for call, errors in (("pwrite64", ("ENOSPC", "EIO")), ("fdatasync", ("EIO",)), ("fsync", ("EIO",))):
            first, step = rng.randint(1, 20), rng.randint(*FAULTS_ONE_IN)
            injected += ["-e", f"inject={call}:error={rng.choice(errors)}:when={first}+{step}"]
        command = ["strace", "-f", "-e", "trace=pwrite64,fdatasync,fsync", *injected, "-p", str(self.process.pid)]
        self.tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = self.tracer.stderr.readline()
        if "attached" not in line:
            raise Untraceable(f"{line}{self.tracer.stderr.read()}".strip())
        # Nobody reads it otherwise, and a full pipe stops the tracer.
        threading.Thread(target=self._count_faults, args=(self.tracer.stderr,), daemon=True).start()

    def _count_faults(self, lines):
        for line in lines:
            self.faults += "(INJECTED)" in line

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.kills += 1
        if self.tracer:
            # It ends with the server.
            self.tracer.wait(timeout=ATTACHED_WITHIN)
            self.tracer = None

    def files(self):
        """The files of the history, the database before its log: what is in the log only is copied last."""
        return [path for end in ("", "-wal") if os.path.exists(path := os.path.join(self.folder, f"chat.db{end}"))]

    def remove_files(self):
        for end in ("", "-wal", "-shm"):
            path = os.path.join(self.folder, f"chat.db{end}")
            if os.path.exists(path):
                os.remove(path)


class Run:
    """One run: a server, its clients, and what happens to them."""

    def __init__(self, seed, args, folder):
        self.seed, self.args, self.folder = seed, args, folder
        self.rng, self.numbers = random.Random(seed), itertools.count(1)
        data = os.path.join(folder, "data")
        os.mkdir(data)
        self.server = Server(data, args.sync)
        self.cutter = Cutter(self.server.port, seed) if args.chaos == "proxy" else None
        self.members, self.journals, self.tasks = [], [], []
        self.tester = self.journal("tester", room=ROOM)

    def journal(self, name, **fields):
        journal = Journal(os.path.join(self.folder, f"{name}.jsonl"), **fields)
        self.journals.append(journal)
        return journal

    async def go(self):
        """Returns a sentence about the run, or raises an AssertionError."""
        self.server.start()
        try:
            port = await self.cutter.start() if self.cutter else self.server.port
            for n, kind in enumerate([Member] * MEMBERS + [Script]):
                name = f"user{n}"
                journal = self.journal(name, client=f"c{n}", room=ROOM)
                cookie = login(self.server.base, name)
                self.members.append(kind(name, f"127.0.0.1:{port}", cookie, ROOM, journal, f"{self.seed}/{n}"))
            self.tasks = [asyncio.create_task(member.run()) for member in self.members]
            match self.args.chaos:
                case "restore" | "torn" | "empty" | "control":
                    await self.replace_history()
                case "faults":
                    self.server.break_disk(self.rng)
                    await asyncio.gather(self.kill_often(), *map(self.talk, self.members))
                    # The disk works again: what was refused is stored now.
                    self.server.kill()
                    self.server.start()
                case _:
                    await asyncio.gather(self.kill_often(), *map(self.talk, self.members))
            return await self.finish()
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            if self.cutter:
                self.cutter.stop()
            self.server.kill()
            for journal in self.journals:
                journal.close()

    async def talk(self, member, messages=MESSAGES):
        rng = random.Random(f"{self.seed}/{member.name}/{next(self.numbers)}")
        for _ in range(messages):
            # Half of them come in bursts, so that a kill finds some on their way.
            await asyncio.sleep(rng.choice((0, rng.uniform(0, PAUSE_MOST))))
            is_long = rng.random() < LONG
            member.say(f"text {next(self.numbers)}" + " x" * (rng.randint(1900, 2030) if is_long else 0))
            if member.own and rng.random() < DELETIONS:
                member.delete(member.own.pop(rng.randrange(len(member.own))))

    async def kill_often(self):
        for _ in range(self.rng.randint(1, 4)):
            await asyncio.sleep(self.rng.uniform(0, 0.5))
            # All say something shortly before, so that it is on its way, or stored and not acknowledged.
            for member in self.members:
                member.say(f"text {next(self.numbers)}")
            await asyncio.sleep(self.rng.uniform(0, BEFORE_KILL_MOST))
            self.server.kill()
            await asyncio.sleep(self.rng.choice((0, self.rng.uniform(0, 0.2))))
            self.server.start()
            if self.args.chaos == "faults":
                self.server.break_disk(self.rng)

    async def replace_history(self):
        """Half of the talk, a copy, the other half, and the copy takes the place of the history."""
        early, late = self.members[0], self.members[1:]
        await self.some_talk(self.members)
        await self.until("all are in", lambda: all(member.is_in for member in self.members))
        # This one knows nothing that the copy lacks, so it resumes.
        await early.leave()
        talk = asyncio.create_task(self.some_talk(late))
        await asyncio.sleep(self.rng.uniform(0, 0.4))
        kept, copies = 0, []
        if self.args.chaos in ("restore", "control"):
            kept = max(member.id for member in self.members)
            for path in self.server.files():
                copies.append((path, shutil.copy(path, self.folder)))
            assert copies, "there are no files of a history"
        await talk
        await self.some_talk(late)
        await self.until("more is shown than the copy has", lambda: max(member.id for member in late) > kept)
        self.server.kill()
        if self.args.chaos == "torn":
            log = self.server.files()[-1]
            os.truncate(log, self.rng.randint(0, os.path.getsize(log)))
        else:
            self.server.remove_files()
        for path, copy in copies:
            shutil.copy(copy, path)
        if self.args.chaos != "control":
            self.tester.write("restored", kept=kept)
        self.server.start()
        early.may_connect.set()
        await self.until("all are back", lambda: all(member.is_in for member in self.members))
        # What was cut off may be nothing.
        is_told = any("other" in member.gaps for member in late)
        assert is_told or self.args.chaos == "torn", "no client was told of the other history"
        await self.some_talk(self.members)

    async def some_talk(self, members):
        await asyncio.gather(*(self.talk(member, MESSAGES // 3) for member in members))

    async def until(self, what, is_so):
        until = time.monotonic() + QUIET_WITHIN
        while not is_so():
            for task in self.tasks:
                assert not task.done(), f"a client has ended: {task.exception()!r}"
            states = [(member.name, member.position, len(member.outbox), member.is_in) for member in self.members]
            assert time.monotonic() < until, f"waited too long until {what}: {states}"
            await asyncio.sleep(0.01)

    async def finish(self):
        if self.cutter:
            self.cutter.is_calm = True
        await self.until("all outboxes are empty", lambda: not any(member.outbox for member in self.members))
        self.server.kill()
        before = [member.connects for member in self.members]
        self.server.start()
        are_back = lambda: all(member.is_in and member.connects > n for member, n in zip(self.members, before))
        await self.until("all are back", are_back)
        await self.until("all have the same position", lambda: len({member.position for member in self.members}) == 1)
        entries = await self.history()
        # Each on a line of its own, which an anomaly can name; and one line if there are none.
        for piece in [[entry] for entry in entries] or [[]]:
            self.tester.write("final", entries=piece)
        for journal in self.journals:
            journal.file.flush()
        wrong = [sentence for member in self.members for sentence in member.wrong]
        assert not wrong, wrong
        verdict = self.verdict()
        # The journals of a run without messages would be sound, too.
        assert len(entries) >= MEMBERS * MESSAGES // 3, f"only {len(entries)} entries"
        connects, found = (sum(getattr(member, name) for member in self.members) for name in ("connects", "found"))
        cuts = f", {self.cutter.cuts} cuts" if self.cutter else ""
        if self.args.chaos == "faults":
            assert self.server.faults, "no write has failed"
            cuts = f", {self.server.faults} failed writes"
        return f"{self.server.kills} kills{cuts}, {connects} connections, {found} acknowledgements cut off; {verdict}"

    async def history(self):
        """All entries, page by page from the last one back; what a newcomer gets that says it has nothing must be the same."""
        cookie = login(self.server.base, "reader")
        entries, before = [], ""
        while True:
            url = f"{self.server.base}/api/rooms/{ROOM}/messages?limit={PAGE}{before}"
            page = await asyncio.to_thread(fetch_json, url, cookie)
            entries[:0] = page["messages"]
            if len(page["messages"]) < PAGE:
                break
            before = f"&before={entries[0]['id']}"
        url = f"ws://127.0.0.1:{self.server.port}/chat/?room={ROOM}&since=0.0"
        async with connect(url, subprotocols=["squall.v1"], additional_headers={"Cookie": cookie}, proxy=None,
                           max_size=None) as peer:
            welcome = json.loads(await peer.recv())
        assert welcome.get("history") == entries, f"not the {len(entries)} entries of the pages: {str(welcome)[:200]}"
        assert welcome["position"] == page["position"] == self.members[0].position
        return entries

    def verdict(self):
        journals = [journal.file.name for journal in self.journals]
        done = subprocess.run([SQUALL, "verify", *journals], capture_output=True, text=True)
        lines = (done.stdout + done.stderr).splitlines()
        said = "\n".join(["", *lines[:LINES_MOST], *lines[LINES_MOST:][-1:]])
        if self.args.chaos == "control":
            # Each id that the copy lacks is free, or has got another entry.
            is_found = ": fork: " in done.stdout and (": lost: " in done.stdout or ": disagree: " in done.stdout)
            assert done.returncode == 1 and is_found, said
            return done.stdout.splitlines()[-1]
        if self.args.chaos == "faults":
            # A kill may take away the refusal of a message whose successor was stored: it is sent again behind that one.
            wrong = [line for line in done.stdout.splitlines()[:-1] if OVERTAKEN not in line]
            assert not wrong and done.returncode in (0, 1), said
            return done.stdout.splitlines()[-1]
        assert done.returncode == 0, said
        return done.stdout.strip()


def main():
    global SQUALL
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squall")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--chaos", choices=["none", "proxy", "restore", "torn", "empty", "faults", "control"], default="none")
    parser.add_argument("--sync", choices=["full", "normal"], default="full")
    parser.add_argument("--keep", default=None)
    args = parser.parse_args()
    SQUALL = os.path.abspath(args.squall)
    sys.stdout.reconfigure(line_buffering=True)
    first = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    failed = 0
    for seed in range(first, first + args.runs):
        folder = tempfile.mkdtemp(prefix="squall-kills-", dir=args.keep)
        try:
            print(f"ok     {args.chaos}, {args.sync}, seed {seed}: {asyncio.run(Run(seed, args, folder).go())}")
            shutil.rmtree(folder)
        except Untraceable as why:
            shutil.rmtree(folder)
            print(f"skipped: strace cannot trace a server here: {why}")
            return
        except AssertionError as why:
            failed += 1
            print(f"FAILED {args.chaos}, {args.sync}, seed {seed}: {why}")
            if args.keep:
                print(f"       journals: {folder}")
            else:
                shutil.rmtree(folder)
    print(f"{args.runs - failed} of {args.runs} runs sound: --chaos {args.chaos} --sync {args.sync}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

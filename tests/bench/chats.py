#!/usr/bin/env python3
"""squall beside servers that people pick for a chat instead: memory of a member, messages, and how long they take.

  chats.py [--rounds N] [--seconds S] [--members N] [--idle N] [--senders N] [--rate N] [--servers NAME ...] [--quick]

full       squall.v1, --history-sync full: acknowledged is a message that the disk has
normal     squall.v1, --history-sync normal: one that the kernel has
socketio   Socket.IO 4 on Node.js with connection state recovery: one that the server has in memory, for two minutes
mosquitto  Mosquitto, MQTT 3.1.1 over WebSockets, QoS 1, sessions that are kept: one that the server has in memory

members    --idle of them, which say nothing: the server's memory from the 64th on (proportional set size), and how many
           of them 1 GiB holds
messages   in a room of --members, each of --senders says its next message when its last one is acknowledged and has
           reached all
times      at --rate messages a second in that room: from sending a message to its delivery

Each run has a fresh server, alone on the first core with all its threads. The members are the same program for each
server (chat_members.mjs), alone on the last core. Near 100 % `members` it was the limit, and then the server's CPU time
for a message says more than the rate. All members of squall have one name, since the others announce none.

Needs Node.js, Mosquitto and taskset, and `ws` and `socket.io` in TOOLS (tests/bench/run.sh). A history in a file is in
the temporary directory: TMPDIR chooses the disk.
"""

import http.client
import json
import os
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import ENV, LOAD_CORE, ROOT, SERVER_CORE, TOOLS, Bench, Child, arguments, free_port, interleave, machine_cpu
from bench import median, need, number, pinned, spread, table, tree

# Members before the memory is first measured, so that what a server sets up once is there.
FIRST = 64
# Seconds before memory is read.
REST = 1.0
SHOWN = {"full": "squall, `full`", "normal": "squall, `normal`", "socketio": "Socket.IO 4", "mosquitto": "Mosquitto, QoS 1"}
WHERE = {"full": "on the disk", "normal": "in the kernel", "socketio": "in memory", "mosquitto": "in memory"}
PACKAGES = ("ws", "socket.io")
FOLDER = os.path.join(ROOT, "tests", "bench")
WITH_TOOLS = ENV | {"TOOLS": TOOLS}


def main():
    args = arguments(__doc__, rounds=5, seconds=3, members=1000, idle=5000, senders=8, rate=10,
                     servers=tuple(SHOWN), quick=False)
    if args.quick:
        args.rounds, args.seconds, args.members, args.idle, args.senders = 1, 1, 100, 200, 4
    missing = [name for name in PACKAGES if not os.path.isdir(os.path.join(TOOLS, "node_modules", name))]
    need("node", "mosquitto", also=[f"{name} in TOOLS (tests/bench/run.sh brings it)" for name in missing]
         + [f"{name}: there is no such server" for name in args.servers if name not in SHOWN]
         + ["--idle has to be more than 64"] * (args.idle <= FIRST)
         + ["--senders has to be at most --members"] * (args.senders > args.members))
    with Bench() as bench:
        runs = {name: lambda name=name: measure(bench, args, name) for name in args.servers}
        report(args, interleave(args.rounds, runs))


def start(bench, args, name):
    """A server, the URL of its chat, and what is said there."""
    if name == "mosquitto":
        server = mosquitto(bench)
        return server, "mqtt", f"ws://127.0.0.1:{server.port}/mqtt", ""
    if name == "socketio":
        port = free_port()
        server = Child(bench, name, SERVER_CORE, ["env", f"TOOLS={TOOLS}", "node", f"{FOLDER}/chat_socketio.mjs", str(port)],
                       "127.0.0.1", port)
        return server, "socketio", f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", ""
    # A name of its own, and so an empty history.
    server = bench.squall(f"{name}-{time.monotonic_ns()}", "--history", "sqlite", "--history-sync", name, "--message-rate", "0",
                          "--max-connections", str(max(args.members, args.idle) + 100))
    return server, "v1", f"ws://127.0.0.1:{server.port}/chat/", login(server.port)


def mosquitto(bench):
    """Version 2.0.11 does not start with a listener for WebSockets alone; the first one is for that."""
    port, other = free_port(), free_port()
    folder = bench.path(f"mosquitto-{port}")
    os.mkdir(folder)
    conf = bench.write(f"mosquitto-{port}.conf", f"""
{"user root" if os.geteuid() == 0 else ""}
allow_anonymous true
listener {other} 127.0.0.1
listener {port} 127.0.0.1
protocol websockets
set_tcp_nodelay true
persistence true
persistence_location {folder}/
log_type error
""")
    return Child(bench, "mosquitto", SERVER_CORE, ["mosquitto", "-c", conf], "127.0.0.1", port)


def login(port):
    """The cookie of one name for all members."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/login", "username=bench", {"Content-Type": "application/x-www-form-urlencoded"})
    cookie = connection.getresponse().getheader("Set-Cookie")
    connection.close()
    return cookie.split(";")[0]


class Members:
    """The program that is all members of a chat."""

    def __init__(self, *words):
        command = pinned(LOAD_CORE, ["node", f"{FOLDER}/chat_members.mjs", *words])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=WITH_TOOLS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def do(self, *words, within=60):
        """Tells it something; its result."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], within)[0]:
            raise RuntimeError(f"{words} was not done in {within} s")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read()[-1500:])
        return json.loads(line)


def measure(bench, args, name):
    """Memory with one server, messages and their times with another, which has seen no other members."""
    found = {}
    for part in (memory, messages):
        server, *chat = start(bench, args, name)
        try:
            with Members(*chat) as members:
                found |= part(args, server, members)
        finally:
            server.stop()
    return found


def memory(args, server, members):
    members.do("open", FIRST)
    time.sleep(REST)
    before = pss(server.pid)
    members.do("open", args.idle)
    time.sleep(REST)
    return {"memory": (pss(server.pid) - before) / (args.idle - FIRST)}


def pss(pid):
    """Bytes of memory that the process and its descendants have, shared ones by their part."""
    total = 0
    for one in tree(pid):
        with open(f"/proc/{one}/smaps_rollup") as rollup:
            total += next(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
    return total


def messages(args, server, members):
    members.do("open", args.members)
    members.do("talk", args.senders, args.seconds / 3)
    machine, used, began = machine_cpu(), server.cpu(), time.monotonic()
    talked = members.do("talk", args.senders, args.seconds)
    used, wall = server.cpu() - used, time.monotonic() - began
    other = machine_cpu() - machine - used - talked["cpu"]
    paced = members.do("pace", args.senders, args.rate, args.seconds)
    return {"rate": talked["rate"], "cpu": used / max(talked["count"], 1) * 1e6, "server": used / wall * 100,
            "members": talked["cpu"] / wall * 100, "other": max(0, other / wall * 100),
            **{name: paced[name] for name in ("p50", "p99", "max")}}


def report(args, got):
    print(f"## Chats: {args.rounds} rounds\n\nMembers: {args.idle:,} that say nothing. Messages: {args.members:,} members, "
          f"{args.senders} speak, {args.seconds} s. Times: the same room, {args.rate} messages a second, {args.seconds} s.\n")
    rows = [[SHOWN[name], WHERE[name], median(runs, "memory"), f"{2**30 / median(runs, 'memory'):,.0f}", median(runs, "rate"),
             median(runs, "cpu"), median(runs, "p50"), median(runs, "p99")] for name, runs in got.items()]
    table(["", "acknowledged is", "bytes a member", "members in 1 GiB", "messages a second", "CPU us", "p50 ms", "p99 ms"], rows)
    rows = [[SHOWN[name], *(number(spread(runs, key)) for key in ("memory", "rate", "p99")),
             *(number(median(runs, key)) for key in ("server", "members", "other"))] for name, runs in got.items()]
    print("How far the rounds lie apart, percent of the median, and the cores while messages are said:\n")
    table(["", "memory %", "messages %", "p99 %", "server %", "members %", "other %"], rows)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"chats.py: {why}")

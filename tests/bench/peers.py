#!/usr/bin/env python3
"""squall beside nginx, Tornado and the floor: requests, echoes, rooms, idle members, searches.

  peers.py [--rounds N] [--seconds S] [--only ROW ...] [--servers NAME ...] [--quick]
           [--table FILE] [--plot FILE]

plaintext  64 kept-alive connections, one request at a time   ab-k  the same by ab, 64 connections
pipelined  the same, 16 requests in one write                 ab    a connection each, by ab
echo       64 WebSockets, one message of 64 bytes under way   wrk   the first by wrk
echo16     the same, 16 under way                             search  /search by wrk, the upstream is a floor
room       1,000 members, one of whom speaks                  members   10,000 idle members: user memory of each,
room64     the same, 64 of them speak                                   and the server's CPU for a handshake

The floor (tests/bench/tools/src/floor.rs) makes the system calls and does nothing else: no parsing, routes, sessions or
limits. What counts are ratios to it, the median of the rounds' own: of the rate, and of the server's CPU time for each
request, echo, delivery or handshake. Each run has a fresh server, alone on the first core; the load is on the last one.
Where `load` is near 100 % the load was at its limit, so the rate says little and only CPU counts: wrk and ab need more
of it than a good server does. A run beside which the machine was busy (`other` over 12 %) is
tried again, twice at most.

--table writes the table in short, --plot a picture of it (SVG). --quick only shows that all of it runs.
Needs nginx, wrk, ab and taskset, Rust for the floor, and Tornado in TOOLS/venv (tests/bench/run.sh).
"""

import re
import sys
from types import SimpleNamespace

sys.dont_write_bytecode = True  # nothing is written into the source tree
import plot
from bench import LOAD_CORE, Bench, arguments, has_tornado, interleave, load, machine_cpu, markdown, median, need
from bench import number, quietest, ratio, run, spread, table, tools, wrk

NAMES = ("floor", "squall", "nginx", "tornado")
SHOWN = {"floor": "the floor", "squall": "squall", "nginx": "nginx", "tornado": "Tornado"}
COLUMNS = ("p50", "p99", "server", "load", "other")
HEAD = ("a second", "to {}", "range %", "CPU us", "to {}", "p50 us", "p99 us", "server %", "load %", "other %")
NGINX = ('listen {port} backlog=4096; location /plaintext { return 200 "Hello, World!"; } location /search '
         '{ proxy_pass http://up/; proxy_http_version 1.1; proxy_set_header Connection ""; }')


def row(what, one, servers=NAMES):
    """A row of the table; the first of its servers is what the others are compared with."""
    return SimpleNamespace(what=what, one=one, servers=servers)


SOCKETS = ("floor", "squall", "tornado")
ROWS = {
    "plaintext": row("plaintext, 64 connections", lambda s, a: http(s, a, 1)),
    "pipelined": row("16 pipelined", lambda s, a: http(s, a, 16)),
    "ab-k": row("`ab -k`", lambda s, a: ab(s, a, "/kept" if s.name == "floor" else "/plaintext", "-k")),
    "ab": row("`ab`, a connection each", lambda s, a: ab(s, a, "/close" if s.name == "floor" else "/plaintext")),
    "wrk": row("`wrk`, 64 connections", lambda s, a: by_wrk(s, a, "/plaintext")),
    "echo": row("WebSocket echo", lambda s, a: echo(s, a, 1), SOCKETS),
    "echo16": row("16 echoes under way", lambda s, a: echo(s, a, 16), SOCKETS),
    "room": row("room of {members:,}, 1 speaks", lambda s, a: room(s, a, 1), SOCKETS),
    "room64": row("room of {members:,}, 64 speak", lambda s, a: room(s, a, 64), SOCKETS),
    "members": row("{idle:,} idle members", lambda s, a: idle(s, a), SOCKETS),
    "search": row("search", lambda s, a: by_wrk(s, a, "/search?wd=x"), ("nginx", "squall", "tornado")),
}


def main():
    args = arguments(__doc__, rounds=5, seconds=3, only=tuple(ROWS), servers=NAMES, quick=False, table="", plot="")
    args.members, args.idle, args.hold, args.stretch = 1000, 10_000, 1, ("--warmup", 0.5, "--duration", args.seconds)
    if args.quick:
        args.rounds, args.seconds, args.members, args.idle, args.hold = 1, 1, 100, 500, 0.1
        args.stretch = ("--warmup", 0.1, "--duration", 0.3)
    unknown = [name for name in args.only if name not in ROWS] + [name for name in args.servers if name not in NAMES]
    need("nginx", "wrk", "ab", also=["Tornado in TOOLS/venv (tests/bench/run.sh brings it)"] * (not has_tornado())
         + [f"{name}: there is no such row or server" for name in unknown])
    tools()
    results, failures = {}, []
    with Bench() as bench:
        bench.upstream = bench.floor("upstream", core=LOAD_CORE)
        for name in args.only:
            results[name] = measure(bench, args, name, failures)
            show(args, name, results[name])
    summary = summarize(args, results)
    print(f"## In short, to the floor (search: to nginx); {args.rounds} rounds of {args.seconds} s\n\n{summary}")
    if args.table:
        write(args.table, summary)
    if args.plot:
        write(args.plot, plot.dots("Requests, echoes and deliveries a second, 1 = the floor (search: nginx)",
                                   rates(args, results)))
    sys.exit(1 if failures else 0)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


# ---- one run ----


def start(bench, name):
    up = f"http://127.0.0.1:{bench.upstream.port}/?wd={{}}"
    if name == "nginx":
        return bench.nginx(name, NGINX, f"upstream up {{ server 127.0.0.1:{bench.upstream.port}; keepalive 64; "
                                        "keepalive_requests 1000000000; keepalive_timeout 600s; }")
    if name == "tornado":
        return bench.tornado(upstream=up)
    return bench.floor() if name == "floor" else bench.squall(name, "--message-rate", "0", "--search-url", up)


def measure(bench, args, name, failures):
    """Rounds with a fresh server for each run. Who fails once is out of the row, and that is said."""
    row, failed = ROWS[name], set()

    def once(server):
        child = start(bench, server)
        child.upstream = bench.upstream if name == "search" else None
        try:
            return row.one(child, args)
        finally:
            child.stop()

    def unless_failed(server):
        if server not in failed:
            try:
                return quietest(lambda: once(server), tries=1 if args.quick else 3)
            except RuntimeError as why:
                failed.add(server)
                failures.append(f"{name}: {why}")
                print(f"FAILED {name}, {server}: {why}")

    servers = [server for server in row.servers if server in args.servers]
    got = interleave(args.rounds, {server: lambda server=server: unless_failed(server) for server in servers})
    return {server: runs for server, runs in got.items() if server not in failed}


def http(server, args, depth):
    return seen(load(server, "/plaintext", "--http1.1", "--pipeline", depth, "-c", 64, *args.stretch))


def echo(server, args, depth):
    return seen(load(server, "/echo", "--ws", "echo", "--in-flight", depth, "-c", 64, *args.stretch, scheme="ws"))


def room(server, args, senders):
    flags = ("--ws", "fanout", "-c", args.members, "--senders", senders, *login(server), *args.stretch)
    return seen(load(server, "/chat/", *flags, scheme="ws"))


def idle(server, args):
    flags = ("--ws", "idle", "-c", args.idle, "--duration", args.hold, *login(server))
    return load(server, "/chat/", *flags, scheme="ws", within=120)


def login(server):
    """One name for all."""
    return ("--login", server.base + "/login", "--logins", 1) if server.name == "squall" else ()


def seen(result):
    return result | {"load": result["client"]}


def by_wrk(server, args, path):
    result = wrk(server, server.base + path, 64, args.seconds, server.upstream)
    return result | {"rate": result["rps"], "load": result["wrk"] + result["upstream"]}


def ab(server, args, path, *flags):
    """ab for a time; its times are whole ms, so none are shown."""
    command = ["ab", "-q", "-c", "64", "-t", str(args.seconds), "-n", "1000000", *flags, server.base + path]
    machine, before = machine_cpu(), server.cpu()
    text, client, wall = run(command, args.seconds + 30)
    used, busy = server.cpu() - before, machine_cpu() - machine
    figure = {key: float(value) for key, value in re.findall(r"^(\w[\w -]+):\s+(\d+(?:\.\d+)?)\b(?!\.)", text, re.M)}
    bad = [key for key in ("Failed requests", "Non-2xx responses") if figure.get(key)]
    if bad or "-k" in flags and figure["Keep-Alive requests"] < figure["Complete requests"]:
        raise RuntimeError(f"ab: {bad[0].lower() if bad else 'connections were not kept'}")
    return {"rate": figure["Requests per second"], "cpu": used / figure["Complete requests"] * 1e6,
            "server": used / wall * 100, "load": client / wall * 100,
            "other": max(0, (busy - used - client) / wall * 100)}


# ---- what it says ----


def show(args, name, got):
    row = ROWS[name]
    base = got.get(row.servers[0])
    print(f"## {title(args, name)}\n")
    if name == "members":
        table(["", "bytes each", "range %", "handshake CPU us", f"to {SHOWN[row.servers[0]]}", "a second", "other %"],
              [[SHOWN[server], median(runs, "memory"), spread(runs, "memory"), median(runs, "cpu"),
                base and ratio(runs, base, "cpu"), median(runs, "rate"), median(runs, "other")]
               for server, runs in got.items()])
        return
    table(["", *(column.format(SHOWN[row.servers[0]]) for column in HEAD)],
          [[SHOWN[server], median(runs, "rate"), base and f"{ratio(runs, base, 'rate'):.2f}", spread(runs, "rate"),
            median(runs, "cpu"), base and f"{ratio(runs, base, 'cpu'):.2f}",
            *(median(runs, key) if key in runs[0] else None for key in COLUMNS)] for server, runs in got.items()])


def title(args, name):
    return ROWS[name].what.format(**vars(args))


def rates(args, results):
    """The rates as parts of the base's, by row and server."""
    parts = {}
    for name, got in results.items():
        base, *others = ROWS[name].servers
        if name != "members" and base in got:
            parts[title(args, name)] = {SHOWN[server]: ratio(got[server], got[base], "rate")
                                        for server in others if server in got}
    return parts


def summarize(args, results):
    rows = []
    for name, got in results.items():
        base = got.get(ROWS[name].servers[0])
        rows.append([title(args, name), *(cell(name, server, got.get(server), base) for server in NAMES)])
    head = ["rate, CPU time", *(SHOWN[server] for server in NAMES)]
    return markdown(head, rows)


def cell(name, server, runs, base):
    """The base in figures, the others in ratios to it."""
    if not runs:
        return ""
    if name == "members":
        parts = f"{number(median(runs, 'memory'))} B each"
        return parts + (f", {number(ratio(runs, base, 'cpu'))}" if base and server != "floor" else "")
    if runs is base:
        return f"{number(median(runs, 'rate'))}/s, {number(median(runs, 'cpu'))} us"
    return f"{ratio(runs, base, 'rate'):.2f}, {number(ratio(runs, base, 'cpu'))}" if base else ""


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"peers.py: {why}")

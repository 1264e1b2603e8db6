#!/usr/bin/env python3
"""What a request, an echo, a delivery, a member and a timer cost squall as more and more connections are there.

  growth.py [--rounds N] [--seconds S] [--most N] [--only LINE ...] [--quick] [--table FILE] [--plot FILE]

request   64 connections ask for /plaintext, all others are idle WebSockets
echo      64 WebSockets with a message of 64 bytes under way, all others idle
delivery  a room of 64 in which one speaks, all others idle WebSockets
member    a room of 10 to 15,000 in which one speaks, for each delivery
timer     10 to 15,000 connections, half of them in /sleep, 1,000 of which wake each second, for each answer

The figure is the server's CPU time, us, the median of the rounds; the table shows it as a ratio to that of the smallest
number of connections. Beside it, and in dashes in the picture, stands the floor (tests/bench/tools/src/floor.rs), which
makes the same system calls and does nothing else: what grows there grows in the kernel and in the processor's caches.
A member of ten costs more than one of a thousand, for what is done once for a message is shared by all. An answer of
/sleep is the page, too, and as a rule a turn of its own. The floor has no timers: there as many connections ask as
often and are answered at once, which shows what a connection costs that has not been touched for a while.

Each run has a fresh server, alone on the first core, and a load on the last one. Both need 15,100 open files.
--table writes the table in short, --plot the picture (SVG). --quick only shows that all of it runs.
Needs taskset, and Rust for the floor.
"""

import resource
import sys

sys.dont_write_bytecode = True  # nothing is written into the source tree
import plot
from bench import Bench, arguments, idle_others, interleave, load, markdown, median, need, number, quietest, spread
from bench import table, tools

ACTIVE = 64
ALL = (64, 1000, 5000, 15_000)
MANY = (10, 100, 1000, 5000, 15_000)
WAKE_A_SECOND = 1000
FLAT = 0.15
LINES = {"request": ALL, "echo": ALL, "delivery": ALL, "member": MANY, "timer": MANY}
SERVERS = ("squall", "floor")
COLUMNS = ("rate", "p99", "server", "client", "other")


def main():
    args = arguments(__doc__, rounds=5, seconds=3, most=15_000, only=tuple(LINES), quick=False, table="", plot="")
    args.warm = 0.5
    if args.quick:
        args.rounds, args.seconds, args.warm, args.most = 1, 0.3, 0.1, 1000
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    need(also=[f"{name}: there is no such line" for name in args.only if name not in LINES]
         + [f"{args.most + 100} open files: the limit is {files}"] * (files < args.most + 100))
    tools()
    results = {}
    with Bench() as bench:
        for name in args.only:
            counts = [count for count in LINES[name] if count <= args.most]
            runs = {(server, count): lambda server=server, count=count: measure(bench, args, name, server, count)
                    for server in SERVERS for count in counts}
            results[name] = interleave(args.rounds, runs)
            show(name, counts, results[name])
    summary = summarize(args, results)
    print(f"## In short: CPU time to that at the smallest number, squall (floor)\n\n{summary}")
    if args.table:
        with open(args.table, "w") as file:
            file.write(summary)
    if args.plot:
        with open(args.plot, "w") as file:
            file.write(picture(results))


def measure(bench, args, name, server, count):
    def once():
        child = bench.floor() if server == "floor" else \
            bench.squall(server, "--message-rate", "0", "--keep-alive", "600", "--max-connections", "19000")
        try:
            return line(args, name, child, count)
        finally:
            child.stop()
    return quietest(once, tries=1 if args.quick else 3)


def line(args, name, child, count):
    """One run of a line with so many connections, members or sleepers."""
    if name == "timer":
        asleep = count / WAKE_A_SECOND
        # Half of the time passes with the client. A thousand a second, one after the other: each wakes in a turn of its own.
        path = f"/sleep?seconds={asleep / 2:.4f}" if child.name == "squall" else "/plaintext"
        stretch = ("--warmup", asleep + args.warm, "--duration", max(args.seconds, asleep))
        return load(child, path, "--http1.1", "-c", count, "--rate", WAKE_A_SECOND, *stretch, within=180)
    stretch = ("--warmup", args.warm, "--duration", args.seconds)
    login = ("--login", child.base + "/login", "--logins", 1) if child.name == "squall" else ()
    if name == "member":
        return load(child, "/chat/", "--ws", "fanout", "-c", count, *login, *stretch, scheme="ws", within=180)
    with idle_others(child, count - ACTIVE):
        if name == "request":
            return load(child, "/plaintext", "--http1.1", "-c", ACTIVE, *stretch)
        if name == "echo":
            return load(child, "/echo", "--ws", "echo", "-c", ACTIVE, *stretch, scheme="ws")
        return load(child, "/chat/", "--ws", "fanout", "-c", ACTIVE, *login, *stretch, scheme="ws")


# ---- what it says ----


def ratios(got, server):
    """Points: the number of connections, and the median of the rounds' own ratios to the smallest number."""
    counts = [count for one, count in got if one == server]
    first = got[server, counts[0]]
    return [(count, median([{"ratio": one["cpu"] / base["cpu"]} for one, base in zip(got[server, count], first)],
                           "ratio")) for count in counts]


def show(name, counts, got):
    print(f"## {name}\n")
    rows, to_first = [], {server: dict(ratios(got, server)) for server in SERVERS}
    for count in counts:
        ours, floor = got["squall", count], got["floor", count]
        rows.append([f"{count:,}", median(ours, "cpu"), to_first["squall"][count], spread(ours, "cpu"),
                     median(floor, "cpu"), to_first["floor"][count], *(median(ours, key) for key in COLUMNS)])
    table(["connections", "CPU us", "ratio", "range %", "floor us", "ratio", "a second", "p99 us", "server %", "load %",
           "other %"], rows)


def summarize(args, results):
    counts = [count for count in sorted({*ALL, *MANY}) if count <= args.most]
    rows = []
    for name, got in results.items():
        ours, floor = dict(ratios(got, "squall")), dict(ratios(got, "floor"))
        smallest = median(got["squall", min(ours)], "cpu")
        cells = [f"{ours[count]:.2f} ({floor[count]:.2f})" if count in ours else "" for count in counts]
        rows.append([name, f"{number(smallest)} us", *cells])
    return markdown(["for each", "at first", *(f"{count:,}" for count in counts)], rows)


def picture(results):
    squall, floor = ({name: ratios(got, server) for name, got in results.items()} for server in SERVERS)
    return plot.lines("CPU time of the server, 1 = with the fewest connections (dashes: the floor)",
                      "connections, members, sleepers", squall, floor, FLAT)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"growth.py: {why}")

#!/usr/bin/env python3
"""What it costs a room that its messages are stored: deliveries to a room with each store.

  history.py [--rounds N] [--seconds S] [--members N] [--senders N ...] [--quick]

memory  --history memory: the last messages, until the program ends
normal  --history-sync normal: a file, safe when squall is killed
full    --history-sync full, the default: a file, safe on a power cut

Each sender says its next message when its last one has come back. Each server has the first core, with the thread of
its store, and the load has the last one. Rates and CPU times are medians, ratios those of the rounds to memory.

Needs taskset. The file is in the temporary directory: TMPDIR chooses the disk. A missed target does not change the
exit code.
"""

import sys

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import Bench, arguments, interleave, load, median, need, ratio, table, target

STORES = {"memory": ("--history", "memory"), "normal": ("--history", "sqlite", "--history-sync", "normal"),
          "full": ("--history", "sqlite")}
# By the number of senders: the least rate of `normal`, as a ratio to memory.
LEAST = {"1": 0.92, "64": 0.70}


def main():
    args = arguments(__doc__, rounds=5, seconds=1.0, members=1000, senders=("1", "64"), quick=False)
    if args.quick:
        args.rounds, args.seconds, args.members = 1, 0.2, 50
    need()
    with Bench() as bench:
        flags = ("--message-rate", "0", "--max-connections", str(args.members + 100))
        servers = {store: bench.squall(store, *flags, *kind) for store, kind in STORES.items()}
        for senders in args.senders:
            runs = {store: lambda server=server: measure(args, server, senders) for store, server in servers.items()}
            report(args, senders, interleave(args.rounds, runs))


def measure(args, server, senders):
    return load(server, "/chat/", "--ws", "fanout", "-c", args.members, "--senders", min(int(senders), args.members),
                "--login", server.base + "/login", "--logins", 1, "--duration", args.seconds, scheme="ws")


def report(args, senders, got):
    print(f"## A room of {args.members:,}, {senders} speak; {args.rounds} rounds of {args.seconds:g} s\n")
    rows = [[store, median(runs, "rate"), median(runs, "rate") / args.members, ratio(runs, got["memory"], "rate"),
             median(runs, "cpu"), ratio(runs, got["memory"], "cpu"), median(runs, "p50"), median(runs, "p99")]
            for store, runs in got.items()]
    table(["", "deliveries a second", "messages a second", "to memory", "CPU us", "to memory", "p50 us", "p99 us"], rows)
    if senders in LEAST:
        target(f"rate, normal to memory, {senders} speak", ratio(got["normal"], got["memory"], "rate"),
               least=LEAST[senders])


if __name__ == "__main__":
    main()

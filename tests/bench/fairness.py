#!/usr/bin/env python3
"""How long others wait for /plaintext while one floods /echo with messages of 16 MiB and one pipelines without end.

  fairness.py [--rounds N] [--seconds S] [--quick]

one     one connection that asks and waits, again and again
paced   64 connections that ask every 10 ms each
busy    64 connections that ask without a pause

Each is measured alone, and then beside the two floods: the p99 of the two, and the median of the rounds' own ratios.
Tornado stands beside squall as a control. The server is alone on the first core; the probe and the floods share the
last one, where the floods get what is left over (SCHED_IDLE), or they would be measured and not the server. How much
they moved is in the table: what they sent and what came back, MiB a second.

Needs taskset and chrt, Rust for the load, and Tornado in TOOLS/venv (tests/bench/run.sh).
A missed target does not change the exit code.
"""

import json
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import ENV, LOAD_CORE, Bench, arguments, has_tornado, interleave, load, median, need, pinned, ratio
from bench import table, target, tools

OTHERS = {"one": ("--connections", 1), "paced": ("--connections", 64, "--pause", 0.01, "--spread", 0.01),
          "busy": ("--connections", 64)}
P99_RATIO_MOST = 3.0
FLOODS = {"echo": "/echo", "requests": "/plaintext"}


def main():
    args = arguments(__doc__, rounds=5, seconds=3, quick=False)
    if args.quick:
        args.rounds, args.seconds = 1, 0.3
    need("chrt", also=["Tornado in TOOLS/venv (tests/bench/run.sh brings it)"] * (not has_tornado()))
    tools()
    with Bench() as bench:
        servers = {"squall": bench.squall("squall"), "tornado": bench.tornado()}
        runs = {(name, others): lambda server=server, flags=flags: measure(args, server, flags)
                for name, server in servers.items() for others, flags in OTHERS.items()}
        got = interleave(args.rounds, runs)
    print(f"## /plaintext of others beside a flood, medians of {args.rounds} rounds of {args.seconds} s\n")
    table(["", "p50 us", "beside", "p99 us", "beside", "ratio", "longest us", "beside", "/echo in", "out",
           "requests in", "out"], [figures(f"{name}, {others}", runs) for (name, others), runs in got.items()])
    for others in OTHERS:
        value = ratio_to_alone(got["squall", others])
        target(f"p99 beside the floods to p99 alone, {others}", value, most=P99_RATIO_MOST)


def measure(args, server, flags):
    """Alone, and beside the floods."""
    flags = ("http", "--path", "/plaintext", *flags, "--warm", 0.1, "--seconds", args.seconds)
    alone = load(server, *flags)
    floods = [flood(args, server, path) for path in FLOODS.values()]
    try:
        time.sleep(0.2)
        beside = load(server, *flags)
        moved = {name: ended(process) for name, process in zip(FLOODS, floods)}
    finally:
        for process in floods:
            process.kill()
            process.wait()
    return {"alone": alone, "beside": beside, **moved}


def flood(args, server, path):
    command = ["chrt", "--idle", "0", tools()["load"], "flood", f"127.0.0.1:{server.port}", "--path", path,
               "--seconds", str(args.seconds + 0.5)]
    return subprocess.Popen(pinned(LOAD_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)


def ended(process):
    out, err = process.communicate(timeout=30)
    if process.returncode:
        raise RuntimeError(f"a flood failed: {err.decode(errors='replace')[-300:]}")
    return json.loads(out)


def ratio_to_alone(runs):
    return ratio([run["beside"] for run in runs], [run["alone"] for run in runs], "p99")


def figures(what, runs):
    alone, beside = ([run[key] for run in runs] for key in ("alone", "beside"))
    times = [median(some, key) for key in ("p50", "p99", "max") for some in (alone, beside)]
    times.insert(4, f"{ratio_to_alone(runs):.2f}")
    return [what, *times, *(median([run[name] for run in runs], way) for name in FLOODS for way in ("sent", "came"))]


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"fairness.py: {why}")

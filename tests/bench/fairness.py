#!/usr/bin/env python3
"""How long others wait for /plaintext while one floods /echo with messages of 16 MiB and one pipelines without end.

  fairness.py [--rounds N] [--seconds S] [--quick]

one     one connection that asks and waits, again and again
paced   64 connections that ask 6,400 times a second on a schedule
busy    64 connections that ask without a pause

Each is measured alone, and then beside the two floods: the p99 of the two, and the median of the rounds' own ratios.
Tornado stands beside squall as a control. The server is alone on the first core; the probe and the floods share the
last one, where the floods get what is left over (SCHED_IDLE), or they would be measured and not the server. How much
they moved is in the table: what they sent and what came back, MiB a second.

Needs taskset and chrt, and Tornado in TOOLS/venv (tests/bench/run.sh).
A missed target does not change the exit code.
"""

import json
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import ENV, LOAD_CORE, Bench, arguments, figures as of_run, has_tornado, interleave, load, load_command
from bench import median, need, pinned, ratio, table, target

OTHERS = {"one": ("-c", 1), "paced": ("-c", 64, "--rate", 6400), "busy": ("-c", 64)}
P99_RATIO_MOST = 3.0
FLOODS = {"echo": ("/echo", ("--ws", "echo", "-c", 1, "--message-bytes", 16 << 20), "ws"),
          "requests": ("/plaintext", ("--http1.1", "-c", 1, "--pipeline", 1024), "http")}


def main():
    args = arguments(__doc__, rounds=5, seconds=3, quick=False)
    if args.quick:
        args.rounds, args.seconds = 1, 0.3
    need("chrt", also=["Tornado in TOOLS/venv (tests/bench/run.sh brings it)"] * (not has_tornado()))
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
    flags = ("--http1.1", *flags, "--warmup", 0.1, "--duration", args.seconds)
    alone = load(server, "/plaintext", *flags)
    floods = [flood(args, server, *what) for what in FLOODS.values()]
    try:
        time.sleep(0.2)
        beside = load(server, "/plaintext", *flags)
        moved = {name: ended(process) for name, process in zip(FLOODS, floods)}
    finally:
        for process in floods:
            process.kill()
            process.wait()
    return {"alone": alone, "beside": beside, **moved}


def flood(args, server, path, flags, scheme):
    command = load_command(server, path, *flags, "--duration", args.seconds + 0.5, scheme=scheme)
    command = pinned(LOAD_CORE, ["chrt", "--idle", "0", *command])
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)


def ended(process):
    out, err = process.communicate(timeout=30)
    if process.returncode:
        raise RuntimeError(f"a flood failed: {err.decode(errors='replace')[-300:]}")
    return of_run(json.loads(out))


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

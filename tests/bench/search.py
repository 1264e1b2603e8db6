#!/usr/bin/env python3
"""`/search` of squall, with nginx `proxy_pass` beside it where that says something.

  search.py [--rounds N] [--seconds S] [--parts ratio kept fresh slow many]

ratio  squall and nginx before the same upstream (1 KiB of text/plain, answered at once) with kept connections, at 64
       and at 1: latency and CPU time of the server a request
kept   requests a second with kept connections, at several counts of browsers
fresh  the same with --upstream-idle 0, a connection for each search: in the first second towards an address that
       were not used yet, and then once the ports of the last minute lie in TIME_WAIT
slow   an upstream that takes 5 ms (/sleep of another squall), asked directly and through squall
many   2,000 different searches at once before an upstream that takes 1 s

The server is alone on the first core, wrk and the upstream share the last one. Where `wrk` and `upstream` together
are near 100 % the load was at its limit and not the server; `limit` is what the server could do a second by its own CPU
time a request if it had all of its core. `other` is what the rest of the machine used: above some 10 % no latency
means much.

Needs nginx, wrk and taskset. A missed target does not change the exit code.
"""

import selectors
import socket
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import LOAD_CORE, Bench, arguments, interleave, median, need, ratio, spread, table, target, wrk

PARTS = ("ratio", "kept", "fresh", "slow", "many")
SEARCH = "/search?wd=x"
BODY = "0123456789abcdef" * 64
SLOW_SECONDS = 0.005
MANY, MANY_SECONDS, MANY_WITHIN = 2000, 1, 1.5
COLUMNS = ("rps", "limit", "p50", "p99", "cpu", "server", "wrk", "upstream", "other")
HEAD = ("req/s", "limit", "p50 us", "p99 us", "CPU us", "server %", "wrk %", "upstream %", "other %")


def main():
    args = arguments(__doc__, rounds=3, seconds=2, parts=PARTS)
    need("nginx", "wrk")
    with Bench() as bench:
        for part in args.parts:
            {"ratio": ratio_to_nginx, "kept": kept, "fresh": fresh, "slow": slow, "many": many}[part](bench, args)


def instant(bench, name="upstream", address="127.0.0.1"):
    """Answers 1 KiB of text/plain at once, so that no base element is put before it."""
    return bench.nginx(name, f'listen {address}:{{port}} backlog=4096; location / {{ return 200 "{BODY}"; }}',
                       core=LOAD_CORE, address=address)


def row(name, results):
    return [name, *(median(results, key) for key in COLUMNS)]


def ratio_to_nginx(bench, args):
    upstream = instant(bench)
    squall = bench.squall("squall", "--search-url", f"{upstream.base}/?wd={{}}")
    proxy = bench.nginx(
        "proxy",
        "listen {port} backlog=4096; location / { proxy_pass http://up; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; }',
        f"upstream up {{ server 127.0.0.1:{upstream.port}; keepalive 64; keepalive_requests 1000000000; "
        "keepalive_timeout 600s; }")

    def ask(server, connections, seconds=args.seconds):
        return lambda: wrk(server, server.base + SEARCH, connections, seconds, upstream)

    rows, figures = [], []
    for connections in (64, 1):
        for server in (squall, proxy):
            ask(server, connections, seconds=1)()  # opens the connections to the upstream
        got = interleave(args.rounds, {"squall": ask(squall, connections), "nginx": ask(proxy, connections)})
        ours, theirs = got["squall"], got["nginx"]
        rows += [row(f"squall, {connections} connections", ours), row(f"nginx, {connections} connections", theirs)]
        ratios = {key: ratio(ours, theirs, key) for key in COLUMNS[:5]}
        rows.append([f"ratio, {connections} connections", *(f"{value:.2f}" for value in ratios.values()), *[None] * 4])
        figures.append((connections, ratios, spread(ours, "cpu"), spread(theirs, "cpu")))
    print(f"## Kept connections to the same upstream, medians of {args.rounds} rounds of {args.seconds} s\n")
    table(["", *HEAD], rows)
    for connections, ratios, ours, theirs in figures:
        target(f"p50, squall to nginx, {connections} connections", ratios["p50"], most=1.25)
        target(f"CPU a request, squall to nginx, {connections} connections", ratios["cpu"], most=1.0)
        print(f"       (rounds of one server lie {ours:.0f} % and {theirs:.0f} % apart)")
    print()
    stop(squall, proxy, upstream)


def kept(bench, args):
    upstream = instant(bench)
    squall = bench.squall("squall", "--search-url", f"{upstream.base}/?wd={{}}", "--upstream-idle", "256")

    def ask(connections):
        return lambda: wrk(squall, squall.base + SEARCH, connections, args.seconds, upstream)

    ask(256)()  # opens the connections to the upstream
    got = interleave(args.rounds, {connections: ask(connections) for connections in (16, 32, 64, 128, 256)})
    print("## Kept connections, more and more browsers\n")
    table(["", *HEAD], [row(f"{n} connections", results) for n, results in got.items()])
    target("most searches a second", max(median(results, "rps") for results in got.values()), least=40_000)
    load = max(median(results, "wrk") + median(results, "upstream") for results in got.values())
    busy = max(median(results, "server") for results in got.values())
    print(f"       (the load used up to {load:.0f} % of its core, the server up to {busy:.0f} % of its own)\n")
    stop(squall, upstream)


def fresh(bench, args):
    """A round has an address of its own: the kernel counts the ports of each pair of addresses apart."""
    waiting = []

    def once(n):
        address = f"127.{1 + time.time_ns() // 1000 % 200}.{n // 250}.{1 + n % 250}"
        upstream = instant(bench, "upstream", address)
        squall = bench.squall("squall", "--search-url", f"{upstream.base}/?wd={{}}", "--upstream-idle", "0")
        before = time_wait()
        new = wrk(squall, squall.base + SEARCH, 64, 1, upstream)
        between = time_wait()
        used = wrk(squall, squall.base + SEARCH, 64, args.seconds, upstream)
        waiting.append((between - before, time_wait() - before))
        stop(squall, upstream)
        return new, used

    rounds = [once(n) for n in range(args.rounds)]
    new, used = [first for first, _ in rounds], [second for _, second in rounds]
    print("## A connection for each search (--upstream-idle 0), 64 browsers\n")
    table(["", *HEAD, "in TIME_WAIT after"],
          [[*row("the first second", new), max(first for first, _ in waiting)],
           [*row(f"the next {args.seconds} s", used), max(second for _, second in waiting)]])
    target("searches a second, unused ports", median(new, "rps"), least=15_000)
    target("searches a second, ports in TIME_WAIT", median(used, "rps"), least=15_000)
    print()


def time_wait():
    with open("/proc/net/sockstat") as stat:
        fields = next(line for line in stat if line.startswith("TCP:")).split()
    return int(fields[fields.index("tw") + 1])


def slow(bench, args):
    upstream = bench.squall("upstream", core=LOAD_CORE)
    path = f"/sleep?seconds={SLOW_SECONDS}&x="
    squall = bench.squall("squall", "--search-url", f"{upstream.base}{path}{{}}")
    rows, ratios = [], {}
    for connections in (64, 16):
        got = interleave(args.rounds, {
            "direct": lambda: wrk(upstream, f"{upstream.base}{path}x", connections, args.seconds),
            "squall": lambda: wrk(squall, squall.base + SEARCH, connections, args.seconds, upstream)})
        for one in got["direct"]:
            one["upstream"], one["server"] = one["server"], 0
        rows += [row(f"direct, {connections} connections", got["direct"]),
                 row(f"through squall, {connections} connections", got["squall"])]
        ratios[connections] = ratio(got["squall"], got["direct"], "p50")
    print(f"## An upstream that takes {SLOW_SECONDS * 1e3:.0f} ms\n")
    table(["", *HEAD], rows)
    for connections, value in ratios.items():
        target(f"p50 through squall to p50 direct, {connections} connections", value, most=1.15)
    print()
    stop(squall, upstream)


def many(bench, args):
    flags = ("--search-max", str(MANY), "--upstream-idle", str(MANY))
    upstream = bench.squall("upstream", core=LOAD_CORE)
    squall = bench.squall("squall", "--search-url", f"{upstream.base}/sleep?seconds={MANY_SECONDS}&x={{}}", *flags)
    rows = [many_at_once(squall) for _ in range(args.rounds)]
    print(f"## {MANY:,} different searches at once, an upstream that takes {MANY_SECONDS} s\n")
    table(["round", "whole", "not 200", "sent within s", "first s", "last s", "CPU s", "threads"],
          [[f"{n + 1}", *line] for n, line in enumerate(rows)])
    target("searches answered in the worst round", min(line[0] - line[1] for line in rows), least=MANY)
    target("seconds until the last answer, worst round", max(line[4] for line in rows), most=MANY_WITHIN)
    print("       (the first round opens the upstream's connections; threads are all that the process has)\n")
    stop(squall, upstream)


def many_at_once(server):
    """Opens all connections, asks on all of them, and waits for the last byte of the last answer."""
    selector, peers = selectors.DefaultSelector(), []
    try:
        for _ in range(MANY):
            peers.append(socket.create_connection(("127.0.0.1", server.port)))
            peers[-1].setblocking(False)
        used, began = server.cpu(), time.perf_counter()
        for n, peer in enumerate(peers):
            peer.sendall(f"GET /search?wd=word{n} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            selector.register(peer, selectors.EVENT_READ, bytearray())
        sent, ends, wrong, threads = time.perf_counter() - began, [], 0, server.threads()
        while selector.get_map() and time.perf_counter() - began < MANY_SECONDS + 15:
            for key, _ in selector.select(1):
                more, answer = received(key.fileobj), key.data
                answer += more
                if is_whole(answer) or not more:
                    ends.append(time.perf_counter() - began)
                    wrong += not (more and answer.startswith(b"HTTP/1.1 200 "))
                    selector.unregister(key.fileobj)
            threads = max(threads, server.threads()) if not ends else threads
        if not ends:
            raise RuntimeError("none of the searches was answered")
        return len(ends), wrong, sent, min(ends), max(ends), server.cpu() - used, threads
    finally:
        for peer in peers:
            peer.close()
        selector.close()


def received(peer):
    try:
        return peer.recv(65536)
    except ConnectionError:
        return b""


def is_whole(answer):
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) == int(line.split(b":")[1])
    return body.endswith(b"0\r\n\r\n")


def stop(*children):
    for child in children:
        child.stop()


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"search.py: {why}")

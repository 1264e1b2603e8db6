#!/usr/bin/env python3
"""`squall fetch` of a list beside `curl --parallel` and an aiohttp script: the same URLs, the same concurrency.

  fetch.py [--rounds N] [--urls N] [--concurrency N] [--kib N]

Each gets N different URLs of one loopback nginx (a body of --kib KiB), throws the bodies away, and is measured from
its start to its end, so with what it takes to load a program; `inside` is what the script itself measures without
that. squall's output, every head, goes to a file; the others print nothing. The clients take turns on the first core,
the server is alone on the last one and counts requests and connections: a round in which an answer is missing or no
200 fails. `other` is what the rest of the machine used, percent of a core: above some 10 % the times mean little.

Needs nginx with its stub_status module, curl, taskset, and aiohttp in TOOLS/venv-aiohttp:

  python3 -m venv target/tools/venv-aiohttp
  target/tools/venv-aiohttp/bin/pip install aiohttp==3.14.5
"""

import os
import re
import subprocess
import sys
import urllib.request

sys.dont_write_bytecode = True  # nothing is written into the source tree
from bench import BIN, LOAD_CORE, SERVER_CORE, TOOLS, Bench, arguments, interleave, machine_cpu, median, need, ratio
from bench import run, spread, table, target

PYTHON = os.path.join(TOOLS, "venv-aiohttp", "bin", "python")
WITHIN = 60
# Reads the list, gets all of it, and says how many were a 200 and how long that took.
AIOHTTP = """
import asyncio, sys, time, aiohttp

async def get(session, url):
    async with session.get(url) as answer:
        await answer.read()
        return answer.status

async def main():
    urls = sys.stdin.read().split()
    began = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=int(sys.argv[1]))) as session:
        statuses = await asyncio.gather(*[get(session, url) for url in urls])
    print(statuses.count(200), time.perf_counter() - began)

asyncio.run(main())
"""


def main():
    args = arguments(__doc__, rounds=11, urls=1000, concurrency=100, kib=1)
    lost = [f"aiohttp in {os.path.dirname(os.path.dirname(PYTHON))} (see --help)"] if not has_aiohttp() else []
    need("nginx", "curl", also=lost)
    with Bench() as bench:
        body = "0123456789abcdef" * 64 * args.kib
        # A word of a configuration may not be longer than 4 KiB, so the body is a file.
        os.mkdir(bench.path("site"))
        bench.write("site/page", body)
        os.chmod(bench.work, 0o755)
        site = bench.nginx("site", f"listen {{port}} backlog=4096; root {bench.path('site')}; "
                                   "location = /status { stub_status; } "
                                   "location / { rewrite ^ /page break; open_file_cache max=10; }", core=LOAD_CORE)
        urls = [f"{site.base}/page/{n}" for n in range(args.urls)]
        clients = clients_of(bench, args, urls)
        for one in clients.values():
            measured(site, len(urls), one)
        got = interleave(args.rounds, {name: lambda one=one: measured(site, len(urls), one)
                                       for name, one in clients.items()})
    theirs = got["curl"]
    print(f"{args.urls:,} URLs of {args.kib} KiB on loopback, {args.concurrency} at once; "
          f"medians of {args.rounds} rounds\n")
    table(["client", "wall ms", "to curl", "CPU ms", "connections", "inside ms", "other %", "rounds apart %"],
          [[name, median(results, "wall"), f"{ratio(results, theirs, 'wall'):.2f}", median(results, "cpu"),
            median(results, "connections"), median(results, "inside") if "inside" in results[0] else None,
            median(results, "other"), f"{spread(results, 'wall'):.0f}"] for name, results in got.items()])
    target("wall time, squall to curl", ratio(got["squall"], theirs, "wall"), most=1.0)
    target("wall time, squall to aiohttp", ratio(got["squall"], got["aiohttp"], "wall"), most=1.0)


def has_aiohttp():
    return os.access(PYTHON, os.X_OK) and subprocess.run([PYTHON, "-c", "import aiohttp"],
                                                         stderr=subprocess.DEVNULL).returncode == 0


def clients_of(bench, args, urls):
    """A function by name: runs that client once, and gives its CPU and wall seconds and what it said."""
    listed = bench.write("urls", "\n".join(urls) + "\n")
    config = bench.write("curl", "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls))
    script = bench.write("get.py", AIOHTTP)
    at_once = str(args.concurrency)

    def client(*command):
        with open(listed) as stdin:
            return run(command, WITHIN, core=SERVER_CORE, stdin=stdin)

    return {
        "squall": lambda: client(BIN, "fetch", "--concurrency", at_once, "-"),
        "curl": lambda: client("curl", "-q", "-s", "--parallel", "--parallel-max", at_once,
                               "--fail", "--fail-early", "--config", config),
        "aiohttp": lambda: client(PYTHON, script, at_once),
    }


def measured(site, wanted, client):
    """One run of a client, ms, and what the server saw of it."""
    before, machine, server = counted(site), machine_cpu(), site.cpu()
    text, cpu, wall = client()
    other = machine_cpu() - machine - cpu - (site.cpu() - server)
    after = counted(site)
    # Asking for the counters is a connection and a request, too.
    connections, requests = after[0] - before[0] - 1, after[1] - before[1] - 1
    if requests != wanted:
        raise RuntimeError(f"{requests} of {wanted} requests reached the server: {text[-200:]}")
    result = {"wall": wall * 1e3, "cpu": cpu * 1e3, "connections": connections, "other": max(0, other / wall * 100)}
    good = wanted  # curl says by its exit code that one was not
    if inside := re.fullmatch(r"(\d+) ([\d.]+)\n", text):
        good, result["inside"] = int(inside.group(1)), float(inside.group(2)) * 1e3
    elif text:
        good = len(re.findall(r"^HTTP/1.1 200\b", text, re.M))
    if good != wanted:
        raise RuntimeError(f"{good} of {wanted} answers were a 200")
    return result


def counted(site):
    """Connections and requests so far."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{site.base}/status", timeout=5) as answer:
        accepted, _, requests = re.search(r"\n\s*(\d+) (\d+) (\d+)\s*\n", answer.read().decode()).groups()
    return int(accepted), int(requests)


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as why:
        sys.exit(f"fetch.py: {why}")

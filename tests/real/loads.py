"""`squall bench` under conditions that a test within the program cannot make: loads.py SQUALL.

view    on a terminal a line is drawn again and again: the load is as fast as without it, and nothing of it is in the report
stop    the server is stopped for half of the run: with --rate that half of the requests waits, and their times say so
late    at 10,000 requests a second the load itself is hardly late (--full says how late; a busy machine is no failure)
room    15,000 members on this machine hear all that is said, each in the same order: of squall, and of `ws` for Node.js
storm   2,000 members of the chat are cut at once, while another load speaks: each resumes, with all that it has missed

TOOLS is where npm has put `ws`.
"""

import json
import os
import pty
import re
import resource
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SQUALL = os.path.abspath(sys.argv[1])
FULL = bool(os.environ.get("FULL"))
# The shares of a run with a view and of one without may differ by this much on a machine that others use, too.
VIEW_RATIO_LEAST = 0.8
LATE_MS_MOST = 0.1 if FULL else 5.0
MEMBERS = 15_000
CUT_MEMBERS = 2_000
# A room in which every text goes to all, as the documentation of `ws` has it.
NODE = """
const { WebSocketServer, WebSocket } = require("ws");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", backlog: 4096, perMessageDeflate: false }, () =>
  console.log(`http://127.0.0.1:${server.address().port}`));
server.on("connection", (peer) => peer.on("message", (data) =>
  server.clients.forEach((member) => member.readyState === WebSocket.OPEN && member.send(data, { binary: false }))));
"""
checks = []


def check(what, is_sound, seen):
    checks.append(is_sound)
    print(f"{'ok    ' if is_sound else 'FAILED'} {what}: {seen}")


class Server:
    """A server that says its URL in its first line: squall on a port of its own, or another."""

    def __init__(self, *flags, command=None):
        self.folder = tempfile.TemporaryDirectory()
        command = command or [SQUALL, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.folder.name, *flags]
        environment = os.environ | {"NODE_PATH": os.path.join(os.environ.get("TOOLS", ""), "node_modules")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        self.base = re.search(r"http://[\d.:]+", self.process.stdout.readline()).group()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def bench(*args, within=60):
    """A run that has to succeed: its report."""
    done = subprocess.run([SQUALL, "bench", *map(str, args)], capture_output=True, text=True, timeout=within)
    if done.returncode:
        sys.exit(f"bench {args}: {done.returncode}: {done.stderr}")
    return done.stdout


def on_terminal(*args, within=60):
    """The same with standard error on a terminal: the report, and what was drawn."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([SQUALL, "bench", *map(str, args)], stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    drawn, until = b"", time.monotonic() + within
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            drawn += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    return process.communicate(timeout=10)[0], drawn.decode()


def figure(label, report):
    return float(re.search(rf"^{re.escape(label)}:\s+([\d.]+)", report, re.M).group(1))


def percentile(name, report, column=1):
    """Milliseconds: from due, or in column 2 from sending."""
    line = re.search(rf"^\s+p{re.escape(name)}\s+([\d.]+) ms(?:\s+([\d.]+) ms)?", report, re.M)
    if not line:
        sys.exit(f"there is no p{name} in {report}")
    return float(line.group(column))


def view(server):
    flags = ("-k", "-c", 16, "--duration", 1.2, f"{server.base}/plaintext")
    ratios = []
    for _ in range(5):
        shown, drawn = on_terminal(*flags)
        quiet = bench("-q", *flags)
        ratios.append(figure("Requests per second", shown) / figure("Requests per second", quiet))
    check("a line is drawn again on a terminal", re.search(r"\r\s*\d+ %\s+\d+/s  p50 .* ms  p99 ", drawn), repr(drawn[:60]))
    check("nothing of it is in the report", "\r" not in shown and "own CPU" not in shown, "")
    ratio = statistics.median(ratios)
    check(f"with the view the rate is at least {VIEW_RATIO_LEAST} of that without", ratio >= VIEW_RATIO_LEAST, f"{ratio:.2f}")


def stop(server):
    """Stopped for 5 s of 10 s, or for 1 s of 2 s."""
    half = 5.0 if FULL else 1.0
    command = [SQUALL, "bench", "-q", "-k", "-c", "4", "--rate", "500", "--duration", str(2 * half), f"{server.base}/plaintext"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(half / 2)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(half)
    server.process.send_signal(signal.SIGCONT)
    report = load.communicate(timeout=60)[0]
    p50, p75, sent = percentile("50", report), percentile("75", report), percentile("99", report, column=2)
    check("half of the requests did not wait", p50 < half * 100, f"p50 {p50} ms")
    check("the others waited for half of the stop as the median", abs(p75 - half * 500) < half * 100, f"p75 {p75} ms")
    check("from sending, 99 % show nothing of it", sent < half * 500, f"p99 {sent} ms")
    check("all were sent", figure("Never sent", report) == 0, "")


def late(server):
    best = None
    for _ in range(3):
        report = bench("-q", "-k", "-c", 16, "--rate", 10_000, "--duration", 5 if FULL else 1, f"{server.base}/plaintext")
        p99 = float(re.search(r"^Late starts:.* p99 ([\d.]+) ms", report, re.M).group(1))
        best = p99 if best is None else min(best, p99)
    check(f"at 10,000 requests a second the load is at most {LATE_MS_MOST} ms late", best <= LATE_MS_MOST, f"p99 {best} ms")


def room(name, server, path, *flags):
    """A room of 15,000, in which one speaks for a while."""
    url = server.base.replace("http", "ws") + path
    command = [SQUALL, "bench", "-q", "--ws", "fanout", "-c", str(MEMBERS), "--duration", "5", "--json", "-", *flags, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode:
        check(f"a room of {name} with {MEMBERS:,} members", False, done.stderr[-300:])
        return
    figures = {name: figure["value"] for name, figure in json.loads(done.stdout)["figures"].items()}
    wrong = {name: figures[name] for name in ("lost", "doubled", "out_of_order", "disagreeing_members") if figures[name]}
    is_sound = figures["members"] == MEMBERS and figures["reach"] == 1 and not wrong
    check(f"a room of {name}: {figures['members']:,.0f} members, reach {figures['reach']:.3f}", is_sound,
          f"{figures['delivered_per_second']:,.0f} a second {wrong or ''}")


def storm(server):
    """Members that resume while messages come."""
    url, login = server.base.replace("http", "ws") + "/chat/?room=storm", ("--login", f"{server.base}/login", "--logins", "1")
    # It speaks until the storm is over; more than 1,000 messages behind, a member could not resume.
    speech = [SQUALL, "bench", "-q", "--ws", "fanout", "-c", "2", "--rate", "10", "--duration", "100", *login, url]
    speaker = subprocess.Popen(speech, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = [SQUALL, "bench", "-q", "--ws", "storm", "--subprotocol", "squall.v1", "-c", str(CUT_MEMBERS), "--warmup", "1",
               "--duration", "45", "--json", "-", *login, url]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    finally:
        speaker.kill()
        speaker.wait()
    if done.returncode:
        check(f"a storm of {CUT_MEMBERS:,} members", False, done.stderr[-300:])
        return
    figures = {name: figure["value"] for name, figure in json.loads(done.stdout)["figures"].items()}
    is_sound = figures["resumed"] == CUT_MEMBERS and not figures["not_resumed"]
    check(f"of {figures['cut']:,.0f} members that were cut {figures['resumed']:,.0f} have resumed", is_sound,
          {name: figures.get(name) for name in ("back", "gaps", "anew", "holes", "back_50_us", "back_100_us")})


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < MEMBERS + 100:
        sys.exit(f"MISSING: {MEMBERS + 100} open files: the limit is {most}")
    with Server("--message-rate", "0", "--max-connections", str(MEMBERS + 50)) as server:
        room("squall", server, "/chat/", "--login", f"{server.base}/login", "--logins", "1")
        storm(server)
    with Server(command=["node", "-e", NODE]) as server:
        room("ws", server, "/")
    with Server() as server:
        view(server)
        stop(server)
        late(server)
    print(f"Loads by squall bench: {sum(map(bool, checks))} passed, {len(checks) - sum(map(bool, checks))} failed")
    sys.exit(not all(checks))


if __name__ == "__main__":
    main()

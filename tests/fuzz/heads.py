#!/usr/bin/env python3
"""The same request heads to squall, nginx and node: whoever takes them must see the same requests.

    heads.py SQUALL [--seconds S] [--seed N] [--case K] [--verbose]

Each case is one strange request, made of a grammar and then damaged, with plain ones behind it on the same connection.
Each of the plain ones is answered if, and only if, a server has found the end of the strange one where it is. What a
server did is how many requests it has answered, and how that ended:

    complete   it has answered the last      refused   an error answer, nothing behind it is looked at
    closed     it said Connection: close     starved   it waits for more

Two servers that both take the strange request and do not agree on the rest could be played off against each other
(request smuggling): that is a failure. To refuse what another takes, or the other way round, is counted only.
A case is made of --seed and its number alone; --case replays one and shows it.
"""

import argparse
import collections
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
REFUSALS = {400, 408, 411, 413, 414, 417, 431, 494, 501, 505}
PATIENCE = 10  # seconds without a byte, after which a server is said to hang

PLAIN = b"GET /plaintext?plain HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"  # answered with "ok", as nothing else is

# Answers when the body is whole, and tells input that breaks off from input that is wrong; both only after the answers
# to what came before.
NODE = """
const server = require('http').createServer((request, response) => {
  request.on('end', () => response.end(request.url === '/healthz' ? 'ok' : 'node')).resume();
});
server.on('clientError', (error, socket) => setImmediate(() => {
  if (error.code === 'HPE_INVALID_EOF_STATE' || !socket.writable) return socket.end();
  socket.end('HTTP/1.1 400 Bad Request\\r\\nConnection: close\\r\\n\\r\\n');
}));
server.listen(0, '127.0.0.1', () => console.log('listening on http://127.0.0.1:' + server.address().port + '/'));
"""

# The proxy is there because it reads a body before it answers; `return` alone would not. One process, which ends when
# it is told to.
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error crit;
events {{ worker_connections 512; }}
http {{
  access_log off; client_max_body_size 1m; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen unix:{folder}/front;
    location / {{ proxy_pass http://unix:{folder}/back; proxy_ignore_client_abort on; }}
  }}
  server {{ listen unix:{folder}/back; location = /healthz {{ return 200 "ok"; }} location / {{ return 200 "nginx"; }} }}
}}
"""


class Program:
    """A server that says where it listens, or that is found at a path."""

    def __init__(self, name, command, path=None):
        self.name = name
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL if path else subprocess.PIPE, text=True)
        self.place = path or self.port()
        self.family = socket.AF_UNIX if path else socket.AF_INET
        self.wait()

    def port(self):
        for line in self.process.stdout:
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)/", line):
                return ("127.0.0.1", int(found[1]))
        sys.exit(f"{self.name} does not say where it listens")

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                return self.connect().close()
            except OSError:
                time.sleep(0.02)
        sys.exit(f"{self.name} does not listen")

    def connect(self):
        stream = socket.socket(self.family)
        stream.settimeout(PATIENCE)
        stream.connect(self.place)
        return stream

    def stop(self):
        self.process.kill()
        self.process.wait()


def start(squall, folder):
    nginx = os.path.join(folder, "nginx.conf")
    with open(nginx, "w") as file:
        file.write(NGINX.format(folder=folder))
    commands = [
        ("squall", [squall, "--listen", "127.0.0.1:0", "--data-dir", folder], None),
        ("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-e", "stderr", "-p", folder, "-c", nginx], f"{folder}/front"),
        ("node", [shutil.which("node") or "node", "-e", NODE], None),
    ]
    started = []
    try:
        for name, command, path in commands:
            started.append(Program(name, command, path))
    except BaseException:
        for program in started:
            program.stop()
        raise
    return started


def converse(programs, wire):
    """What each of them does with `wire`: requests answered, and the end."""
    streams = [program.connect() for program in programs]
    for stream in streams:
        try:
            stream.sendall(wire)
            stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It has refused already and does not read on.
    return [outcome(stream) for stream in streams]


def outcome(stream):
    """The statuses of the requests that were taken, how it ended, and everything that was heard."""
    heard = b""
    with stream:
        try:
            while piece := stream.recv(65536):
                heard += piece
        except TimeoutError:
            return [], "HANGS", heard
        except ConnectionError:
            pass
    answers = [(int(status), fields.lower()) for status, fields in ANSWER.findall(heard) if not status.startswith(b"1")]
    statuses = [status for status, _ in answers]
    closes = bool(answers) and b"connection: close" in answers[-1][1]
    if heard.rstrip().endswith(b"\r\n\r\nok"):
        return statuses, "complete", heard
    if closes and statuses[-1] in REFUSALS:
        return statuses[:-1], "refused", heard
    return statuses, "closed" if closes else "starved", heard


def judge(ours, theirs):
    """The class of what two servers did; one that begins with FRAMING is a failure."""
    (statuses, how, _), (their_statuses, their_how, _) = ours, theirs
    seen, they_saw = len(statuses), len(their_statuses)
    if "HANGS" in (how, their_how):
        return "FRAMING: a server hangs"
    refused, they_refused = (seen, how) == (0, "refused"), (they_saw, their_how) == (0, "refused")
    if refused and they_refused:
        return "both refuse"
    if refused or they_refused:
        return "only squall refuses" if refused else "only the other refuses"
    if (seen, how) == (they_saw, their_how):
        return "both take it, and agree"
    # Whoever has closed reads nothing more: nothing can be made of what the other one reads then.
    if how == "closed" and seen <= they_saw or their_how == "closed" and they_saw <= seen:
        return "both take it, and one closes earlier"
    if how == "refused" and seen <= they_saw:
        return "both take it, and squall refuses what is behind it"
    # node takes only methods that it knows, nginx only letters; we answer 501 and go on, for the framing is clear.
    if their_how == "refused" and they_saw < seen and statuses[they_saw] == 501:
        return "both take it, and the other refuses a method behind it"
    return f"FRAMING: squall {seen} {how}, the other {they_saw} {their_how}"


# ---- Cases. Left out: TRACE and CONNECT, behind which nginx closes, and Connection: upgrade, behind which node does not
# read on.

# What is asked for usually, and what is not.
METHODS = ["GET", "POST", "PUT"], ["HEAD", "DELETE", "OPTIONS", "PATCH", "M-SEARCH", "get"]
TARGETS = ["/plaintext", "/plaintext?a=b"], [
    "/", "/%00", "/a%2", "//a/b", "/../x", "*", "http://a/plaintext", "http://b:80/", "HTTP://a", "https://a/x?y", "http://u@a/",
    "/a#b", "a", "", "/\u00e9", "/a b", "/a\tb", "/\\x", "/" + "x" * 300,
]
VERSIONS = ["HTTP/1.1"], ["HTTP/1.0", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "HTTP/11", "http/1.1", "HTTP/1.1 ", ""]
SPACES = [" "], ["  ", "\t", ""]
HOSTS = ["a"], ["", "a:80", "a:x", "[::1]", "[::1", "a b", "a,b", "a/b", "u@a", "a:99999", "A", "\u00e9", "a%20"]
LENGTH = ["Content-Length"], [
    "content-length", "Content-Length ", " Content-Length", "Content_Length", "Content-Length\t", "Content-Length\0", "Content-\tLength", "X\r\n Content-Length",
]
LENGTHS = ["{}"], [
    "+{}", "-{}", " {}", "{} ", "0{}", "{},{}", "{}, {}", "0x{:x}", "{}.0", "{}e0", "{}\t", "\x0b{}", "{}_0", "{:x}", "\"{}\"", "", "9" * 20,
]
CODING = ["Transfer-Encoding"], [
    "transfer-encoding", "Transfer-Encoding ", " Transfer-Encoding", "Transfer_Encoding", "Transfer-Encoding\0", "Transfer-Encoding\x0b",
    "X\r\n Transfer-Encoding",
]
CODINGS = ["chunked"], [
    "Chunked", "chunked ", "\tchunked", "\x0bchunked", "chunked\x0b", "xchunked", "chunked, chunked", "gzip, chunked", "chunked, gzip", "identity",
    "identity, chunked", "chunked, identity", "\"chunked\"", "chunked;a=b", ",chunked", "chunked,", "", "cow", "chunked\r\n x",
]
OTHERS = ["X: y", "Content-Type: a/b", "Accept-Encoding: gzip", "Connection: keep-alive"], [
    "Connection: close", "Connection: Content-Length", "Connection: close, x", "Upgrade: h2c", "Expect: 100-continue", "Expect: x", "X:",
    "X: a\r\n b", "X: a\rb", "X: a\nb", "X : y", ": y", "X", "X: \0", "X: \u00e9", "Cookie: a=b; c", "Trailer: X", "TE: trailers",
    "X: " + "y" * 2000, "Keep-Alive: 5", "Host: b",
]
ENDS = ["\r\n"], ["\n", "\r", "\r\r\n", ""]
SIZES = ["{:x}", "{:X}"], [
    "0{:x}", "{:x};a=b", "{:x} ;a", "{:x} ", "0x{:x}", "+{:x}", "{:x};a=\"\r\n", "{:x};\n", "{:x}\t", "{:x}\0", "0000000000000000{:x}", "10000000000000000{:x}",
]
LAST_CHUNKS = ["0\r\n\r\n"], [
    "0\n\n", "00\r\n\r\n", "0;a\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\nX y\r\n\r\n", "0\r\n", "0\r\n\n", "-0\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
]
DAMAGE = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\0", b",", b":", b";", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"+", b"-", b"0", b"\r\n "]
# Where a body ends too early or too late, whole requests are found or lost.
BODIES = [b"", b"((((", PLAIN, PLAIN + PLAIN, b"\r\n" + PLAIN, b"0\r\n\r\n" + PLAIN]


class Case:
    """One strange request, as strange as chance has it."""

    def __init__(self, seed, number):
        self.rng = random.Random(f"{seed}/{number}")
        self.oddity = self.rng.choice([0.01, 0.04, 0.15])

    def pick(self, usual_and_odd):
        return self.rng.choice(usual_and_odd[self.rng.random() < self.oddity])

    def some(self, usual):
        """How many there are of what there is `usual` times."""
        return self.rng.choice([0, 2]) if self.rng.random() < self.oddity else usual

    def wire(self):
        """The strange request, a plain one, and the last."""
        data = self.rng.choice(BODIES)
        chunked, length = self.rng.choice([(0, 1), (0, 1), (1, 0), (1, 0), (1, 1)] + [(0, 0)] * (b"(" not in data))
        body = self.chunks(data) if chunked and self.rng.random() > self.oddity else data
        fields = [f"Host: {self.pick(HOSTS)}"] * self.some(1)
        fields += [f"{self.pick(LENGTH)}: {self.length(body)}" for _ in range(self.some(length))]
        fields += [f"{self.pick(CODING)}: {self.pick(CODINGS)}" for _ in range(self.some(chunked))]
        fields += [self.pick(OTHERS) for _ in range(self.rng.choice([0, 0, 0, 1, 2]))]
        self.rng.shuffle(fields)
        line = self.pick(METHODS) + self.pick(SPACES) + self.pick(TARGETS) + self.pick(SPACES) + self.pick(VERSIONS)
        head = "".join(text + self.pick(ENDS) for text in [line, *fields, ""]).encode()
        head = self.pick(([b""], [b"\r\n", b"\n", b"\r\n\r\n", b" "])) + head
        while head and self.rng.random() < self.oddity:
            head = damaged(self.rng, head)
        return head + body + PLAIN + LAST

    def length(self, body):
        right = len(body)
        size = self.pick(([right], [0, right + len(PLAIN), max(right - 1, 0), self.rng.randrange(right + 1)]))
        return self.pick(LENGTHS).format(size, size)

    def chunks(self, data):
        wire = b""
        while data:
            size = self.rng.randint(1, len(data))
            wire += self.pick(SIZES).format(size).encode() + self.pick(ENDS).encode() + data[:size] + self.pick(ENDS).encode()
            data = data[size:]
        return wire + self.pick(LAST_CHUNKS).encode()


def damaged(rng, head):
    at, what = rng.randrange(len(head)), rng.choice(DAMAGE)
    return rng.choice([head[:at] + what + head[at:], head[:at] + what + head[at + 1 :], head[:at] + head[at + 1 :]])


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("squall")
    args.add_argument("--seconds", type=float, default=10)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--case", type=int)
    args.add_argument("--verbose", action="store_true", help="show the first cases of each class")
    args = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        programs = start(args.squall, folder)
        try:
            sys.exit(run(args, programs))
        finally:
            for program in programs:
                program.stop()


def run(args, programs):
    for program, (statuses, how, heard) in zip(programs, converse(programs, PLAIN + LAST)):
        assert (statuses, how) == ([200, 200], "complete"), f"{program.name} does not answer plain requests: {heard}"
    counts, failures = collections.Counter(), 0
    deadline = time.monotonic() + args.seconds
    number = args.case or 0
    while args.case is not None and number == args.case or args.case is None and time.monotonic() < deadline:
        wire = Case(args.seed, number).wire()
        outcomes = converse(programs, wire)
        failed = False
        for program, theirs in zip(programs[1:], outcomes[1:]):
            kind = f"{program.name}: {judge(outcomes[0], theirs)}"
            counts[kind] += 1
            failed |= "FRAMING" in kind
            if failed or args.case is not None or args.verbose and counts[kind] <= 2:
                print(f"\n{kind}\n  {wire!r}")
                for who, (statuses, how, heard) in zip(programs, outcomes):
                    print(f"  {who.name}: {statuses} {how}" + (f": {heard!r}" if args.case is not None else ""))
                print(f"  again: heads.py SQUALL --seed {args.seed} --case {number}")
        failures += failed
        number += 1
    for kind, count in sorted(counts.items()):
        print(f"{count:8} {kind}")
    print(f"heads: {number if args.case is None else 1} cases of seed {args.seed}, {failures} framed differently")
    return failures > 0


if __name__ == "__main__":
    main()

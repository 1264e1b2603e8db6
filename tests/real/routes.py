"""The routes in src/lib.rs, hop by hop, against the functions that a server calls: routes.py PROGRAM.

PROGRAM is squall, built with `-C instrument-coverage`. For each route it runs twice: once up to the point where the
route begins, and once more with the route taken TIMES times. A hop is right if its function, in its file, is called
only in the second run, or more often there by at least half of TIMES. (Turns of the loop differ from run to run.)
"""

import base64
import collections
import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.path.abspath(sys.argv[1])
LLVM_COV = os.environ.get("LLVM_COV", "llvm-cov")
LLVM_PROFDATA = os.environ.get("LLVM_PROFDATA", "llvm-profdata")
PATIENCE = 20
TIMES = 20
PAGE = b"<p>found</p>" * 10_000


def routes_of(path):
    """Each route's name, and its hops: (file, function)."""
    routes = {}
    name = None
    for line in open(path):
        text = line.removeprefix("//!").strip()
        if text.startswith("# "):
            name = text.removeprefix("# The route of ") if text.startswith("# The route of ") else None
        hop = re.match(r"([\w/]+\.rs) +`([\w:]+)`", text)
        if name and hop:
            routes.setdefault(name, []).append((hop[1], hop[2].split("::")[-1]))
    return routes


class Site:
    """The site that is searched, by https. To `slow` it sends the beginning of a response and waits."""

    def __init__(self, folder):
        self.cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", self.cert],
                       check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ended = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def flags(self):
        url = f"https://localhost:{self.listener.getsockname()[1]}/s?wd={{}}"
        return ["--search-url", url, "--ca-file", self.cert]

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            with contextlib.suppress(OSError), self.context.wrap_socket(peer, server_side=True) as peer:
                while request := head(peer):
                    fields = f"Content-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close"
                    peer.sendall(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + PAGE[:100])
                    if b"slow" not in request:
                        peer.sendall(PAGE[100:])
                        break
            self.ended.set()


def head(peer):
    """Everything up to the end of a head; nothing if the peer has closed."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        byte = peer.recv(1)
        if not byte:
            return b""
        got += byte
    return got


class Browser:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.file = self.socket.makefile("rb")

    def ask(self, line, fields="", body=""):
        """Sends a request; returns the head of its response."""
        self.socket.sendall(f"{line} HTTP/1.1\r\nHost: squall\r\n{fields}\r\n{body}".encode())
        lines = iter(self.file.readline, b"\r\n")
        return b"".join(lines).decode()

    def get(self, target):
        head = self.ask(f"GET {target}")
        if length := re.search(r"(?i)content-length: (\d+)", head):
            return self.file.read(int(length[1]))
        body = b""
        while size := int(self.file.readline(), 16):
            body += self.file.read(size)
            self.file.readline()
        self.file.readline()
        return body

    # The cookie of each name: all servers have one data directory, and a name belongs to its first cookie.
    cookies = {}

    def log_in(self, name):
        form = f"username={name}"
        answer = self.ask("POST /login", f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n", form)
        self.file.read(int(re.search(r"(?i)content-length: (\d+)", answer)[1]))
        return re.search(r"(?i)set-cookie: ([^;]+)", answer)[1]

    def enter(self, name):
        cookie = self.cookies.get(name) or self.cookies.setdefault(name, self.log_in(name))
        key = base64.b64encode(b"0123456789abcdef").decode()
        answer = self.ask("GET /chat/", f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                        f"Sec-WebSocket-Key: {key}\r\nCookie: {cookie}\r\n")
        assert answer.startswith("HTTP/1.1 101 "), answer
        self.hear(f"{name} enter room")

    def say(self, text):
        self.socket.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode())

    def hear(self, text):
        """Reads frames up to one that ends so."""
        while True:
            _, length = struct.unpack("!BB", self.file.read(2))
            if self.file.read(length).decode().endswith(text):
                return

    def leave(self):
        self.file.close()
        self.socket.close()


def page(port, _, times):
    browser = Browser(port)
    browser.get("/healthz")
    for _ in range(times):
        assert browser.get("/plaintext") == b"Hello, World!"


def chat(port, _, times):
    ann, bob = Browser(port), Browser(port)
    ann.enter("ann")
    bob.enter("bob")
    ann.hear("bob enter room")
    for n in range(times):
        ann.say(f"hello {n}")
        bob.hear(f"ann:hello {n}")
        ann.hear(f"ann:hello {n}")


def search(port, _, times):
    browser = Browser(port)
    browser.get("/healthz")
    for _ in range(times):
        assert browser.get("/search?wd=words").endswith(PAGE)


def cancel(port, site, times):
    Browser(port).get("/healthz")
    for _ in range(times):
        site.ended.clear()
        browser = Browser(port)
        browser.ask("GET /search?wd=slow")
        browser.leave()
        assert site.ended.wait(PATIENCE), "the search goes on"


# How a route is run: by the first of these words that its name has.
RUNS = {"cancel": cancel, "chat": chat, "fetch": search, "search": search, "GET": page, "request": page}


def calls_of(run, site, times, folder):
    """Runs the program; returns how often it has called each (file, function)."""
    raw, data, report = (os.path.join(folder, name) for name in ("calls.profraw", "data", "calls.profdata"))
    command = [PROGRAM, "--listen", "127.0.0.1:0", "--data-dir", data, "--drain", "1", *site.flags()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"LLVM_PROFILE_FILE": raw}) as program:
        try:
            port = int(re.search(r":(\d+)/", program.stdout.readline())[1])
            run(port, site, times)
        finally:
            program.terminate()
    subprocess.run([LLVM_PROFDATA, "merge", "-sparse", raw, "-o", report], check=True)
    export = [LLVM_COV, "export", "--format=lcov", f"--instr-profile={report}", PROGRAM]
    lcov = subprocess.run(export, check=True, capture_output=True, text=True).stdout
    calls, source, path, names = collections.Counter(), [], "", {}
    for kind, _, rest in (line.partition(":") for line in lcov.splitlines()):
        if kind == "SF":
            path = rest.rpartition("/src/")[2] if os.path.exists(rest) else ""
            source, names = open(rest).read().split("\n") if path else [], {}
        elif kind == "FN" and path:
            line, name = rest.split(",", 1)
            function = re.search(r"\bfn (\w+)", source[int(line) - 1])
            names[name] = function and function[1]
        elif kind == "FNDA" and path:
            times, name = rest.split(",", 1)
            calls[path, names[name]] += int(times)
    return calls


def main():
    routes = routes_of("src/lib.rs")
    wrong = hops = 0
    with tempfile.TemporaryDirectory() as folder:
        site = Site(folder)
        for name, route in routes.items():
            run = next((run for word, run in RUNS.items() if word in name), None)
            if not run:
                sys.exit(f"nothing here runs the route of {name}")
            before, after = (calls_of(run, site, times, folder) for times in (0, TIMES))
            for hop in route:
                hops += 1
                if after[hop] - before[hop] < (TIMES / 2 if before[hop] else 1):
                    wrong += 1
                    print(f"WRONG  the route of {name}: {hop[0]} `{hop[1]}` is not called on it")
    print(f"{len(routes)} routes with {hops} hops, {wrong} of them wrong")
    if not hops:
        sys.exit("src/lib.rs has no route")
    if "RESULTS" in os.environ:
        open(os.environ["RESULTS"], "a").write(f"Hops of the routes in lib.rs: {hops - wrong} passed, {wrong} failed\n")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

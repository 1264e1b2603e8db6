"""System calls per request, echo and delivery: syscalls.py BASE PID, of a server that is running.

Connections are made and warm before strace is attached, and what it counts is divided by what was answered meanwhile.
The least there can be is one recv and one send, and a share in an epoll_wait. Under strace a server is slow, so many
connections are ready at every wait: that is what a busy server is like, and it is checked.
"""

import collections
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

FULL = bool(os.environ.get("FULL"))
CONNECTIONS = 64
ROUNDS = 500 if FULL else 100
MEMBERS = 1000
MESSAGES = 100 if FULL else 20
WRITES = {"send", "sendto", "sendmsg", "write", "writev"}
URL = urlsplit(sys.argv[1])
PID = sys.argv[2]

REQUEST = f"GET /plaintext HTTP/1.1\r\nHost: {URL.netloc}\r\n\r\n".encode()
TEXT = b"as long as what people write".ljust(64, b".")


def connect():
    peer = socket.create_connection((URL.hostname, URL.port), timeout=20)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def head(peer):
    """Everything up to the end of a head, not a byte more."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        byte = peer.recv(1)
        assert byte, f"cut off: {got!r}"
        got += byte
    return got


def upgraded(path, fields=""):
    peer = connect()
    peer.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {URL.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n".encode()
    )
    answer = head(peer)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return peer


def login(name):
    """The field that says who one is."""
    with connect() as peer:
        form = f"username={name}"
        peer.sendall(
            f"POST /login HTTP/1.1\r\nHost: {URL.netloc}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}".encode()
        )
        cookie = re.search(rb"(?i)set-cookie: ([^;]+)", head(peer))
        return f"Cookie: {cookie[1].decode()}\r\n"


def masked(text):
    """One text frame of a client, shorter than 126 bytes; a mask of zeros is one, too."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def take(peer, length):
    while length:
        got = peer.recv(length)
        assert got, "cut off"
        length -= len(got)


def frame(peer):
    """Takes one short frame, answers how long it was."""
    first = peer.recv(2, socket.MSG_WAITALL)
    take(peer, first[1])
    return 2 + first[1]


def in_turns(peers, sent, comes, rounds):
    """Every peer sends, and sends again when `comes` bytes are there, so often; none waits for the others."""
    poll, by_descriptor = select.epoll(), {peer.fileno(): peer for peer in peers}
    left = dict.fromkeys(by_descriptor, rounds)
    missing = dict.fromkeys(by_descriptor, comes)
    for peer in peers:
        poll.register(peer, select.EPOLLIN)
        peer.sendall(sent)
    while left:
        for descriptor, _ in poll.poll(20):
            got = by_descriptor[descriptor].recv(1 << 16)
            assert got, "cut off"
            missing[descriptor] -= len(got)
            if missing[descriptor]:
                continue
            missing[descriptor] = comes
            left[descriptor] -= 1
            if left[descriptor]:
                by_descriptor[descriptor].sendall(sent)
            else:
                del left[descriptor]
    poll.close()


def traced(work):
    """Calls of the server by name while `work` is done."""
    with tempfile.NamedTemporaryFile("r") as table:
        command = ["strace", "-f", "-c", "-U", "name,calls", "-o", table.name, "-p", PID]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = tracer.stderr.readline()
        assert "attached" in said, f"strace says: {said}{tracer.stderr.read()}"
        work()
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.read()
        tracer.wait()
        rows = [line.split() for line in table.read().splitlines()]
    rows = [row for row in rows if len(row) == 2 and row[1].isdigit() and row[0] != "total"]
    return collections.Counter({name: int(calls) for name, calls in rows})


right = True


def judge(what, calls, count, counted, most):
    """Prints what `count` of something cost; `counted` of it may be at most `most` for each."""
    global right
    names = ", ".join(f"{name} {n / count:.4f}" for name, n in calls.most_common())
    print(f"{what}: {names}; together {sum(calls.values()) / count:.4f} of {count}")
    if most is None:
        return
    each = counted / count
    ok = 0 < each <= most
    right &= ok
    print(f"{'ok    ' if ok else 'WRONG '} {what}: {each:.4f}, at most {most}")


def requests(together):
    peers = [connect() for _ in range(CONNECTIONS)]
    for peer in peers:
        peer.sendall(REQUEST)
    answer = len(head(peers[0])) + len(b"Hello, World!")
    take(peers[0], len(b"Hello, World!"))
    for peer in peers[1:]:
        take(peer, answer)
    calls = traced(lambda: in_turns(peers, REQUEST * together, answer * together, ROUNDS))
    what = f"{CONNECTIONS} connections, {together} GET /plaintext in a read: calls for each read"
    judge(what, calls, CONNECTIONS * ROUNDS, sum(calls.values()), 2.05)


def echoes(together):
    peers = [upgraded("/echo") for _ in range(CONNECTIONS)]
    sent = masked(TEXT) * together
    calls = traced(lambda: in_turns(peers, sent, len(sent) - 4 * together, ROUNDS))
    what = f"{CONNECTIONS} connections, {together} echoes in flight: calls for each read"
    judge(what, calls, CONNECTIONS * ROUNDS, sum(calls.values()), 2.05 if together == 1 else None)


def deliveries():
    cookie = login("everybody")
    members = []
    for _ in range(MEMBERS):
        members.append(upgraded("/chat/", cookie))
        # One name, which has entered once; each connection is told so.
        frame(members[-1])

    def said_by(senders):
        for peer in senders:
            peer.sendall(masked(TEXT))
        length = 2 + len(b"everybody:") + len(TEXT)
        for peer in members:
            take(peer, length * len(senders))

    for count, most in ((1, 1.02), (64, None)):
        senders = members[:: MEMBERS // count][:count]
        said_by(senders)
        calls = traced(lambda: [said_by(senders) for _ in range(MESSAGES)])
        writes = sum(n for name, n in calls.items() if name in WRITES)
        what = f"{MEMBERS} members, {count} of them say something: writes for each delivery"
        judge(what, calls, MEMBERS * MESSAGES * count, writes, most)


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.stdout.reconfigure(line_buffering=True)
    requests(1)
    requests(16)
    echoes(1)
    echoes(16)
    deliveries()
    return not right


if __name__ == "__main__":
    sys.exit(main())

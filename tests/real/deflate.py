"""Compression (RFC 7692) with Python's `websockets`, and with a client of its own that looks at the frames.

BASE is where squall listens, SERVER its process, whose memory is watched while bombs are thrown at it.
"""

import os
import random
import re
import socket
import struct
import sys
import zlib
from base64 import b64encode
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, build_opener

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

BASE = os.environ["BASE"]
HOST, PORT = re.fullmatch(r"http://(.*):(\d+)", BASE).groups()
CONTINUATION, TEXT, BINARY, CLOSE, PING = 0, 1, 2, 8, 9
TAIL = b"\x00\x00\xff\xff"  # what a sender leaves out (RFC 7692 section 7.2.1)
OFFER = "permessage-deflate; client_max_window_bits"
MIB = 1 << 20
wrong = 0


def check(what, wanted, got):
    global wrong
    if wanted == got:
        print(f"ok     {what}")
    else:
        wrong += 1
        print(f"WRONG  {what}\n       wanted {str(wanted)[:300]!r}\n       got    {str(got)[:300]!r}")


def words(count, seed=0):
    """Text of so many bytes that can be compressed; what repeats is near and, from 30,000 bytes on, far."""
    source = random.Random(seed)
    vocabulary = ["".join(source.choices("abcdefghij", k=source.randint(3, 9))) for _ in range(300)]
    passage = " ".join(source.choices(vocabulary, k=5000))[:30_000]
    return (passage * (count // len(passage) + 1))[:count]


def noise(count):
    """Bytes that cannot be compressed but by looking back 20,000 of them."""
    return (random.Random(1).randbytes(20_000) * (count // 20_000 + 1))[:count]


class Inflater:
    """Takes a few bytes out of zlib at a time: only so does it refuse a distance that is longer than the window."""

    def __init__(self, bits, takeover=True):
        self.bits, self.takeover = bits, takeover
        self.stream = zlib.decompressobj(-bits)

    def message(self, data):
        if not self.takeover:
            self.stream = zlib.decompressobj(-self.bits)
        out, rest = [], data + TAIL
        while piece := self.stream.decompress(rest, 64):
            rest = self.stream.unconsumed_tail
            out.append(piece)
        return b"".join(out)


def deflate(data, bits=15, level=6):
    stream = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


class Peer:
    """A client that speaks frames: `send` takes them as they are, `frame` gives (fin, rsv1, opcode, payload)."""

    def __init__(self, path, offer=None, cookie=None):
        self.socket = socket.create_connection((HOST, PORT), timeout=30)
        self.input = self.socket.makefile("rb")
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{PORT}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {b64encode(bytes(16)).decode()}"]
        lines += [f"Sec-WebSocket-Extensions: {offer}"] if offer else []
        lines += [f"Cookie: {cookie}"] if cookie else []
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = self.input.readline()
        assert b" 101 " in status, status
        head = b"".join(iter(self.input.readline, b"\r\n")).decode()
        found = re.search(r"^sec-websocket-extensions: *(.*?)\r$", head, re.I | re.M)
        self.extension = found and found[1]

    def parameter(self, name):
        """The value of a parameter of the answer; True if it has none, None if it is not there."""
        found = re.search(rf';\s*{name}\s*(?:=\s*"?(\d+)"?)?\s*(?=;|$)', self.extension or "")
        return found and (int(found[1]) if found[1] else True)

    def send(self, opcode, payload, fin=True, rsv1=False):
        length = len(payload)
        if length < 126:
            head = struct.pack("!B", 0x80 | length)
        elif length < 1 << 16:
            head = struct.pack("!BH", 0x80 | 126, length)
        else:
            head = struct.pack("!BQ", 0x80 | 127, length)
        # A mask of zeros is a mask.
        self.socket.sendall(bytes([fin << 7 | rsv1 << 6 | opcode]) + head + bytes(4) + payload)

    def frame(self):
        first, length = self.input.read(2)
        if length >= 126:
            length = int.from_bytes(self.input.read(2 if length == 126 else 8), "big")
        return bool(first & 0x80), bool(first & 0x40), first & 15, self.input.read(length)

    def data(self):
        """The next frame that is neither Ping nor Pong; a Close gives its code."""
        while (frame := self.frame())[2] > CLOSE:
            pass
        return int.from_bytes(frame[3][:2], "big") if frame[2] == CLOSE else frame

    def line(self):
        """The next text of a room, and whether it came compressed."""
        fin, rsv1, _, payload = self.data()
        assert fin
        return (Inflater(15).message(payload) if rsv1 else payload).decode(), rsv1

    def close_code(self):
        """That of the Close which comes sooner or later."""
        while not isinstance(code := self.data(), int):
            pass
        return code

    def close(self):
        self.socket.close()


class Witness(ClientPerMessageDeflateFactory):
    """The extension of `websockets`, which also counts the messages that came compressed."""

    seen = 0

    def process_response_params(self, params, accepted):
        extension = super().process_response_params(params, accepted)
        decode = extension.decode

        def counting(frame, **limits):
            self.seen += frame.rsv1
            return decode(frame, **limits)

        extension.decode = counting
        return extension


def combinations():
    text, binary = words(100_000), noise(100_000)
    third = len(text) // 3
    fragments = [text[:third], text[third : 2 * third], text[2 * third :]]
    server_bits, client_bits = [None, *range(9, 16)], [None, True, *range(9, 16)]
    faults = []
    tried = 0
    for offer in product([False, True], [False, True], server_bits, client_bits):
        tried += 1
        try:
            witness = Witness(*offer)
            with connect(f"ws://{HOST}:{PORT}/echo", extensions=[witness], compression=None, proxy=None) as peer:
                assert len(peer.protocol.extensions) == 1, "not negotiated"
                for message in (text, binary, "short", fragments, text, b"", "", binary):
                    peer.send(message)
                    whole = "".join(message) if isinstance(message, list) else message
                    assert peer.recv(timeout=30) == whole, f"{type(whole)} of {len(whole)} came back different"
                assert witness.seen >= 3, f"only {witness.seen} messages were compressed"
        except Exception as error:
            faults.append(f"{offer}: {error!r}")
    check(f"{tried} combinations of parameters: each message comes back, compressed", [], faults)


def windows():
    far = deflate(words(100_000).encode())
    try:
        Inflater(9).message(far)
        check("a distance that is too long would be noticed", "an error", "none")
    except zlib.error:
        pass
    text = words(100_000).encode()
    for bits, takeover in product(range(9, 16), [True, False]):
        flag = "" if takeover else "; server_no_context_takeover"
        peer = Peer("/echo", f"permessage-deflate; server_max_window_bits={bits}{flag}")
        agreed = peer.parameter("server_max_window_bits")
        takeover = takeover and not peer.parameter("server_no_context_takeover")
        inflater = Inflater(agreed or 15, takeover)
        came = []
        for _ in range(3):
            peer.send(TEXT, deflate(text), rsv1=True)
            fin, rsv1, opcode, payload = peer.data()
            assert opcode == TEXT and rsv1
            while not fin:
                fin, rsv1, opcode, more = peer.data()
                assert opcode == CONTINUATION and not rsv1
                payload += more
            came.append(inflater.message(payload) == text)
        what = f"a window of {bits} bits{flag}: agreed, and no distance is longer"
        check(what, (True, [True] * 3), ((agreed or 99) <= bits, came))
        peer.close()


def offers():
    text = words(5000).encode()
    for offer in [
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=ten",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; something_else",
        "x-webkit-deflate-frame",
    ]:
        peer = Peer("/echo", offer)
        peer.send(TEXT, text)
        check(f"{offer!r} is declined", (None, (True, False, TEXT, text)), (peer.extension, peer.data()))
        peer.send(TEXT, deflate(text), rsv1=True)
        check("and a compressed message is then an error", 1002, peer.data())
        peer.close()
    for offer, bits in [
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", None),
        ("something-else, permessage-deflate; server_max_window_bits=10", 10),
        ('permessage-deflate; server_max_window_bits="10"', 10),
        ("permessage-deflate;server_max_window_bits = 10 ; client_max_window_bits", 10),
    ]:
        peer = Peer("/echo", offer)
        peer.send(TEXT, text)
        accepted = bool(peer.extension) and peer.parameter("server_max_window_bits") == bits
        check(f"{offer!r} is accepted", (True, True, TEXT), (accepted, *peer.data()[1:3]))
        peer.close()


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def login(name):
    """The cookie of somebody who has logged in."""
    try:
        answer = build_opener(Stay).open(f"{BASE}/login", urlencode({"username": name}).encode(), 30)
    except HTTPError as error:
        answer = error
    return answer.headers["Set-Cookie"].split(";")[0]


def room():
    long = words(3000, seed=2)
    with ExitStack() as stack:

        def member(name, **how):
            uri = f"ws://{HOST}:{PORT}/chat/"
            more = {"additional_headers": {"Cookie": login(name)}, "compression": None, "proxy": None}
            return stack.enter_context(connect(uri, **more, **how))

        deflating = [Witness(), Witness(server_no_context_takeover=True, client_no_context_takeover=True)]
        members = [member(f"snake{n}", extensions=[witness]) for n, witness in enumerate(deflating)]
        members.append(member("plain"))
        offers = [OFFER, f"{OFFER}; server_max_window_bits=15"]
        full = [Peer("/chat/", offer, login(f"full{n}")) for n, offer in enumerate(offers)]
        small = Peer("/chat/", "permessage-deflate; server_max_window_bits=10", login("small"))
        bare = Peer("/chat/", None, login("bare"))
        for peer in full:
            stack.callback(peer.close)
            asked = [peer.parameter(f"{who}_no_context_takeover") for who in ("server", "client")]
            check("the chat asks for no context takeover on both sides", [True, True], asked)
        stack.callback(small.close)
        stack.callback(bare.close)
        for peer in members:
            while peer.recv(timeout=30) != "bare enter room":
                pass
        for peer in (*full, small, bare):
            while peer.line()[0] != "bare enter room":
                pass

        # Whoever sends, whether compressed or not: everybody reads the same.
        for name, send in [
            ("snake0", lambda: members[0].send(long)),
            ("snake1", lambda: members[1].send([long[:1000], long[1000:]])),
            ("plain", lambda: members[2].send(long)),
            ("full0", lambda: full[0].send(TEXT, deflate(long.encode()), rsv1=True)),
            ("bare", lambda: bare.send(TEXT, long.encode())),
        ]:
            before = [witness.seen for witness in deflating]
            send()
            line = f"{name}:{long}"
            heard = [peer.recv(timeout=30) for peer in members]
            check(f"{name}'s long text arrives at `websockets`", [line] * 3, heard)
            after = [witness.seen for witness in deflating]
            check("compressed, where that was agreed", [n + 1 for n in before], after)
            frames = [peer.data() for peer in full]
            check("as one frame that is the same for both", (True, True), (frames[0][1], frames[0] == frames[1]))
            check("which is shorter", True, len(frames[0][3]) < len(line))
            check("and says the same", line, Inflater(15).message(frames[0][3]).decode())
            check("with a smaller window it is not compressed", (line, False), small.line())
            check("nor without the extension", (line, False), bare.line())

        members[0].send("hi")
        check("a short text arrives", ["snake0:hi"] * 3, [peer.recv(timeout=30) for peer in members])
        check("and is not compressed", [("snake0:hi", False)] * 4, [peer.line() for peer in (*full, small, bare)])


def memory_peak():
    """The most memory that the server has had, in bytes."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{os.environ['SERVER']}/status").read_text())[1]) << 10


def bombs():
    data = deflate(bytes(64 * MIB), level=9)
    before = memory_peak()
    for path, cookie in [("/echo", None), ("/chat/", login("bomber"))]:
        for pieces in (1, 100):
            peer = Peer(path, OFFER, cookie)
            size = len(data) // pieces + 1
            parts = [data[at : at + size] for at in range(0, len(data), size)]
            try:
                for n, part in enumerate(parts):
                    peer.send(TEXT if n == 0 else CONTINUATION, part, fin=n == len(parts) - 1, rsv1=n == 0)
            except ConnectionError:
                pass  # it need not listen to the end
            check(f"{path}: 64 MiB in {len(data)} bytes, {pieces} frame(s)", 1009, peer.close_code())
            peer.close()
    rise = memory_peak() - before
    print(f"       the server had {rise / MIB:.1f} MiB more at its peak")
    check("the memory is bounded", True, rise < 40 * MIB)


def errors():
    for what, opcode, payload, code in [
        ("what is no deflate stream", TEXT, b"\xff" * 20, {1002, 1007}),
        ("compressed text that is not UTF-8", TEXT, deflate(b"\xc0\xaf"), {1007}),
        ("a compressed Ping", PING, b"", {1002}),
    ]:
        peer = Peer("/echo", OFFER)
        peer.send(opcode, payload, rsv1=True)
        got = peer.data()
        check(f"{what} is an error", True, got in code or got)
        peer.close()
    peer = Peer("/echo", OFFER)
    peer.send(TEXT, b"", fin=False, rsv1=True)
    peer.send(CONTINUATION, b"", rsv1=True)
    check("RSV1 in the middle of a message is an error", 1002, peer.data())
    peer.close()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    for part in (combinations, windows, offers, room, bombs, errors):
        try:
            part()
        except Exception as error:
            check(f"the part {part.__name__} comes to its end", None, error)
    sys.exit(wrong != 0)

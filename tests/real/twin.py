"""`squall bench` beside the real `ab`, option by option: twin.py SQUALL [AB].

Both run in turn against a server that records what it is sent. For each line of options the bytes of the requests, the
report once its numbers are masked, the exit code, and the shape of the files of -g and -e have to be equal. What may
differ: the banner, warnings about deviations, which depend on the times, and what comes after the percentages.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading

SQUALL = os.path.abspath(sys.argv[1])
AB = sys.argv[2] if len(sys.argv) > 2 else "ab"

OPTIONS = """
-n 1 URL/
-n 3 URL/a?b=c
-n 10 -c 2 URL/
-n10 -c2 URL/
-kn 10 URL/
-k -n 10 -c 3 URL/
-n 4 -i URL/
-n 4 -k -i URL/
-n 4 -m DELETE URL/
-n 4 -p BODY URL/
-n 4 -p BODY -T application/json URL/
-n 4 -u BODY -T text/x URL/
-n 4 -k -p BODY URL/
-n 4 -p EMPTY URL/
-n 4 -C a=b URL/
-n 4 -A user:password URL/
-n 4 -A user:pass:word -C a=b URL/
-n 4 -H 'X-One: 1' URL/
-n 4 -H 'X-One: 1' -H 'X-Two: 2' URL/
-n 4 -H 'Host: other.test' URL/
-n 4 -H 'Accept: text/html' URL/
-n 4 -H 'User-Agent: mine' URL/
-n 4 -H 'Host: other.test' -H 'X-One: 1' -H 'Accept: a/b' -k URL/
-n 4 -k -C a=b -A u:p -H 'X: y' -p BODY URL/
-n 4 URL/404
-n 4 -k URL/404
-n 4 URL/vary
-n 4 -l URL/vary
-n 4 -d URL/
-n 4 -S URL/
-n 4 -d -S URL/
-n 1 -S URL/
-n 4 -q URL/
-n 200 -q URL/
-n 200 URL/
-n 1200 -c 8 -k URL/
-n 4 -e CSV URL/
-n 4 -g GNUPLOT URL/
-n 150 -c 3 -e CSV -g GNUPLOT URL/
-n 4 -s 5 URL/
-n 4 -r URL/
-n 6 -c 2 -l -k -d -q URL/vary
-n 4 URL/nolength
-n 4 URL/unnamed
-w -n 4 URL/
-w -n 200 -k URL/404
-x border=1 -y class=r -z class=d -n 4 -p BODY URL/
-w -n 4 URL/vary
-n 4 -X PROXY http://a.test/x
-n 4 -X PROXY -A c:d -P u:p http://a.test:81/x?y
-n 4 -B 127.0.0.1 URL/
-n 4 -b 65536 URL/
-n 1 http://127.0.0.1:CLOSED/
-n 2 -c 3 URL/
-h
"""


class Server:
    """Speaks HTTP/1.0 with keep-alive, and keeps every request."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests, self.lock = [], threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, peer):
        with peer:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = peer.recv(65536)
                    if not more:
                        return
                    data += more
                head, data = data.split(b"\r\n\r\n", 1)
                length = re.search(rb"(?i)content-length: (\d+)", head)
                while len(data) < (int(length[1]) if length else 0):
                    data += peer.recv(65536)
                body, data = data[: int(length[1]) if length else 0], data[int(length[1]) if length else 0:]
                with self.lock:
                    self.requests.append(head + b"\r\n\r\n" + body)
                    count = len(self.requests)
                keeps = b"keep-alive" in head.lower()
                peer.sendall(self.response(head.split()[1], head.startswith(b"HEAD"), keeps, count))
                if not keeps:
                    return

    def response(self, path, is_head, keeps, count):
        status = "404 Not Found" if path == b"/404" else "200 OK"
        body = b"x" * (6 + count % 2 if path == b"/vary" else 6)
        fields = "" if path == b"/unnamed" else "Server: demo/1.0\r\n"
        fields += "" if path == b"/nolength" and not keeps else f"Content-Length: {len(body)}\r\n"
        fields += "Connection: keep-alive\r\n" if keeps else ""
        return f"HTTP/1.0 {status}\r\n{fields}\r\n".encode() + (b"" if is_head else body)

    def taken(self):
        with self.lock:
            requests, self.requests = self.requests, []
        return sorted(requests)


def masked(text):
    """The report without what may differ."""
    text = re.sub(r"(?s)^.*?(?=Benchmarking )", "", text)
    text = re.sub(r"(?s)^<p>.*?</p>", "", text)
    text = re.sub(r"(?s)\nLatency by percentile.*", "", text)
    text = re.sub(r"(?m)^(WARNING|ERROR|        These|       deviation).*\n", "", text)
    return re.sub(r" *[\d.]+", " N", text)


def shape(path):
    if not os.path.exists(path):
        return None
    return re.sub(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d", "DATE", re.sub(r"[\d.]+", "N", open(path).read()))


def run(command, server, options, folder):
    files = {"CSV": os.path.join(folder, "csv"), "GNUPLOT": os.path.join(folder, "gnuplot")}
    for path in files.values():
        if os.path.exists(path):
            os.unlink(path)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = {"URL": f"http://127.0.0.1:{server.port}", "BODY": os.path.join(folder, "body"),
             "EMPTY": os.path.join(folder, "empty"), "CLOSED": str(port), "PROXY": f"127.0.0.1:{server.port}", **files}
    for name, value in words.items():
        options = re.sub(rf"\b{name}\b", value, options)
    done = subprocess.run(command + shlex.split(options), capture_output=True, text=True, timeout=60)
    stderr = re.sub(r"\d+", "N", "".join(re.findall(r"(?m)^(?:Completed|Finished) .*\n", done.stderr)))
    return {"requests": server.taken(), "report": masked(done.stdout) if done.returncode == 0 else "", "progress": stderr,
            "code": done.returncode, "csv": shape(files["CSV"]), "gnuplot": shape(files["GNUPLOT"])}


def main():
    server, wrong = Server(), 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("body", "a=b&c=d"), ("empty", "")):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        lines = [line for line in OPTIONS.split("\n") if line]
        for line in lines:
            theirs, ours = run([AB], server, line, folder), run([SQUALL, "bench"], server, line, folder)
            differ = [part for part in theirs if theirs[part] != ours[part]]
            print(f"{'WRONG' if differ else 'ok   '}  {line}")
            for part in differ:
                print(f"       {part}: ab    {theirs[part]!r}\n       {part}: bench {ours[part]!r}")
            wrong += bool(differ)
    print(f"Options beside ab: {len(lines) - wrong} passed, {wrong} failed")
    return wrong > 0


sys.exit(main())

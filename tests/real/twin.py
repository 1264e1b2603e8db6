"""`squall bench` beside the real `ab`, option by option: twin.py SQUALL [AB].

Both run in turn against a server that records what it is sent, and against one that speaks TLS. For each line of options
the bytes of the requests, the report once its numbers are masked, what -v prints, the exit code, and the shape of the
files of -g and -e have to be equal; so do the lines about TLS with their numbers, and what the server sees of TLS. What
may differ: the banner, warnings about deviations, which depend on the times, and what comes after the percentages.
"""

import os
import re
import shlex
import socket
import ssl
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
-v 1 -n 2 URL/
-v 2 -n 2 URL/
-v 3 -n 2 URL/
-v 4 -n 2 URL/
-v 2 -n 2 URL/404
-v 3 -n 4 -k -c 1 URL/vary
-v 2 -n 2 -p BODY URL/
-v 2 -n 2 -m DELETE URL/
-v 2 -n 200 URL/
-v 3 -w -n 2 URL/404
-n 1 TLS/
-n 10 -c 2 TLS/
-n 10 -c 2 -k TLS/
-n 4 -k -p BODY -H 'X-One: 1' TLS/
-n 4 -i TLS/
-n 4 TLS/404
-n 4 TLS/vary
-n 4 TLS/nolength
-n 4 -k TLS/large
-n 200 -c 8 TLS/
-w -n 4 TLS/
-f TLS1.2 -n 4 TLS/
-f TLS1.3 -n 4 TLS/
-f ALL -n 4 TLS/
-f tls1.2 -n 4 -k TLS/
-f TLS1.2 -Z ECDHE-RSA-AES128-GCM-SHA256 -n 4 TLS/
-f TLS1.2 -Z ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256 -n 4 TLS/
-f TLS1.3 -Z TLS_AES_128_GCM_SHA256 -n 4 TLS/
-Z ECDHE-RSA-AES128-GCM-SHA256 -n 4 TLS/
-E CLIENT -n 4 TLS/
-E CLIENT -f TLS1.2 -n 4 -k TLS/
-I -n 4 TLS/
-H 'Host: other.test' -n 4 TLS/
-I -H 'Host: other.test' -n 4 TLS/
-n 4 -X TLSPROXY https://a.test/x
-n 4 https://TLSPROXY/
-v 2 -n 2 TLS/
-v 3 -n 2 -f TLS1.2 TLS/404
-h
"""


class Server:
    """Speaks HTTP/1.0 with keep-alive, with TLS if there is a context, and keeps every request."""

    def __init__(self, context=None):
        self.context = context
        if context:
            context.sni_callback = lambda peer, name, _: setattr(peer, "name", name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests, self.lock = [], threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listener.accept()[0],), daemon=True).start()

    def serve(self, peer):
        if not self.context:
            return self.talk(peer, b"")
        try:
            peer = self.context.wrap_socket(peer, server_side=True)
            spoken = (getattr(peer, "name", None), peer.version(), peer.cipher()[0], bool(peer.getpeercert(True)))
            self.talk(peer, f"{spoken} ".encode())
        except OSError:
            peer.close()

    def talk(self, peer, spoken):
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
                    self.requests.append(spoken + head + b"\r\n\r\n" + body)
                    count = len(self.requests)
                keeps = b"keep-alive" in head.lower()
                peer.sendall(self.response(head.split()[1], head.startswith(b"HEAD"), keeps, count))
                if not keeps:
                    # Sends close_notify; the other side may be gone already.
                    return self.context and peer.unwrap()

    def response(self, path, is_head, keeps, count):
        status = "404 Not Found" if path == b"/404" else "200 OK"
        body = b"x" * {b"/vary": 6 + count % 2, b"/large": 200_000}.get(path, 6)
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
    text = re.sub(r"(?m)^(WARNING: The|ERROR|        These|       deviation).*\n", "", text)
    return re.sub(r" *[\d.]+", " N", text)


def about_tls(text):
    """The lines of the report that are equal with their numbers."""
    return re.findall(r"(?m)^(?:SSL/TLS Protocol|Server Temp Key|TLS Server Name): .*", text)


def shape(path):
    if not os.path.exists(path):
        return None
    return re.sub(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d", "DATE", re.sub(r"[\d.]+", "N", open(path).read()))


def run(command, servers, options, folder):
    plain, secure = servers
    files = {"CSV": os.path.join(folder, "csv"), "GNUPLOT": os.path.join(folder, "gnuplot")}
    for path in files.values():
        if os.path.exists(path):
            os.unlink(path)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = {"URL": f"http://127.0.0.1:{plain.port}", "BODY": os.path.join(folder, "body"),
             "EMPTY": os.path.join(folder, "empty"), "CLOSED": str(port), "PROXY": f"127.0.0.1:{plain.port}",
             "TLS": f"https://localhost:{secure.port}", "TLSPROXY": f"127.0.0.1:{secure.port}",
             "CLIENT": os.path.join(folder, "client.pem"), **files}
    for name, value in words.items():
        options = re.sub(rf"\b{name}\b", value, options)
    done = subprocess.run(command + shlex.split(options), capture_output=True, text=True, timeout=60)
    stderr = re.sub(r"\d+", "N", "".join(re.findall(r"(?m)^(?:Completed|Finished) .*\n", done.stderr)))
    return {"requests": plain.taken() + secure.taken(), "tls": about_tls(done.stdout), "report": masked(done.stdout) if done.returncode == 0 else "", "progress": stderr,
            "code": done.returncode, "csv": shape(files["CSV"]), "gnuplot": shape(files["GNUPLOT"])}


def certified(folder, name):
    """A file with a certificate for this name and its key."""
    path = os.path.join(folder, name + ".pem")
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj",
                    f"/C=DE/O=Test \u00fc/CN={name}", "-utf8", "-keyout", path, "-out", path + ".crt"],
                   check=True, capture_output=True)
    with open(path, "a") as file, open(path + ".crt") as certificate:
        file.write(certificate.read())
    return path


def securing(folder):
    """A context of a server that asks for certificates, and accepts that of a client, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified(folder, "localhost"))
    context.load_verify_locations(certified(folder, "client"))
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        servers = Server(), Server(securing(folder))
        for name, text in (("body", "a=b&c=d"), ("empty", "")):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        lines = [line for line in OPTIONS.split("\n") if line]
        for line in lines:
            theirs, ours = run([AB], servers, line, folder), run([SQUALL, "bench"], servers, line, folder)
            differ = [part for part in theirs if theirs[part] != ours[part]]
            print(f"{'WRONG' if differ else 'ok   '}  {line}")
            for part in differ:
                print(f"       {part}: ab    {theirs[part]!r}\n       {part}: bench {ours[part]!r}")
            wrong += bool(differ)
    print(f"Options beside ab: {len(lines) - wrong} passed, {wrong} failed")
    return wrong > 0


sys.exit(main())

"""Ten ways to read the report of ab, tried on ours and on that of the real ab: ab_parsers.py SQUALL [AB].

Each reader follows a pattern that programs around ab use: labels and a number behind white space, anchored or not, with
and without units; the fields of a line by position; the table of connection times; the percentages, the last line of a
form winning; every line split at its last colon; the files of -g and -e. What a reader finds in the report of ab it has
to find in ours, and the counts have to be the true ones.
"""

import csv
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SQUALL, AB = os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "ab"
REQUESTS, CONCURRENCY = 200, 4


class Site(BaseHTTPRequestHandler):
    """Every tenth response is a 404 with a body of another length."""

    numbers = itertools.count(1)

    def do_GET(self):
        found = next(Site.numbers) % 10 != 0
        body = b"hello" if found else b"not found"
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def find(pattern, text, flags=0, kind=float):
    """The first match, or nothing."""
    match = re.search(pattern, text, flags)
    return kind(match.group(1)) if match else None


def labels(text):
    """Labels, white space, a number; anywhere in the text."""
    return {label: find(re.escape(label) + r":\s+([\d.]+)", text) for label in (
        "Server Port", "Concurrency Level", "Time taken for tests", "Complete requests", "Failed requests",
        "Non-2xx responses", "Total transferred", "HTML transferred", "Requests per second", "Transfer rate")}


def anchored(text):
    """Whole lines with their units."""
    return {"rate": find(r"^Requests per second:\s+(\d*\.?\d*) \[#/sec\] \(mean\)$", text, re.M),
            "mean": find(r"^Time per request:\s+(\d*\.?\d*) \[ms\] \(mean\)$", text, re.M),
            "across": find(r"^Time per request:\s+(\d*\.?\d*) \[ms\] \(mean, across all concurrent requests\)$", text, re.M),
            "received": find(r"^Transfer rate:\s+(\d*\.?\d*) \[Kbytes/sec\] received$", text, re.M),
            "length": find(r"^Document Length:\s+(\d+) bytes$", text, re.M, int)}


def greedy(text):
    """Whatever stands between a label and its unit."""
    return {"rate": find(r"Requests per second:\s+(.*) \[#/sec\]", text), "taken": find(r"tests:\s+(.*) seconds", text),
            "mean": find(r"Time per request:\s+(.*) \[ms\] \(mean\)", text)}


def fields(text):
    """The words of a line by their number, as awk has them."""
    lines = [line.split() for line in text.splitlines()]
    return {"rate": next(float(words[3]) for words in lines if words[:2] == ["Requests", "per"]),
            "mean": next(float(words[3]) for words in lines if words[:2] == ["Time", "per"]),
            "failed": next(int(words[2]) for words in lines if words[:1] == ["Failed"])}


def percentages(text):
    """Every line of the form `50%  3`; the last one wins."""
    return {match[1]: int(match[2]) for match in re.finditer(r"^\s*(\d+)%\s+(\d+)", text, re.M)}


def loose_percentages(text):
    """A percentage anywhere."""
    return {percent: find(rf"{percent}%\s+(\d+)", text, kind=int) for percent in (50, 90, 95, 99, 100)} | {
        "longest": find(r"(\d+) \(longest request\)", text, kind=int)}


def table(text):
    """The rows of connection times: min, mean, sd, median, max."""
    rows = {}
    for name in ("Connect", "Processing", "Waiting", "Total"):
        match = re.search(rf"^{name}:\s+(\d+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+(\d+)$", text, re.M)
        rows[name] = [float(number) for number in match.groups()]
    return {"rows": len(rows), "numbers": sum(map(len, rows.values()))}


def split_lines(text):
    """Every line with a colon and white space behind it, split at the last one."""
    pairs = (re.match(r"(.*):\s+(\S+)", line) for line in text.splitlines())
    found = {match[1]: match[2] for match in pairs if match}
    return {name: found.get(name) for name in ("Server Software", "Server Hostname", "Document Path",
                                               "Complete requests", "Failed requests", "Requests per second")}


def failures(text):
    """The kinds of failures, and lines that are there only if there is something to say."""
    match = re.search(r"\(Connect: (\d+), Receive: (\d+), Length: (\d+), Exceptions: (\d+)\)", text)
    return {"kinds": [int(number) for number in match.groups()], "writes": find(r"Write errors:\s+(\d+)", text) or 0}


def files(folder):
    """-g as tab-separated values with a head, -e as comma-separated ones."""
    with open(f"{folder}/times") as file:
        times = list(csv.DictReader(file, delimiter="\t"))
    with open(f"{folder}/csv") as file:
        shares = list(csv.reader(file))
    return {"times": len(times), "columns": list(times[0]), "shares": len(shares), "head": shares[0],
            "rises": all(float(a[1]) <= float(b[1]) for a, b in zip(shares[1:], shares[2:]))}


READERS = (labels, anchored, greedy, fields, percentages, loose_percentages, table, split_lines, failures)
COUNTS = {"Concurrency Level": CONCURRENCY, "Complete requests": REQUESTS, "Failed requests": 20,
          "Non-2xx responses": 20}


def report(command, url, folder):
    Site.numbers = itertools.count(1)
    flags = ["-n", str(REQUESTS), "-c", str(CONCURRENCY), "-g", f"{folder}/times", "-e", f"{folder}/csv", url]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done.stdout


def same_shape(ours, theirs):
    """Whether the same keys have values, of the same kinds."""
    return ours.keys() == theirs.keys() and all(type(ours[key]) is type(theirs[key]) for key in ours)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ours, theirs = report([SQUALL, "bench"], url, one), report([AB], url, other)
        read = {reader.__name__: (reader(ours), reader(theirs)) for reader in READERS}
        read["files"] = (files(one), files(other))
    failed = [f"{name}: ours {ours}, ab's {theirs}" for name, (ours, theirs) in read.items()
              if not same_shape(ours, theirs)]
    failed += [f"{label} is {read['labels'][0][label]}, not {count}" for label, count in COUNTS.items()
               if read["labels"][0][label] != count]
    if read["percentages"][0] != {str(p): read["percentages"][0][str(p)] for p in (50, 66, 75, 80, 90, 95, 98, 99, 100)}:
        failed.append(f"percentages: {read['percentages'][0]}")
    if max(read["percentages"][0].values()) != read["loose_percentages"][0]["longest"]:
        failed.append("the longest request is not the last of the percentages")
    if read["failures"][0]["kinds"] != [0, 0, 20, 0] or read["files"][0] != read["files"][1]:
        failed.append(f"{read['failures'][0]} {read['files']}")
    print("\n".join(failed) or f"Parsers of ab's report: {len(read)} passed, 0 failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

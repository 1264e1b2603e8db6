"""What the measurements in this folder share: servers on one core, their load on another, interleaved rounds, tables.

A measurement starts its servers once and then takes turns with them, round by round, so that a machine that gets
slower gets slower for all. A ratio is the median of the rounds' own ratios; every other figure is the median of the
rounds. CPU time is that of a process and its children as /proc tells it, so it counts the kernel's work for them, too.

Environment: BIN is the binary (target/release/squall), TOOLS where `pip` has put things (target/tools). Everything
binds loopback addresses, on ports below those that the kernel gives to clients. Python's standard library only.
"""

import argparse
import contextlib
import functools
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.path.abspath(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"))
BIN = os.path.abspath(os.environ.get("BIN") or os.path.join(TARGET, "release", "squall"))
TOOLS = os.path.abspath(os.environ.get("TOOLS") or os.path.join(TARGET, "tools"))
PACKAGES = {"nginx": "nginx", "wrk": "wrk", "ab": "apache2-utils", "curl": "curl", "openssl": "openssl",
            "taskset": "util-linux", "chrt": "util-linux", "node": "nodejs", "mosquitto": "mosquitto"}
TORNADO = os.path.join(TOOLS, "venv", "bin", "python")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
TICK = os.sysconf("SC_CLK_TCK")
UNIT_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
START_WITHIN = 8
# The servers are the ones described by their flags, and no proxy is asked for a loopback address.
ENV = {name: value for name, value in os.environ.items() if not name.startswith("SQUALL_")}
ENV |= {"RUST_LOG": "warn", "no_proxy": "*", "NO_PROXY": "*"}


# ---- the command line ----


def arguments(doc, **defaults):
    """Flags `--NAME VALUE` for the given names and defaults, or `--NAME` where that is False; the help is `doc`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        kind = type(value)
        if kind is bool:
            parser.add_argument("--" + name, action="store_true")
            continue
        many = {"nargs": "*", "type": str} if kind is tuple else {"type": kind}
        shown = " ".join(value) if kind is tuple else value or "none"
        parser.add_argument("--" + name, default=value, help=f"default: {shown}", **many)
    args = parser.parse_args()
    if any(value < 1 for value in vars(args).values() if type(value) is int):
        parser.error("a number is 1 or more")
    return args


def need(*programs, also=()):
    """Ends the program with a line for each thing that is missing; `also` holds such lines."""
    missing = [f"{p} (Debian package {PACKAGES[p]})" for p in ("taskset", *programs) if not find(p)] + list(also)
    if not os.access(BIN, os.X_OK):
        missing.append(f"{BIN} (cargo build --release, or set BIN)")
    for line in missing:
        print(f"MISSING: {line}", file=sys.stderr)
    if missing:
        sys.exit(2)
    if SERVER_CORE == LOAD_CORE:
        print("Only one core: servers and load share it, so latencies say little.")


@functools.cache
def tools():
    """Builds the floor: its path by name."""
    folder, manifest = os.path.join(TARGET, "bench"), os.path.join(ROOT, "tests", "bench", "tools", "Cargo.toml")
    command = ["cargo", "build", "--locked", "--release", "--manifest-path", manifest, "--target-dir", folder]
    if subprocess.run(command).returncode:
        sys.exit("the floor cannot be built")
    return {name: os.path.join(folder, "release", name) for name in ("floor",)}


def has_tornado():
    command = [TORNADO, "-c", "import tornado"]
    return os.access(TORNADO, os.X_OK) and not subprocess.run(command, stderr=subprocess.DEVNULL).returncode


def find(program):
    return shutil.which(program) or shutil.which(program, path="/usr/local/sbin:/usr/sbin:/sbin")


# ---- processes ----


def tree(pid):
    """The process and its descendants."""
    pids = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as children:
                pids += [below for child in children.read().split() for below in tree(int(child))]
    except OSError:
        pass
    return pids


def cpu_of(pid):
    """CPU seconds, user and system, that the process and its living descendants have had."""
    ticks = 0
    for one in tree(pid):
        try:
            with open(f"/proc/{one}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / TICK


def machine_cpu():
    """CPU seconds that the machine was busy."""
    with open("/proc/stat") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def run(command, within, core=LOAD_CORE, stdin=None, env=None):
    """Runs a program to its end: its output, CPU seconds and wall seconds. Raises if it fails or takes too long."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        child = subprocess.Popen(pinned(core, command), stdin=stdin or subprocess.DEVNULL, stdout=out, stderr=err,
                                 env=ENV | (env or {}))
        try:
            child.wait(within)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{command[0]} was not done in {within} s") from None
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        text = out.read().decode(errors="replace")
        if child.returncode:
            err.seek(0)
            said = err.read().decode(errors="replace") or text
            raise RuntimeError(f"{command[0]}: exit code {child.returncode}: {said[-400:]}")
    return text, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def pinned(core, command):
    return ["taskset", "-c", str(core), find(command[0]) or command[0], *command[1:]]


class Child:
    """A server that runs, and the ports where it answers."""

    def __init__(self, bench, name, core, command, address, port):
        self.name, self.port = name, port
        self.base = f"http://{address}:{port}"
        self.log = os.path.join(bench.work, f"{name}.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(pinned(core, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=bench.work, env=ENV)
        self.pid = self.process.pid
        bench.children.append(self)
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                socket.create_connection((address, port), 1).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(self.log) as log:
                        raise RuntimeError(f"{name} does not start: {log.read()[-800:]}") from None
                time.sleep(0.02)

    def cpu(self):
        return cpu_of(self.pid)

    def threads(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"^Threads:\s+(\d+)", status.read(), re.M).group(1))

    def stop(self):
        """By its own id; a server that does not stop within 3 s is killed, with what it has started."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            for pid in reversed(tree(self.pid)):
                os.kill(pid, signal.SIGKILL)
            self.process.wait()


class Bench:
    """A folder for a while, and the servers of one measurement; all of it ends with the `with`."""

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sys.exit(130))  # unwinds, so that the children are ended
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        os.sched_setaffinity(0, {LOAD_CORE})
        sys.stdout.reconfigure(line_buffering=True)
        self.work = tempfile.mkdtemp(prefix="squall-bench-")
        self.children = []
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.work, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def squall(self, name, *flags, core=SERVER_CORE):
        """The history is in memory, unless the flags say something else: the others have none."""
        port = free_port()
        if "--history" not in flags:
            flags = ("--history", "memory", *flags)
        command = [BIN, "--listen", f"127.0.0.1:{port}", "--data-dir", self.path(f"data-{name}"),
                   "--drain", "0", *flags]
        return Child(self, name, core, command, "127.0.0.1", port)

    def nginx(self, name, server, http="", core=SERVER_CORE, address="127.0.0.1"):
        """nginx with one worker and one server, whose directives are `server`; {port} there is its port."""
        port = free_port()
        places = "".join(f"{kind}_temp_path {self.path(name + '-' + kind)};\n"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.write(f"{name}.conf", f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; worker_rlimit_nofile 16384; pid {self.path(name)}.pid;
events {{ worker_connections 8192; }}
http {{
{places}access_log off; default_type text/plain;
keepalive_requests 1000000000; keepalive_timeout 600s;
{http}
server {{
{server.replace("{port}", str(port))}
}}
}}
""")
        log = self.path(f"{name}.error")
        return Child(self, name, core, ["nginx", "-p", self.work, "-e", log, "-c", conf], address, port)

    def floor(self, name="floor", core=SERVER_CORE):
        port = free_port()
        return Child(self, name, core, [tools()["floor"], f"127.0.0.1:{port}"], "127.0.0.1", port)

    def tornado(self, name="tornado", upstream="", core=SERVER_CORE):
        port = free_port()
        site = os.path.join(ROOT, "tests", "bench", "tornado_site.py")
        return Child(self, name, core, [TORNADO, "-B", site, str(port), upstream], "127.0.0.1", port)


def free_port():
    """A port that is not in use, below those of the kernel's clients: many connections come and go meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as ports:
        below = min(32768, int(ports.read().split()[0]))
    for _ in range(200):
        port = random.randrange(min(10_000, below // 2), below)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port")


# ---- load ----


def wrk(server, url, connections, seconds, upstream=None, env=None):
    """One run of wrk on its core against a server on the other; raises if an answer was none or not a 2xx.

    rps; p50, p99: us; cpu: of the server, us a request; limit: requests a second if it had all of a core; server, wrk,
    upstream, other: percent of a core, where `other` is what the rest of the machine used meanwhile.
    """
    own = [server.pid] + ([upstream.pid] if upstream else [])
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", url]
    machine, before = machine_cpu(), [cpu_of(pid) for pid in own]
    text, client, wall = run(command, seconds + 20, env=env)
    used = [cpu_of(pid) - was for pid, was in zip(own, before)]
    other = machine_cpu() - machine - client - sum(used)
    bad = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", text)
    count = int(re.search(r"(\d+) requests in", text).group(1))
    if bad or not count:
        raise RuntimeError(f"{server.name}, {connections} connections: {bad.group(0) if bad else 'no answers'}")
    result = {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), "cpu": used[0] / count * 1e6,
              "server": used[0] / wall * 100, "wrk": client / wall * 100, "other": max(0, other / wall * 100),
              "upstream": sum(used[1:]) / wall * 100, "limit": count / max(used[0], 1 / TICK)}
    for quantile in ("50", "99"):
        value, unit = re.search(rf"^\s+{quantile}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M).groups()
        result["p" + quantile] = float(value) * UNIT_US[unit]
    return result


def load(server, path, *flags, scheme="http", within=60):
    """One run of `squall bench` on its core against a server on the other: its figures, and `other` as in `wrk`.

    count, rate: what has succeeded, and that a second; p50, p99, max: us; cpu: of the server, us for each; memory: of
    the server, bytes for each connection (--ws idle); server, client: percent of a core; sent, came: MiB a second.
    """
    machine, before = machine_cpu(), server.cpu()
    text, client, wall = run(load_command(server, path, *flags, scheme=scheme), within)
    other = machine_cpu() - machine - client - (server.cpu() - before)
    return figures(json.loads(text)) | {"other": max(0, other / wall * 100)}


def load_command(server, path, *flags, scheme="http"):
    pids = [word for pid in tree(server.pid) for word in ("--pid", pid)]
    return [BIN, "bench", "-q", "--json", "-", *map(str, [*pids, *flags]), f"{scheme}://127.0.0.1:{server.port}{path}"]


def figures(run):
    """Those of one JSON text of `squall bench`; raises if anything has failed."""
    if run["failed"] or not run["succeeded"]:
        raise RuntimeError(f"{run['url']}: {run['failures'] or 'nothing has succeeded'}")
    found = {name: figure["value"] for name, figure in run["figures"].items()}
    cpu, seconds = found["server_cpu_us"], run["seconds"]
    rate = found["connects_per_second"] if run["mode"] == "ws-idle" else run["rate"]
    return {"count": run["succeeded"], "rate": rate, "cpu": cpu, "server": cpu * rate / 1e4,
            "client": (run["cpu_seconds"] or 0) / seconds * 100, "memory": found.get("memory_per_connection_bytes"),
            "sent": run["sent_bytes"] / seconds / 2**20, "came": run["received_bytes"] / seconds / 2**20,
            **{name: run["latency_us"][name] for name in ("p50", "p99", "max")}}


@contextlib.contextmanager
def idle_others(server, count):
    """So many WebSockets that are open and say nothing."""
    if count < 1:
        yield
        return
    command = load_command(server, "/echo", "--ws", "idle", "-c", count, "--duration", 600, scheme="ws")
    process = subprocess.Popen(pinned(LOAD_CORE, command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
    try:
        until = time.monotonic() + 60
        while len(os.listdir(f"/proc/{process.pid}/fd")) < count and process.poll() is None:
            if time.monotonic() > until:
                raise RuntimeError(f"{count} connections were not open in a minute")
            time.sleep(0.05)
        if process.poll() is not None:
            raise RuntimeError(f"others: {process.stderr.read().decode(errors='replace')[-300:]}")
        yield
    finally:
        process.kill()
        process.communicate()


def quietest(once, tries=3, most=12):
    """Runs again, so often at most, while the rest of the machine uses more percent of a core: the quietest run."""
    results = []
    while len(results) < tries and all(result["other"] > most for result in results):
        results.append(once())
    return min(results, key=lambda result: result["other"])


def interleave(rounds, runs):
    """Each of `runs` (a function by name) once a round, in turns another first: the results of each by name."""
    names, results = list(runs), {name: [] for name in runs}
    for n in range(rounds):
        first = n % len(names)
        for name in names[first:] + names[:first]:
            results[name].append(runs[name]())
    return results


# ---- figures ----


def median(results, key):
    return statistics.median(result[key] for result in results)


def ratio(ours, theirs, key):
    """The median of the rounds' own ratios."""
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs) if b[key])


def spread(results, key):
    """How far the rounds lie apart, percent of their median."""
    values = [result[key] for result in results]
    return (max(values) - min(values)) / max(statistics.median(values), 1e-9) * 100


def table(head, rows):
    print(markdown(head, rows))


def markdown(head, rows):
    """A table of Markdown: text to the left, everything else to the right."""
    rows = [[cell if isinstance(cell, str) else "" if cell is None else number(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]
    rule = ["-" * width if n == 0 else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
    lines = []
    for row in [head, rule, *rows]:
        cells = [cell.ljust(width) if n == 0 else cell.rjust(width) for n, (cell, width) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def target(what, value, most=None, least=None):
    """Says whether a figure is where it should be."""
    met = value <= most if least is None else value >= least
    wanted = f"at most {number(most)}" if least is None else f"at least {number(least)}"
    print(f"{'met   ' if met else 'MISSED'} {what}: {number(value)} ({wanted})")
    return met

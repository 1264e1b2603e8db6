#!/usr/bin/env python3
"""Runs the tour of the README and compares what it prints with what the README shows.

  readme.py SQUALL      the binary; port 8888 of 127.0.0.1 must be free

Numbers, dates and units may differ, everything else must be the same.
"""
import os, re, signal, subprocess, sys, tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def tour():
    """The commands of the console block, each with the lines shown below it."""
    text = open(os.path.join(ROOT, "README.md"), encoding="utf-8").read()
    block = re.search(r"```console\n(.*?)```", text, re.S).group(1)
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def plain(lines):
    text = "\n".join(line.strip() for line in lines if line.strip())
    text = re.sub(r"Date: .*GMT", "Date: #", text)
    text = re.sub(r"\d+(\.\d+)?[kMG]?", "#", text)
    return re.sub(r"[KMG]?B\b", "B", re.sub(r" +", " ", text))


def main():
    squall = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        server = subprocess.Popen([squall, "--data-dir", work], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "squall listening on http://127.0.0.1:8888/\n", "the server did not start"
            failed = 0
            for command, shown in tour():
                command = command.replace("target/release/squall", squall)
                got = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                     text=True, timeout=60).stdout.splitlines()
                same = plain(got) == plain(shown)
                failed += not same
                print("ok  " if same else "FAIL", command)
                if not same:
                    print("  shown:", plain(shown), "  got:", plain(got), sep="\n")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(15)
    sys.exit(failed > 0)


main()

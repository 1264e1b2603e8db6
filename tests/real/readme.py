#!/usr/bin/env python3
"""Runs the commands of the README and of the documents (src/doc), and compares what they print with what is shown.

  readme.py SQUALL          the binary; port 8888 of 127.0.0.1 must be free
  readme.py SQUALL --check  runs nothing but what prints help

Commands in blocks of `console` are run. Numbers, dates and units may differ, everything else must be the same. Commands in
blocks of `sh` build, install, measure or never end: that their files, flags, parts and tests exist is checked.
"""
import glob, os, re, shlex, signal, subprocess, sys, tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SQUALL = os.path.abspath(sys.argv[1])


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def shown(text):
    """The commands of the console blocks, each with the lines shown below it."""
    steps = []
    for line in "".join(blocks(text, "console")).splitlines():
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


def runs(command, lines):
    """None, or how it differs from what is shown."""
    command = command.replace("target/release/squall", shlex.quote(SQUALL))
    got = subprocess.run(["bash", "-c", command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                         timeout=60).stdout.splitlines()
    return None if plain(got) == plain(lines) else f"  shown:\n{plain(lines)}\n  got:\n{plain(got)}"


def help_of(*command):
    return subprocess.run([*command, "--help"], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


def unknown(command):
    """The words of a command that stand for nothing here."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words.pop(0)
    flags = [word.split("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    parts = [word for word in words[1:] if not word.startswith("-")]
    missing = [word for word in words if word.startswith(("tests/", "src/")) and not os.path.exists(os.path.join(ROOT, word))]
    if os.path.basename(words[0]) == "squall":
        tools = parts[:2] if parts[:1] == ["history"] else [part for part in parts[:1] if part in ("fetch", "bench", "model")]
        known = help_of(SQUALL, *tools)
    elif words[0] == "tests/run.sh":
        known = help_of(words[0]) + read(words[0])
        missing += set(parts) - set(subprocess.check_output([words[0], "--list"], cwd=ROOT, text=True).split())
    elif words[0] == "tests/bench/run.sh":
        measures = [part for part in parts if not part.isdigit()]
        missing += [part for part in measures if not os.path.exists(os.path.join(ROOT, f"tests/bench/{part}.py"))]
        known = help_of(words[0]) + "".join(read(f"tests/bench/{part}.py") for part in set(measures) - set(missing))
    elif words[:2] == ["cargo", "test"]:
        test = words[words.index("--test") + 1] if "--test" in words else "it"
        missing += [] if f'[[test]]\nname = "{test}"' in read("Cargo.toml") else [test]
        known = "--test --locked" + "".join(map(read, sorted(glob.glob(f"tests/{test}/*.rs", root_dir=ROOT))))
    elif words[:2] == ["cargo", "fuzz"]:
        missing += [] if os.path.exists(os.path.join(ROOT, f"tests/fuzz/targets/{words[-1]}.rs")) else [words[-1]]
        return missing
    else:
        return missing
    return missing + [flag for flag in flags if flag.lstrip("-") not in known]


def documents():
    return ["README.md", *sorted(glob.glob("src/doc/*.md", root_dir=ROOT))]


def say(command, wrong):
    print("FAIL" if wrong else "ok  ", command)
    if wrong:
        print(wrong)
    return bool(wrong)


def check():
    failed = 0
    for path in documents():
        for command in "".join(blocks(read(path), "sh")).splitlines():
            words = unknown(command)
            failed += say(f"{path}: {command}", words and f"  there is no {', '.join(words)}")
    return failed


def compare():
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        os.environ["SQUALL_DATA_DIR"] = work
        server = subprocess.Popen([SQUALL], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "squall listening on http://127.0.0.1:8888/\n", "the server did not start"
            for path in documents():
                for command, lines in shown(read(path)):
                    failed += say(f"{path}: {command}", runs(command, lines))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(15)
    return failed


failed = check()
if "--check" not in sys.argv:
    failed += compare()
sys.exit(failed > 0)

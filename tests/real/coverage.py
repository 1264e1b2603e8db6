"""Lines below some folders that the tests run, from a report of lcov: `coverage.py REPORT PERCENT FOLDER...`.

Tests themselves do not count. What no test runs is listed, file by file; below PERCENT the exit code is 1.
"""

import os
import sys


def lines_of(report, folders):
    """Each file below the folders, its lines that can run and those that have."""
    files = {}
    path = None
    for entry in open(report):
        kind, _, rest = entry.strip().partition(":")
        if kind == "SF":
            path = os.path.relpath(rest)
        elif kind == "DA" and path.startswith(tuple(folder + "/" for folder in folders)) and "/tests" not in path and "/testing" not in path:
            number, times = rest.split(",")[:2]
            can, has = files.setdefault(path, (set(), set()))
            can.add(int(number))
            if int(times):
                has.add(int(number))
    return files


def own(path, lines):
    """Without the lines of a `mod tests` at the end of the file."""
    text = open(path).read().split("\n")
    end = next((n for n, line in enumerate(text) if line.startswith("#[cfg(test)]") or line.startswith("#[cfg(all(test")), len(text))
    return {line for line in lines if line <= end}


def main():
    report, least, folders = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    folder = " and ".join(folders)
    total = run = 0
    for path, (can, has) in sorted(lines_of(report, folders).items()):
        can, has = own(path, can), own(path, has)
        total, run = total + len(can), run + len(has)
        text = open(path).read().split("\n")
        for line in sorted(can - has):
            print(f"{path}:{line}: {text[line - 1].strip()}")
    if not total:
        sys.exit(f"{report} says nothing of {folder}")
    percent = 100 * run / total
    print(f"{run} of {total} lines of {folder} were run: {percent:.2f} %")
    result = f"Lines of {folder}: {run} passed, {total - run} failed ({percent:.2f} %, {least:g} % are demanded)"
    if "RESULTS" in os.environ:
        open(os.environ["RESULTS"], "a").write(result + "\n")
    sys.exit(percent < least)


if __name__ == "__main__":
    main()

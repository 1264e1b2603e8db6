"""Judges the reports of Autobahn's wstest.

  autobahn.py TITLE WANTED FOLDER [NOTE]

WANTED is the number of cases that should have run, FOLDER where their reports are. A case has passed if it is OK or
INFORMATIONAL and so is the way it was closed; NON-STRICT has not, nor has a case that did not run. The result goes to
the file of RESULTS, too.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path

GOOD = {"OK", "INFORMATIONAL"}


def in_order(case):
    return [int(number) for number in case.split(".")]


def short(value):
    text = json.dumps(value) if not isinstance(value, str) else " ".join(value.split())
    return text if len(text) <= 400 else text[:400] + "…"


def explain(case, summary, folder):
    """What was wanted of a case that has failed, and what came instead."""
    report = json.loads((folder / summary["reportfile"]).read_text())
    code, clean = report["remoteCloseCode"], "clean" if report["wasClean"] else report["wasNotCleanReason"]
    print(f"WRONG  {case} {summary['behavior']}, its close {summary['behaviorClose']}")
    print(f"       {short(report['expectation'])}")
    print(f"       wanted {short(report['expected'])}, close {short(report['expectedClose'])}")
    print(f"       got    {short(report['received'])}, close {code}, {clean}")
    print(f"       {short(report['result'])} {short(report['resultClose'])}")


def main(title, wanted, folder, note=None):
    folder = Path(folder)
    index = folder / "index.json"
    cases = json.loads(index.read_text()).get("server", {}) if index.exists() else {}
    bad = [case for case, at in cases.items() if not {at["behavior"], at["behaviorClose"]} <= GOOD]
    for case in sorted(bad, key=in_order):
        explain(case, cases[case], folder)
    missing = int(wanted) - len(cases)
    if missing:
        print(f"WRONG  {missing} of {wanted} cases did not run")

    passed, failed = len(cases) - len(bad), len(bad) + max(missing, 0)
    counts = Counter(at["behavior"] for at in cases.values())
    details = [f"{n} {behavior}" for behavior, n in counts.most_common()] or ["no report"]
    line = f"{title}: {passed} passed, {failed} failed ({note + '; ' if note else ''}{', '.join(details)})"
    print(line)
    if os.environ.get("RESULTS"):
        with open(os.environ["RESULTS"], "a") as results:
            print(line, file=results)
    return failed != 0 or missing != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

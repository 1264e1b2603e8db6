#!/usr/bin/env bash
# The history under SIGKILL, bad networks and files that are put back: kills.py, a few runs of each, or with FULL hundreds.
set -euo pipefail

wrong=0
# runs FEW MANY FLAG...
runs() {
  local few=$1 many=$2
  shift 2
  "$TOOLS/venv-websockets/bin/python" tests/real/kills.py "$BIN" --runs $((FULL ? many : few)) "$@" | tee -a "$lines" || wrong=1
}

lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
runs 6 200
runs 3 50 --sync normal
runs 6 200 --chaos proxy
runs 4 50 --chaos restore
runs 2 50 --chaos torn --sync normal
runs 2 20 --chaos empty
runs 3 100 --chaos faults
runs 2 10 --chaos control
grep 'runs sound' "$lines" >> "${RESULTS:-/dev/null}"
exit "$wrong"

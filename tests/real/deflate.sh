#!/usr/bin/env bash
# Compression (RFC 7692) as programs speak it that are not ours: Python's `websockets`, the `ws` of node, Chromium.
source "$(dirname "$0")/squall.sh"

# run WHAT COMMAND...: its checks are counted by the lines that it prints.
run() {
  local what=$1 status=0
  shift
  "$@" | tee "$scratch/said" || status=$?
  passed=$((passed + $(grep -c '^ok ' "$scratch/said" || true)))
  failed=$((failed + $(grep -c '^WRONG ' "$scratch/said" || true)))
  check "$what" 0 "$status"
}

passed=0 failed=0
serve
BASE=$base SERVER=$server run "Python's websockets" "$TOOLS/venv-websockets/bin/python" tests/real/deflate.py
stop_server "$server"
run "ws and Chromium" node tests/real/deflate.mjs
printf 'Compression, foreign clients: %d passed, %d failed\n' "$passed" "$failed" | tee -a "${RESULTS:-/dev/null}"
verdict

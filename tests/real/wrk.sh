#!/usr/bin/env bash
# wrk: 64 connections that never rest, one request at a time and sixteen in a row.
source "$(dirname "$0")/squall.sh"

seconds=2
[[ -z $FULL ]] || seconds=10

# bench WHAT URL [DEPTH]
bench() {
  local report
  report=$(wrk -t 2 -c 64 -d "${seconds}s" --timeout 2s -s tests/real/wrk.lua "$2" -- "${3:-1}" 2>&1)
  check "$1" "*
[1-9]* answers, 0 errors, 0 of another status*" "$report"
  sed -n 's/^\(Requests\/sec:.*\)/       \1/p' <<< "$report"
}

serve
for path in /plaintext / /static/squall.css; do
  bench "$path" "$base$path"
  bench "$path, 16 in a row" "$base$path" 16
done
stop_server "$server"
verdict

#!/usr/bin/env bash
# System calls of the server per request, echo and delivery, counted by strace.
source "$(dirname "$0")/squall.sh"

serve --message-rate 0
python3 tests/real/syscalls.py "$base" "$server" || wrong=$((wrong + 1))
stop_server "$server"
verdict

#!/usr/bin/env bash
# Everything that a browser shows: people who talk and search, then the chat page by itself, then several windows of one
# browser on bad networks, then bad proxies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for part in browser room windows proxies; do
  echo "--- $part"
  node "$part.mjs"
done

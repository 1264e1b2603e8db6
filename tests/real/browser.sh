#!/usr/bin/env bash
# Everything that a browser shows: people who talk and search, then the chat page by itself, what it does with the history,
# several windows of one browser on bad networks, bad proxies, the search in the history, and whether everybody can use the
# pages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

for part in browser room history windows proxies found access; do
  echo "--- $part"
  node "$part.mjs"
done

#!/usr/bin/env bash
# Packages in the lock files: none is banned, and all come from the registry. Those of the program have licences of the
# list (tests/deny.toml).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# deny MANIFEST CHECK...
deny() {
  local manifest=$1
  shift
  echo "$manifest: $*"
  "${TOOLS:-target/tools}/bin/cargo-deny" --locked --config tests/deny.toml --manifest-path "$manifest" check "$@"
}

locks=$(find . -name target -prune -o -name node_modules -prune -o -name Cargo.lock -print)
for lock in $locks; do
  checks=(bans sources)
  if [[ $lock == ./Cargo.lock ]]; then checks+=(licenses); fi
  deny "${lock%.lock}.toml" "${checks[@]}"
done

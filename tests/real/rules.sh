#!/usr/bin/env bash
# What the sources and lock files promise, read from the text. (Imports and lengths: tests/it/house.rs.)
source "$(dirname "$0")/squall.sh"

# found COMMAND...: what it prints; a grep that finds nothing is no failure.
found() { "$@" || true; }

locks=$(find . -name target -prune -o -name node_modules -prune -o -name Cargo.lock -print)
check "there is a lock file" "*./Cargo.lock*" "$locks"
# shellcheck disable=SC2086
check "no async runtime in a lock file" "" "$(found grep -nE '^name = "(tokio|async-std|smol)([-_].*)?"' $locks)"

for root in src/lib.rs src/main.rs; do
  check "$root forbids unsafe code" 1 "$(found grep -cxF '#![forbid(unsafe_code)]' $root)"
done
check "the word unsafe is nowhere else in src" "" "$(found grep -rnw --include='*.rs' unsafe src)"
verdict

#!/usr/bin/env bash
# The bare core (--no-default-features): it builds, passes its tests, and brings no TLS and no compression with it.
set -euo pipefail

cargo clippy --locked --no-default-features --all-targets -- -D warnings
# The part `test` has the other seeds of the simulation. The program would warn of the variable, so it is not for all tests.
cargo test --locked --no-default-features -- --skip simulation::
SQUALL_SEEDS=${SQUALL_SEEDS:-0..1000} cargo test --locked --no-default-features --test it -- simulation::
brought=$(cargo tree --locked --no-default-features --edges normal,build --prefix none | cut -d ' ' -f 1 | sort -u)
for crate in rustls ring webpki-roots rustls-pki-types flate2; do
  if grep -qx "$crate" <<< "$brought"; then
    echo "WRONG: the bare core brings $crate"
    exit 1
  fi
done
echo "the bare core brings $(wc -l <<< "$brought") crates, none of them for TLS or compression"

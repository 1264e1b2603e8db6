#!/usr/bin/env bash
# The measurements of tests/bench at their smallest: that they run, and say something, not what they say.
set -euo pipefail

seconds=${FULL:+3}
rounds=${FULL:+5}
ciphers=(--ciphers TLSv1.3:TLS_AES_256_GCM_SHA384)
[[ -z $FULL ]] || ciphers=()
cargo fmt --check --manifest-path tests/bench/tools/Cargo.toml
python3 tests/bench/search.py --rounds "${rounds:-1}" --seconds "${seconds:-1}"
python3 tests/bench/fetch.py --rounds "${rounds:-1}"
python3 tests/bench/tls.py --rounds "${rounds:-1}" --seconds "${seconds:-1}" "${ciphers[@]}"
python3 tests/bench/history.py --quick
tests/bench/run.sh --quick

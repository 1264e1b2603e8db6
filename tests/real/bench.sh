#!/usr/bin/env bash
# The measurements of tests/bench at their smallest: that they run, and say something, not what they say.
set -euo pipefail

seconds=${FULL:+3}
rounds=${FULL:+5}
python3 tests/bench/search.py --rounds "${rounds:-1}" --seconds "${seconds:-1}"
python3 tests/bench/fetch.py --rounds "${rounds:-1}"
python3 tests/bench/tls.py --rounds "${rounds:-1}" --seconds "${seconds:-1}"

#!/usr/bin/env bash
# The table of HTTP cases and the hostile clients against nginx, node and Tornado: each of them misses something, or the
# table could not fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

bash tests/conformance/controls.sh
bash tests/hostile/controls.sh

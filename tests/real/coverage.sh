#!/usr/bin/env bash
# Lines of src/http and src/ws that the tests run: at least 98 %, and those that no test runs are listed.
# LLVM_COV and LLVM_PROFDATA name llvm's tools where those of version 19 are not called so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export LLVM_COV=${LLVM_COV:-llvm-cov-19} LLVM_PROFDATA=${LLVM_PROFDATA:-llvm-profdata-19}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/coverage
report=$CARGO_TARGET_DIR/protocols.lcov

# Without the features that neither module has.
"${TOOLS:-target/tools}/bin/cargo-llvm-cov" llvm-cov --locked --lib --no-default-features --features deflate --lcov \
  --output-path "$report"
python3 tests/real/coverage.py "$report" 98 src/http src/ws

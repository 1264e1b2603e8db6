#!/usr/bin/env bash
# The routes in src/lib.rs against what is called: a program that counts its calls runs each of them.
# LLVM_COV and LLVM_PROFDATA name llvm's tools where those of version 19 are not called so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export LLVM_COV=${LLVM_COV:-llvm-cov-19} LLVM_PROFDATA=${LLVM_PROFDATA:-llvm-profdata-19}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/coverage

# Built as for the tests, so that the packages are those of the part `coverage`.
"${TOOLS:-target/tools}/bin/cargo-llvm-cov" llvm-cov run --locked --quiet --no-report --profile test -- --version
python3 tests/real/routes.py "$CARGO_TARGET_DIR/llvm-cov-target/debug/squall"

#!/usr/bin/env bash
# Coverage-guided fuzzing of every machine (tests/fuzz), then the same request heads to squall, nginx and node.
#
# All targets together get a minute on two jobs, with FULL=1 an hour; the heads get 10 seconds, with FULL=1 five minutes.
# TARGETS="url cookie" fuzzes only these. What a run finds out is kept beside the build, and the next one goes on there.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PATH=$PATH:/usr/sbin:${TOOLS:-target/tools}/bin # nginx; cargo-fuzz
missing=()
have() { command -v "$1" > /dev/null || missing+=("$2"); }
have cargo-fuzz "cargo-fuzz: cargo install cargo-fuzz --locked --root target/tools"
have "${CXX:-c++}" "a C++ compiler: Debian package g++"
have python3 "python3"
have nginx "nginx: Debian package nginx-light"
have node "node: Debian package nodejs"
if ((${#missing[@]})); then
  printf 'MISSING: %s\n' "${missing[@]}"
  exit 1
fi

seconds=60 heads_seconds=10 jobs=2
if [[ ${FULL:-} ]]; then seconds=3600 heads_seconds=300; fi
all=$(sed -n 's|^path = "targets/\(.*\)\.rs"$|\1|p' tests/fuzz/Cargo.toml | tr '\n' ' ')
read -ra targets <<< "${TARGETS:-$all}"
each=$((seconds * jobs / ${#targets[@]}))

out=${CARGO_TARGET_DIR:-target}/fuzz
binaries=$out/$(rustc -vV | sed -n 's/^host: //p')/release
mkdir -p "$out/logs"
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
trap 'exit 143' INT TERM

dictionary_of() {
  case $1 in
    head | requests | chunked | exchange) echo http ;;
    frame | session | frame_tungstenite) echo ws ;;
    inflate | url | cookie) echo "$1" ;;
  esac
}

# fuzz TARGET: in a process of its own; the log says what came of it.
fuzz() {
  local flags=("-max_total_time=$each" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1)
  local words
  words=$(dictionary_of "$1")
  [[ -z $words ]] || flags+=("-dict=tests/fuzz/dictionaries/$words.dict")
  local corpora=("$out/corpus/$1")
  [[ ! -d tests/fuzz/seeds/$1 ]] || corpora+=("tests/fuzz/seeds/$1")
  mkdir -p "$out/corpus/$1" "$out/artifacts/$1"
  exec nice "$binaries/$1" "${flags[@]}" "-artifact_prefix=$out/artifacts/$1/" "${corpora[@]}" > "$out/logs/$1" 2>&1
}

cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml > "$out/logs/metadata"
cargo fuzz build -s none --fuzz-dir tests/fuzz --target-dir "$out"

printf '\n%d targets, %d seconds each, %d at a time\n' "${#targets[@]}" "$each" "$jobs"
for target in "${targets[@]}"; do
  while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
  fuzz "$target" &
done
wait || true

executions=0 failed=0
for target in "${targets[@]}"; do
  log=$out/logs/$target
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  executions=$((executions + ${count:-0}))
  printf '%-20s %10d executions, %5d edges\n' "$target" "${count:-0}" "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -d ' ' -f 2)"
  artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  # Without final figures it has not come to its end.
  if [[ $artifact || -z $count ]]; then
    failed=$((failed + 1))
    grep -E -A 3 'panicked at|ERROR: libFuzzer' "$log" || tail -n 20 "$log"
    echo "again: cargo fuzz run -s none --fuzz-dir tests/fuzz $target $artifact"
  fi
done

heads=0
python3 tests/fuzz/heads.py "${BIN:-target/release/squall}" --seconds "$heads_seconds" | tee "$out/logs/heads" || heads=1
failed=$((failed + heads))
line="fuzz executions: $executions passed, $failed failed (${#targets[@]} targets; $(tail -n 1 "$out/logs/heads"))"
[[ -z ${RESULTS:-} ]] || echo "$line" >> "$RESULTS"
echo "$line"
((failed == 0))

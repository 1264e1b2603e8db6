#!/usr/bin/env bash
# Autobahn's fuzzing client (wstest) against /echo.
#
#   autobahn.sh [core] [deflate] [control]      all three, if none is named
#
# core: sections 1 to 7, 9 and 10. deflate: sections 12 and 13; all 216 cases with FULL=1, else some of each subsection.
# control: the core against the `ws` of node, which has to fail somewhere: a table that cannot fail says nothing.
#
# wstest is a program for Python 2.7: that of PY27, or python2.7 on PATH, or one that pyenv has. Where there is none the
# script fails, unless WITHOUT_AUTOBAHN is set.
source "$(dirname "$0")/squall.sh"

VIRTUALENV=virtualenv==20.15.1 # the last that makes environments for Python 2.7
WSTEST=autobahntestsuite==25.10.1
# The n of 12.m.n and 13.m.n at CI size: of each subsection 16 B, 1 KiB, 32 KiB, 8 KiB in fragments, and one large one.
SMALL='1 4 8 11'
LARGE=(9 10 12 13 14 15 16 17 18)

# Sets `python` to a Python 2.7. A name on PATH may be a shim of pyenv's that leads nowhere, so it is asked.
find_python() {
  local candidate ask='import sys; sys.version_info[:2] == (2, 7) and sys.stdout.write(sys.executable)'
  for candidate in "${PY27:-}" python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7; do
    python=$("$candidate" -c "$ask" 2> /dev/null) && [[ $python ]] && return
  done
  return 1
}

# Sets `wstest` to its command; installs it into TOOLS once.
find_wstest() {
  local maker=$TOOLS/venv-virtualenv home=$TOOLS/venv-wstest
  wstest=("$home/bin/python" -W ignore "$home/bin/wstest")
  [[ ! -e $TOOLS/$WSTEST ]] || return 0
  echo "installing $WSTEST into $home"
  python3 -m venv --clear "$maker" && "$maker/bin/pip" install -q "$VIRTUALENV" &&
    "$maker/bin/virtualenv" -q --clear -p "$python" "$home" &&
    "$home/bin/pip" install -q --no-python-version-warning "$WSTEST" && touch "$TOOLS/$WSTEST"
}

# fuzz FOLDER URL PATTERN...: runs cases; their reports are then in FOLDER.
fuzz() {
  local folder=$1 url=$2 patterns
  shift 2
  patterns=$(printf ',"%s"' "$@")
  cat > "$folder.json" << SPEC
{"outdir": "$folder", "servers": [{"agent": "server", "url": "$url"}], "cases": [${patterns#,}],
 "exclude-cases": [], "exclude-agent-cases": {}}
SPEC
  timeout $((FULL ? 1500 : 300)) "${wstest[@]}" -m fuzzingclient -s "$folder.json" > "$folder.log" 2>&1 ||
    tail -n 20 "$folder.log"
}

judge() { python3 tests/real/autobahn.py "$@"; }

core_cases=({1..7}'.*' '9.*' '10.*')
CORE=301 # so many cases are there

core() {
  fuzz "$scratch/core" "${base/http/ws}/echo" "${core_cases[@]}"
  judge 'Autobahn core' $CORE "$scratch/core" || wrong=$((wrong + 1))
}

deflate() {
  local m n numbers cases=() section=0
  for m in 12.{1..5} 13.{1..7}; do
    numbers="$SMALL ${LARGE[section++ % ${#LARGE[@]}]}"
    [[ -z $FULL ]] || numbers=$(echo {1..18})
    for n in $numbers; do cases+=("$m.$n"); done
  done
  fuzz "$scratch/deflate" "${base/http/ws}/echo" "${cases[@]}"
  judge 'Autobahn deflate' ${#cases[@]} "$scratch/deflate" 'of 216' || wrong=$((wrong + 1))
}

control() {
  local said address=''
  said=$(mktemp -p "$scratch")
  node tests/real/autobahn_control.mjs > "$said" &
  servers+=($!)
  for ((tries = 0; tries < 200; tries++)); do
    address=$(< "$said")
    [[ -z $address ]] || break
    sleep 0.05
  done
  fuzz "$scratch/control" "$address" "${core_cases[@]}"
  if RESULTS='' judge 'Autobahn core, control (node ws)' $CORE "$scratch/control"; then
    echo 'WRONG  the control passes everything'
    wrong=$((wrong + 1))
  fi
}

if [[ -n ${WITHOUT_AUTOBAHN:-} ]]; then
  echo 'Autobahn core: not run (--without-autobahn)' | tee -a "${RESULTS:-/dev/null}"
  exit
fi
if ! find_python; then
  echo "MISSING: a Python 2.7, which Autobahn's wstest needs. Set PY27 to one, or run without (--without-autobahn)."
  exit 1
fi
find_wstest || { echo "MISSING: $WSTEST, which pip could not install."; exit 1; }

serve
suites=("$@")
((${#suites[@]})) || suites=(core deflate control)
for suite in "${suites[@]}"; do "$suite"; done
stop_server "$server"
verdict

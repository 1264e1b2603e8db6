#!/usr/bin/env bash
# Everything at CI size: the project's own checks and tests, then real programs against the release binary.
#
#   tests/run.sh                  all parts
#   tests/run.sh NAME...          only these parts (tests/run.sh --list names them)
#   tests/run.sh --full [NAME...] longer runs and more requests, for figures: all compression cases, an hour of fuzzing
#   tests/run.sh --without-autobahn   where no Python 2.7 can be had
#   tests/run.sh --shots browser  also takes the pictures of the README anew (tests/shots)
#   tests/run.sh --prepare [NAME...]  only installs what the parts need
#
# It starts with Rust and a C compiler. What else a part needs comes from apt-get where this is a Debian and we are
# root, and from npm, PyPI and cargo into target/tools; a part that cannot get what it needs fails and says what is
# missing.
# Nothing is written into the source tree (but for --shots).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PARTS=(fmt clippy doc deny build test core rules autobahn deflate controls hostile fuzz coverage routes
  curl https ab twin loads wrk syscalls kills durable sleepers browser relayed tornado course bench readme)
PLAYWRIGHT=playwright-core@1.65.1
WS=ws@8.23.0
AXE=axe-core@4.14.1
SOCKET_IO=socket.io@4.8.4
TORNADO=tornado==6.6.1
AIOHTTP=aiohttp==3.14.5
WEBSOCKETS=websockets==17.4
CARGO_DENY=cargo-deny@0.20.2
CARGO_FUZZ=cargo-fuzz@0.13.2
CARGO_LLVM_COV=cargo-llvm-cov@0.9.1

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export BIN=$target/release/squall # what the parts run
export TOOLS=$target/tools        # what npm and pip bring
export RUST_LOG=warn             # the servers say less
export FULL='' SHOTS='' WITHOUT_AUTOBAHN=''
export RESULTS=$target/results # a line from everything that counts cases
# The parts talk to this machine only, and to servers with the flags that they name.
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
unset "${!SQUALL_@}"

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

# Sets `command` to that of a part.
command_of() {
  case $1 in
    fmt) command=(cargo fmt --check) ;;
    # `--all-targets` leaves out a program that is not built by default.
    clippy) command=(bash -ec 'for what in --all-targets --test=hostile; do cargo clippy --locked "$what" -- -D warnings; done') ;;
    doc) command=(env RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps) ;;
    build) command=(cargo build --locked --release) ;;
    test) command=(cargo test --locked) ;;
    hostile) command=(cargo test --locked --test hostile) ;;
    sleepers) command=(bash tests/real/with_squall.sh python3 tests/real/sleepers.py) ;;
    tornado) command=(bash tests/real/with_squall.sh "$TOOLS/venv/bin/python" tests/real/tornado_cookie.py) ;;
    relayed | course) command=(node "tests/real/$1.mjs") ;;
    twin) command=(bash -ec 'python3 tests/real/twin.py "$BIN"; python3 tests/real/ab_parsers.py "$BIN"') ;;
    loads) command=(python3 tests/real/loads.py "$BIN") ;;
    durable) command=("$TOOLS/venv-websockets/bin/python" tests/real/durable.py "$BIN") ;;
    readme) command=(python3 tests/real/readme.py "$BIN") ;;
    *) command=(bash "tests/real/$1.sh") ;;
  esac
}

# Programs that a part needs besides Rust and the system's own, each with its Debian package.
needs_of() {
  case $1 in
    autobahn) [[ $WITHOUT_AUTOBAHN ]] || echo python3:python3-venv node:nodejs npm:npm ;;
    deflate) echo python3:python3-venv node:nodejs npm:npm chromium:chromium ;;
    controls) echo python3:python3-venv node:nodejs npm:npm nginx:nginx-light ;;
    fuzz) echo python3:python3 node:nodejs nginx:nginx-light c++:g++ ;;
    coverage) echo llvm-cov-19:llvm-19 ;;
    routes) echo llvm-cov-19:llvm-19 python3:python3 openssl:openssl ;;
    curl) echo curl:curl ;;
    https) echo curl:curl openssl:openssl ;;
    bench) echo python3:python3-venv wrk:wrk curl:curl openssl:openssl nginx:nginx-light ab:apache2-utils ;;
    chats) echo python3:python3 node:nodejs npm:npm mosquitto:mosquitto ;;
    ab) echo ab:apache2-utils ;;
    twin) echo python3:python3 ab:apache2-utils ;;
    loads) echo python3:python3 node:nodejs npm:npm ;;
    wrk) echo wrk:wrk ;;
    syscalls) echo python3:python3 strace:strace ;;
    kills) echo python3:python3-venv strace:strace ;;
    durable) echo python3:python3-venv strace:strace ;;
    sleepers) echo python3:python3 ;;
    browser) echo node:nodejs npm:npm chromium:chromium nginx:nginx-light pdftotext:poppler-utils ;;
    relayed | course) echo node:nodejs npm:npm chromium:chromium ;;
    tornado) echo python3:python3-venv ;;
    readme) echo python3:python3 curl:curl ab:apache2-utils wrk:wrk ;;
  esac
}

# Seconds after which a part is stopped and has failed.
limit_of() {
  case $1 in
    clippy | doc | build | test | core | coverage | routes | controls | hostile) echo 1200 ;;
    autobahn) echo $((FULL ? 2000 : 480)) ;;
    fuzz) echo $((FULL ? 6000 : 900)) ;;
    browser) echo 600 ;;
    kills) echo $((FULL ? 3600 : 240)) ;;
    *) echo $((FULL ? 900 : 240)) ;;
  esac
}

# have PROGRAM PACKAGE: whether it is there. Other systems' names for Chromium count, too.
have() {
  case $1 in
    chromium)
      [[ -n ${CHROMIUM:-} ]] || CHROMIUM=$(command -v chromium chromium-browser google-chrome | head -n 1) || true
      export CHROMIUM
      [[ -x $CHROMIUM ]]
      ;;
    python3) command -v python3 > /dev/null && { [[ $2 == python3 ]] || python3 -c 'import ensurepip, venv' 2> /dev/null; } ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

updated=''
install() {
  [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null || return 1
  export DEBIAN_FRONTEND=noninteractive
  [[ $updated ]] || apt-get -q update || return 1
  updated=yes
  # A package that brings a server (nginx) must not start it: it would sit on port 80.
  RUNLEVEL=1 apt-get -q install -y --no-install-recommends "$1"
}

prepare() {
  local need program package
  for need in $(needs_of "$1"); do
    program=${need%%:*} package=${need##*:}
    have "$program" "$package" && continue
    echo "$program is missing; installing the package $package"
    install "$package" && have "$program" "$package" && continue
    echo "MISSING: $program (Debian package $package). Without it the part '$1' cannot run."
    return 1
  done
  case $1 in
    autobahn) [[ $WITHOUT_AUTOBAHN ]] || from_npm ;;
    deflate) from_npm && from_pypi venv-websockets "$WEBSOCKETS" ;;
    kills | durable) from_pypi venv-websockets "$WEBSOCKETS" ;;
    controls) from_npm && from_pypi venv "$TORNADO" ;;
    deny) from_cargo "$CARGO_DENY" ;;
    fuzz) from_cargo "$CARGO_FUZZ" ;;
    coverage | routes) from_cargo "$CARGO_LLVM_COV" ;;
    browser | relayed | course | loads) from_npm ;;
    tornado) from_pypi venv "$TORNADO" ;;
    chats) from_npm "$WS" "$SOCKET_IO" ;;
    bench) from_pypi venv-aiohttp "$AIOHTTP" && from_pypi venv "$TORNADO" ;;
  esac
}

# from_npm [PACKAGE...]: if none is named, those that most parts need.
from_npm() {
  (($#)) || set -- "$PLAYWRIGHT" "$WS" "$AXE"
  local package missing=''
  for package; do [[ -e $TOOLS/$package ]] || missing=1; done
  [[ $missing ]] || return 0
  mkdir -p "$TOOLS" && npm install --prefix "$TOOLS" --no-audit --no-fund "$@" && (cd "$TOOLS" && touch "$@") && return
  echo "MISSING: one of $*, which npm could not install."
  return 1
}

# from_cargo PACKAGE: its programs, into $TOOLS/bin. Not optimised: that takes longer than all that they do.
from_cargo() {
  [[ -e $TOOLS/$1 ]] && return
  cargo install --locked --debug --quiet --root "$TOOLS" "$1" && touch "$TOOLS/$1" && return
  echo "MISSING: $1, which cargo could not install."
  return 1
}

# from_pypi FOLDER PACKAGE: into an environment of its own.
from_pypi() {
  [[ -e $TOOLS/$2 ]] && return
  python3 -m venv --clear "$TOOLS/$1" && "$TOOLS/$1/bin/pip" install -q "$2" && touch "$TOOLS/$2" && return
  echo "MISSING: $2, which pip could not install."
  return 1
}

child=''
stop() {
  [[ -z $child ]] || kill "$child" 2> /dev/null || true
  wait
  exit 130
}
trap stop INT TERM

rows=() passed=0 failed=0
run() {
  local name=$1 began=$SECONDS status=0 result=passed
  command_of "$name"
  printf '\n=== %s: %s\n' "$name" "${command[*]}"
  if prepare "$name"; then
    # timeout makes a process group of its own, so whatever the part has started ends with it.
    timeout --kill-after=20 "$(limit_of "$name")" "${command[@]}" < /dev/null &
    child=$!
    wait "$child" || status=$?
    child=''
    if ((status == 124 || status == 137)); then result="FAILED: not done in $(limit_of "$name") s"; fi
    if ((status && status != 124 && status != 137)); then result="FAILED: exit code $status"; fi
  else
    result='FAILED: could not run'
  fi
  case $result in
    passed) passed=$((passed + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  rows+=("$(printf '%-10s %-28s %4d' "$name" "$result" $((SECONDS - began)))")
  printf '=== %s: %s in %d s\n' "$name" "$result" $((SECONDS - began))
}

chosen=() only_prepare=''
for argument in "$@"; do
  case $argument in
    --full) FULL=1 ;;
    --without-autobahn) WITHOUT_AUTOBAHN=1 ;;
    --shots) SHOTS=$PWD/tests/shots ;;
    --prepare) only_prepare=1 ;;
    --list) printf '%s\n' "${PARTS[@]}" && exit ;;
    -h | --help) usage && exit ;;
    *)
      # The part `chats` is one of tests/bench/run.sh, which lets this program prepare it.
      if [[ " ${PARTS[*]} ${only_prepare:+chats }" != *" $argument "* ]]; then
        echo "tests/run.sh: there is no part '$argument'; the parts are: ${PARTS[*]}" >&2
        exit 2
      fi
      chosen+=("$argument")
      ;;
  esac
done
if ((${#chosen[@]} == 0)); then chosen=("${PARTS[@]}"); fi
if [[ $only_prepare ]]; then
  for name in "${chosen[@]}"; do prepare "$name"; done
  exit
fi
: > "$RESULTS"
# The real programs run the release binary as it is now.
if [[ " ${chosen[*]} " != *" build "* && " ${chosen[*]} " =~ \ (autobahn|deflate|controls|fuzz|curl|https|ab|twin|loads|wrk|syscalls|kills|durable|sleepers|browser|relayed|tornado|course|bench|readme)\  ]]; then
  chosen=(build "${chosen[@]}")
fi

for name in "${chosen[@]}"; do run "$name"; done

printf '\n%-10s %-28s %4s\n' part result s
printf '%s\n' "${rows[@]}" "$(printf '%-10s %-28s %4d' total '' "$SECONDS")"
printf '\nWhat they counted:\n\n'
cat "$RESULTS"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))

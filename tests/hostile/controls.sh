#!/usr/bin/env bash
# The hostile clients against other servers, as controls: each of them must miss a scenario, or nothing was shown.
#
#   controls.sh [NAME...]    nginx, node, tornado; without names nginx and, if FULL is set, the others
#
# Only those scenarios that are quick and known to be missed, unless FULL is set.
# TOOLS is the folder (target/tools) with node_modules/ws and, in venv, tornado; nginx and node are the system's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export TOOLS=${TOOLS:-$PWD/target/tools}
here=tests/hostile/controls
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

only=(--only bodies,deaf,pings,descriptors)
[[ -z ${FULL:-} ]] || only=()

# Each with its command line; {port} is put in by the program.
attack() {
  case $1 in
    nginx) set -- "$1" --no-sockets "${only[@]}" -- sh $here/nginx.sh "$folder" '{port}' ;;
    node) set -- "$1" "${only[@]}" -- node $here/node.mjs '{port}' ;;
    tornado) set -- "$1" "${only[@]}" -- "$TOOLS/venv/bin/python" $here/tornado_chat.py '{port}' ;;
    *) echo "controls.sh: there is no control '$1'" >&2 && return 2 ;;
  esac
  printf '\n%s\n' "$1"
  cargo test --locked --quiet --test hostile -- --control "$@"
}

failed=0
(($#)) || set -- nginx ${FULL:+node tornado}
for name in "$@"; do attack "$name" || failed=1; done
exit $failed

#!/usr/bin/env bash
# squall measured beside others, from a clone of this repository:
#
#   tests/bench/run.sh                      peers, growth and fairness, 5 rounds each: some 45 minutes
#   tests/bench/run.sh --quick              the same at the smallest size: whether it runs
#   tests/bench/run.sh PART [FLAG...]       one part; its flags: tests/bench/run.sh PART --help
#   tests/bench/run.sh --pictures           peers and growth, and with them the pictures in tests/shots
#
#   peers     beside nginx, Tornado and a floor that makes the system calls and does nothing else
#   growth    what a request, echo, delivery, member and timer cost with up to 15,000 connections
#   fairness  how long others wait beside two clients that flood the server
#   chats     beside Socket.IO and Mosquitto: memory of a member, messages a second, times
#   history   rooms whose messages are kept in memory and in a file
#   search    /search beside nginx' proxy_pass      fetch   `squall fetch` beside curl and aiohttp
#   tls       https beside nginx
#
# It starts with Rust and a C compiler. Everything else comes from apt-get where this is a Debian and we are root, and
# from PyPI and npm into target/tools. Let the machine do nothing else meanwhile: what else it did stands in the tables.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

parts=(peers growth fairness) pictures='' needed=bench
case ${1:-} in
  -h | --help) usage && exit ;;
  chats) parts=(chats) needed=chats && shift ;;
  peers | growth | fairness | history | search | fetch | tls) parts=("$1") && shift ;;
  --pictures) parts=(peers growth) pictures=1 && shift ;;
  '' | --*) ;;
  *) echo "tests/bench/run.sh: there is no part '$1'; see --help" >&2 && exit 2 ;;
esac

tests/run.sh --prepare "$needed"
cargo build --locked --release
for part in "${parts[@]}"; do
  picture=()
  [[ ! $pictures ]] || picture=(--plot "tests/shots/$part.svg")
  python3 "tests/bench/$part.py" "${picture[@]}" "$@"
done

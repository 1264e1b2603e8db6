#!/usr/bin/env bash
# The table of HTTP/1.1 cases against nginx, node and tornado. Each of them must miss at least one MUST: a table that
# every server passes would say nothing.
#
#   tests/conformance/controls.sh [nginx|node|tornado]...
#
# Needs nginx, node, and a Python with tornado: $TOOLS/venv/bin/python, or whatever PYTHON names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=$PWD/tests/conformance/controls
PYTHON=${PYTHON:-${TOOLS:+$TOOLS/venv/bin/python}}
PYTHON=${PYTHON:-python3}

work=$(mktemp -d)
server=''
end_server() {
  [[ -z $server ]] || kill "$server" 2> /dev/null || true
  [[ -z $server ]] || wait "$server" 2> /dev/null || true
  server=''
}
trap 'end_server; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The files that the cases speak of; tests/conformance/main.rs makes the same.
mkdir -p "$work/www/static" "$work/tmp"
printf 0123456789abcdefghijklmnopqrstuvwxyz > "$work/www/static/file.txt"
touch -d @1700000000 "$work/www/static/file.txt"
printf secret > "$work/secret.txt"
printf 'Hello, World!' > "$work/www/plaintext"
printf '<!doctype html><p>Hello' > "$work/www/index.html"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start() {
  port=$(free_port)
  case $1 in
    nginx)
      sed "s|@PORT@|$port|; s|@FORM@|$work/form.sock|; s|@WORK@|$work|" "$here/nginx.conf" > "$work/nginx.conf"
      nginx -p "$work" -e "$work/nginx.log" -c "$work/nginx.conf" &
      ;;
    node) node "$here/node.mjs" "$port" &> "$work/node.log" & ;;
    tornado) "$PYTHON" "$here/tornado_site.py" "$port" "$work/www" &> "$work/tornado.log" & ;;
  esac
  server=$!
  for _ in {1..200}; do
    (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return
    kill -0 "$server" 2> /dev/null || break
    sleep 0.05
  done
  echo "$1 did not start:"
  cat "$work/$1.log"
  return 1
}

without() {
  case $1 in
    nginx) echo websocket,origin ;;
    node) echo files,websocket,origin ;;
    tornado) echo origin ;;
  esac
}

if (($# == 0)); then set -- nginx node tornado; fi
cargo test --locked --quiet --test conformance --no-run
failed=0
for name in "$@"; do
  start "$name"
  cargo test --locked --quiet --test conformance -- --target "127.0.0.1:$port" --name "$name" \
    --without "$(without "$name")" --control > "$work/result" || failed=1
  grep -E "^$name: " "$work/result" || { failed=1 && cat "$work/result"; }
  if [[ ${VERBOSE:-} ]]; then grep '^FAILED' "$work/result"; fi
  end_server
done
exit "$failed"

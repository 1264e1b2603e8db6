#!/usr/bin/env bash
# ApacheBench: many connections, old HTTP.
source "$(dirname "$0")/squall.sh"

requests=20000
[[ -z $FULL ]] || requests=200000

# bench WHAT ARGUMENT...: all requests answered, and none wrong.
bench() {
  local what=$1 report
  shift
  report=$(ab -q -n $requests -c 100 "$@" 2>&1) || { check "$what" "a report" "$report"; return; }
  value() { sed -n "s/^$1: *\([0-9.]*\).*/\1/p" <<< "$report"; }
  check "$what" "$requests answered, 0 failed, ${other:-} of another status" \
    "$(value 'Complete requests') answered, $(value 'Failed requests') failed, $(value 'Non-2xx responses') of another status"
  if [[ " $* " == *" -k "* ]]; then check "$what: connections kept" $requests "$(value 'Keep-Alive requests')"; fi
  printf '       %s requests a second\n' "$(value 'Requests per second')"
}

serve
for path in /plaintext / /static/squall.css; do
  other='' bench "$path" "$base$path"
  other='' bench "$path kept alive" -k "$base$path"
done
# A login answers 303, which ab counts as another status. The name belongs to the cookie of the first one.
printf 'username=alice' > "$scratch/form"
cookie=$(curl -si -d @"$scratch/form" "$base/login" | sed -n 's/^Set-Cookie: \([^;]*\).*/\1/p')
other=$requests bench "POST /login" -C "$cookie" -p "$scratch/form" -T application/x-www-form-urlencoded "$base/login"
other=$requests bench "POST /login kept alive" -C "$cookie" -k -p "$scratch/form" -T application/x-www-form-urlencoded "$base/login"
stop_server "$server"
verdict

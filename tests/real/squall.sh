# What the shell scripts in here share: servers that stop with the script, and checks that are counted.
# shellcheck shell=bash
set -euo pipefail

scratch=$(mktemp -d)
servers=()
checks=0
wrong=0

finish() {
  local status=$?
  # A second signal makes a server leave at once.
  for pid in "${servers[@]}"; do kill "$pid" && kill "$pid"; done 2> /dev/null || true
  wait
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 143' INT TERM

# serve [FLAG...]: starts a server on a port and with data of its own. Sets `base` (http://127.0.0.1:PORT, or https),
# `redirecting` (that of --redirect-http) and `server` (its pid).
serve() {
  local said
  said=$(mktemp -p "$scratch")
  "$BIN" --listen 127.0.0.1:0 --data-dir "$scratch/data-${#servers[@]}" --drain 5 "$@" > "$said" &
  server=$!
  servers+=("$server")
  for ((tries = 0; tries < 200; tries++)); do
    base=$(sed -n 's|^squall listening on \(https*://.*\)/$|\1|p' "$said")
    redirecting=$(sed -n 's|^squall redirecting \(http://.*\)/ to https$|\1|p' "$said")
    [[ -z $base || " $* " == *" --redirect-http "* && -z $redirecting ]] || return 0
    kill -0 "$server" 2> /dev/null || break
    sleep 0.05
  done
  echo "squall does not say where it listens"
  return 1
}

# stop_server PID: it leaves in good order, or the check is wrong.
stop_server() {
  local status=0
  kill "$1"
  wait "$1" || status=$?
  check "the server stops with exit code" 0 "$status"
  for n in "${!servers[@]}"; do [[ ${servers[n]} != "$1" ]] || unset "servers[n]"; done
}

# check WHAT WANTED GOT: WANTED is a pattern of bash.
check() {
  checks=$((checks + 1))
  # shellcheck disable=SC2053
  if [[ $3 == $2 ]]; then
    printf 'ok     %s\n' "$1"
  else
    wrong=$((wrong + 1))
    printf 'WRONG  %s\n       wanted %s\n       got    %s\n' "$1" "$2" "$3"
  fi
}

# verdict: the last line of a script.
verdict() {
  printf '%d checks, %d wrong\n' "$checks" "$wrong"
  ((wrong == 0))
}

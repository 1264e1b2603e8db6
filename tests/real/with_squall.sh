#!/usr/bin/env bash
# with_squall.sh COMMAND...: runs a command beside a fresh server, which it finds by BASE, and whose cookie secret it
# finds by SECRET_FILE.
source "$(dirname "$0")/squall.sh"

# A line end that an editor would leave: it is no part of the secret.
printf 'a secret that two servers share: %s\n' "$RANDOM$RANDOM$RANDOM" > "$scratch/secret"
serve --cookie-secret-file "$scratch/secret"
BASE=$base SECRET_FILE=$scratch/secret "$@"
stop_server "$server"
verdict

#!/usr/bin/env bash
# https as curl and openssl speak it: programs whose TLS is not ours.
source "$(dirname "$0")/squall.sh"

# certify NAME KIND...: NAME.pem, a certificate that has signed itself, and NAME.key. KIND is what follows -newkey.
certify() {
  local name=$scratch/$1
  shift
  openssl req -x509 -newkey "$@" -nodes -days 2 -subj '/CN=squall test' -keyout "$name.key" -out "$name.pem" \
    -addext 'subjectAltName=DNS:localhost,DNS:squall.test,IP:127.0.0.1' 2> "$scratch/openssl" || cat "$scratch/openssl"
}

# ask ARGUMENT...: quietly, without anybody's .curlrc, and never for ever; this certificate alone is trusted.
ask() { curl -q -s --max-time 20 --cacert "$scratch/cert.pem" "$@"; }
# status ARGUMENT...: only the status. show FORMAT ARGUMENT...: only what -w says. code ARGUMENT...: only curl's exit code.
show() { ask -o /dev/null -w "$@"; }
status() { show '%{http_code}' "$@"; }
code() { local it=0; ask -o /dev/null "$@" || it=$?; echo "$it"; }

# talk ARGUMENT...: s_client asks for /plaintext and stays until the server closes.
request='GET /plaintext HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
talk() {
  # shellcheck disable=SC2059
  printf "$request" | timeout 20 openssl s_client -connect "${base#https://}" -CAfile "$scratch/cert.pem" \
    -verify_return_error -ign_eof "$@" 2>&1 || echo "exit code $?"
}

complaints=$scratch/complaints
certify cert ec -pkeyopt ec_paramgen_curve:P-256
certify stranger ec -pkeyopt ec_paramgen_curve:P-256
serve --tls-cert "$scratch/cert.pem" --tls-key "$scratch/cert.key" --redirect-http 127.0.0.1:0 2> "$complaints"
plain=$redirecting port=${base##*:}
css=$base/static/squall.css

# ---- Versions and protocols

check "a page over https, its certificate verified" "Hello, World! 200 0" \
  "$(ask -w ' %{http_code} %{ssl_verify_result}' "$base/plaintext")"
check "--http1.1" "200 1.1" "$(show '%{http_code} %{http_version}' --http1.1 "$base/")"
check "who would rather speak HTTP/2 speaks 1.1" "200 1.1" "$(show '%{http_code} %{http_version}' --http2 "$base/")"
check "TLS 1.2" "*SSL connection using TLSv1.2*Hello, World!*" "$(ask -v --tlsv1.2 --tls-max 1.2 "$base/plaintext" 2>&1)"
check "TLS 1.3" "*SSL connection using TLSv1.3*Hello, World!*" "$(ask -v --tlsv1.3 "$base/plaintext" 2>&1)"
check "nothing older" 35 "$(code --tlsv1.0 --tls-max 1.1 --ciphers 'DEFAULT@SECLEVEL=0' "$base/")"
check "who does not trust it goes away" 60 "$(code --cacert "$scratch/stranger.pem" "$base/")"
check "a name that it is not for" 60 "$(code --resolve "other.test:$port:127.0.0.1" "https://other.test:$port/")"
check "plain http on this port gets nothing" "@(1|52|56)" "$(code "http://${base#https://}/")"

# ---- Answers

check "a connection is used again" "1 0 0 " "$(show '%{num_connects} ' "$base/plaintext" -o /dev/null "$base/" -o /dev/null "$css")"
# An end without close_notify would be exit code 56.
check "HTTP/1.0 is answered and closed in good order" 0 "$(code --http1.0 "$base/sleep?seconds=0.1" -o /dev/null "$css")"
check "HEAD has the length and no body" "*200 OK*Content-Length: 13*0" "$(ask -I -w '%{size_download}' "$base/plaintext")"
check "nobody is forced to come back over https" "" "$(ask -i "$base/" "$plain/" | grep -i strict-transport || true)"
{ printf 'username=ann&pad=' && head -c $(((1 << 20) - 17)) /dev/zero | tr '\0' x; } > "$scratch/form"
check "1 MiB is taken" 303 "$(status -H 'Expect:' --data-binary "@$scratch/form" "$base/login")"
check "a login's cookie is for https only" "*[Ss]et-[Cc]ookie: username=*; Secure*" "$(ask -i -d username=ann "$base/login")"
check "a login from a page of ours" 303 "$(status -H "Origin: $base" -d username=bob "$base/login")"
check "a login from another site's page is refused" 403 "$(status -H 'Origin: https://evil.example' -d username=bob "$base/login")"
check "many at once" "$(printf '200 %.0s' {1..40})" \
  "$(show '%{http_code} ' --no-progress-meter -Z --parallel-max 40 $(printf -- "-o /dev/null $css %.0s" {1..40}))"

# ---- From the plain port

names=(--resolve "squall.test:$port:127.0.0.1" --resolve "squall.test:${plain##*:}:127.0.0.1")
from=http://squall.test:${plain##*:} to=https://squall.test:$port
check "it leads to https" "308 $to/a/b?c=d" "$(show '%{http_code} %{redirect_url}' "${names[@]}" "$from/a/b?c=d")"
check "and curl follows" "Hello, World! 200 1 $to/plaintext" \
  "$(ask -L -w ' %{http_code} %{num_redirects} %{url_effective}' "${names[@]}" "$from/plaintext")"
check "a form goes there whole" "303 1 $to/chat/" \
  "$(show '%{http_code} %{num_redirects} %{redirect_url}' "${names[@]}" -L --max-redirs 1 -d username=carl "$from/login")"
check "and on into the chat" "*data-user=\"carla\"*200 2" \
  "$(ask -w '%{http_code} %{num_redirects}' "${names[@]}" -c "$scratch/jar" -L -d username=carla "$from/login")"
check "there is nothing else" "308 308 308 " \
  "$(show '%{http_code} ' "$plain/chat/" -o /dev/null "$plain/healthz" -o /dev/null "$plain/static/squall.css")"
check "without a host it leads nowhere" 400 "$(status --http1.0 -H 'Host:' "$plain/")"

# ---- openssl s_client

check "s_client, TLS 1.3" "*Verify return code: 0 (ok)*Hello, World!*" "$(talk -tls1_3 -servername localhost)"
check "s_client, TLS 1.2" "*Verify return code: 0 (ok)*Hello, World!*" "$(talk -tls1_2)"
check "it agrees on http/1.1" "*ALPN protocol: http/1.1*Hello, World!*" "$(talk -alpn h2,http/1.1)"
check "and on nothing else" "*no application protocol*exit code 1" "$(talk -alpn h2)"
for version in tls1_2 tls1_3; do
  talk -$version -sess_out "$scratch/session" > /dev/null
  check "a session is resumed ($version)" "*Reused, TLS*Hello, World!*" "$(talk -$version -sess_in "$scratch/session")"
done
check "who leaves in the handshake hurts nobody" "Hello, World!" "$(
  for n in {1..20}; do printf '\x16\x03\x01' > "/dev/tcp/127.0.0.1/$port"; done
  ask "$base/plaintext"
)"

# ---- Certificates

shown() { talk | openssl x509 -noout -fingerprint; }
before=$(shown)
cp "$scratch/cert.pem" "$scratch/whole.pem"
echo broken > "$scratch/cert.pem"
kill -HUP "$server"
for ((tries = 0; tries < 100; tries++)); do
  ! grep -q 'stays as it was' "$complaints" || break
  sleep 0.05
done
cp "$scratch/whole.pem" "$scratch/cert.pem"
check "a broken file is named" "*ERROR*stays as it was*$scratch/cert.pem*" "$(< "$complaints")"
check "and changes nothing" "$before" "$(shown)"
certify cert rsa:2048
kill -HUP "$server"
for ((tries = 0; tries < 100; tries++)); do
  [[ $(ask "$base/plaintext" || true) != 'Hello, World!' ]] || break
  sleep 0.05
done
check "a new certificate, of RSA this time, without a restart" "Hello, World!" "$(ask "$base/plaintext")"
check "s_client sees it" "*Verify return code: 0 (ok)*Hello, World!*" "$(talk -tls1_2)"
[[ $(shown) != "$before" ]] || check "its fingerprint is another" "another" "$before"
stop_server "$server"
verdict

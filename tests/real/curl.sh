#!/usr/bin/env bash
# curl against one server: the protocol as a program speaks it that is not ours.
source "$(dirname "$0")/squall.sh"

# ask ARGUMENT...: quietly, without anybody's .curlrc, and never for ever.
ask() { curl -q -s --max-time 20 "$@"; }
# status ARGUMENT...: only the status. show FORMAT ARGUMENT...: only what -w says.
show() { ask -o /dev/null -w "$@"; }
status() { show '%{http_code}' "$@"; }

serve
css=$base/static/squall.css

# ---- Connections

check "a connection is used again" "1 0 0 " "$(show '%{num_connects} ' "$base/plaintext" -o /dev/null "$base/" -o /dev/null "$css")"
check "HTTP/1.0 is answered and closed" "200 1 200 1 " \
  "$(show '%{http_code} %{num_connects} ' --http1.0 "$base/plaintext" -o /dev/null "$base/plaintext")"
check "HTTP/1.0 with Keep-Alive is kept" "1 0 " \
  "$(show '%{num_connects} ' --http1.0 -H 'Connection: Keep-Alive' "$base/plaintext" -o /dev/null "$base/plaintext")"
check "and told so" "*[Cc]onnection: [Kk]eep-[Aa]live*" "$(ask -i --http1.0 -H 'Connection: Keep-Alive' "$base/plaintext")"

# ---- Answers

check "plaintext is 13 bytes of text/plain" "Hello, World! 200 text/plain 13" \
  "$(ask -w ' %{http_code} %{content_type} %{size_download}' "$base/plaintext")"
check "HEAD has the length and no body" "*200 OK*Content-Length: 13*0" "$(ask -I -w '%{size_download}' "$base/plaintext")"
check "every answer has a Date and a Server" "*Server: squall*Date: *GMT*" "$(ask -I "$base/" | sort -r)"
check "nothing is compressed that was not said to be" "200 " \
  "$(ask --compressed -D "$scratch/head" -o /dev/null -w '%{http_code} ' "$css" && sed -n '/^content-encoding/Ip' "$scratch/head")"
bytes=$(ask "$css" | wc -c)
check "a range is ignored, not half served" "200 $bytes" "$(show '%{http_code} %{size_download}' -r 0-3 "$css")"
ask --etag-save "$scratch/etag" -o /dev/null "$css"
check "what has not changed is not sent again" "304 0" "$(show '%{http_code} %{size_download}' --etag-compare "$scratch/etag" "$css")"
check "an unknown page" 404 "$(status "$base/nothing")"
check "a wrong method" "*405 *Allow: GET, HEAD, OPTIONS*" "$(ask -i -X POST "$base/plaintext")"
check "an unknown method" 501 "$(status -X BREW "$base/")"
check "OPTIONS *" "20[04]" "$(status -X OPTIONS --request-target '*' "$base")"
check "/chat leads to /chat/" "308 $base/chat/" "$(show '%{http_code} %{redirect_url}' "$base/chat")"
check "/sleep takes its time" "200 0.3*" "$(show '%{http_code} %{time_total}' "$base/sleep?seconds=0.3")"
check "Chinese where it is wanted" "*lang=\"zh-Hans\"*" "$(ask -H 'Accept-Language: zh-CN' "$base/")"

# ---- Bodies

field='username=alice&pad='
full=$((1 << 20))
body() { printf '%s%s' "$field" "$(head -c $(($1 - ${#field})) /dev/zero | tr '\0' x)"; }
body $full > "$scratch/full"
body $((full + 1)) > "$scratch/over"
patient=(-H 'Expect: 100-continue' --expect100-timeout 15)
post=(ask -b "$scratch/alice" -c "$scratch/alice" -o /dev/null -w '%{http_code}' "$base/login")
check "a chunked form" 303 "$("${post[@]}" -H 'Transfer-Encoding: chunked' --data-binary "${field%&*}")"
check "1 MiB, sent when the server says so" "*< HTTP/1.1 100 Continue*< HTTP/1.1 303 *" \
  "$("${post[@]}" -v "${patient[@]}" --data-binary "@$scratch/full" 2>&1)"
check "one byte more is refused before it is sent" "413 0" \
  "$("${post[@]}" -w '%{http_code} %{size_upload}' "${patient[@]}" --data-binary "@$scratch/over")"
check "1 MiB, sent without asking" 303 "$("${post[@]}" -H 'Expect:' --data-binary "@$scratch/full")"
check "one byte more, sent without asking" 413 "$("${post[@]}" -H 'Expect:' --data-binary "@$scratch/over")"
check "one byte more in chunks" 413 \
  "$("${post[@]}" -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary "@$scratch/over")"

# ---- Logging in and out

jar=(-b "$scratch/jar" -c "$scratch/jar")
check "without a login the chat sends to it" "303 $base/login?next=/chat/" \
  "$(show '%{http_code} %{redirect_url}' "${jar[@]}" "$base/chat/")"
check "a login leads to the chat" "303 $base/chat/" \
  "$(show '%{http_code} %{redirect_url}' "${jar[@]}" --data-urlencode 'username=张三' "$base/login")"
check "the cookie opens it" "*data-user=\"张三\"*200" "$(ask -w '%{http_code}' "${jar[@]}" "$base/chat/")"
check "a login from another site's page is refused" 403 "$(status -H 'Origin: http://evil.example' -d username=bob "$base/login")"
check "a name with a colon is refused" 400 "$(status -d username=a:b "$base/login")"
check "next stays on the site" "303 $base/chat/" \
  "$(show '%{http_code} %{redirect_url}' -d username=bob -d next=//evil.example/ "$base/login")"
check "a logout" "303 $base/" "$(show '%{http_code} %{redirect_url}' "${jar[@]}" -X POST "$base/logout")"
check "takes the cookie away" 303 "$(status "${jar[@]}" "$base/chat/")"

# ---- Paths that look for a way out

mkdir -p "$scratch/www/static" "$scratch/www/pages"
echo secret > "$scratch/www/secret"
echo overlaid > "$scratch/www/static/mine.txt"
main=$server plain=$base
serve --www "$scratch/www"
overlaid=$server
check "a file of --www" "overlaid" "$(ask "$base/static/mine.txt")"
for site in "$plain" "$base"; do
  for path in /static/../secret /static/..%2fsecret /static/%2e%2e/secret '/static/..\secret' /static//../secret \
    /static/../../../../../../etc/passwd /static/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd /static/%00 /static/ /../secret \
    /static/../pages/base.html /static//etc/passwd; do
    check "${path@Q} is no file" "40[04]" "$(status --path-as-is "$site$path")"
  done
done

# ---- squall fetch: two sites at once, in the order in which they answer

slow=$plain/sleep?seconds=0.5 quick=${base#http://}
"$BIN" fetch "$slow" "$quick" > "$scratch/results" 2> "$scratch/progress"
check "all start at once, and the end says what that has saved" "Start fetching $slow
Start fetching $quick
2 targets in * s; their times add up to * s: doing them at once saved up to * s" "$(< "$scratch/progress")"
check "the quick one is done first" "$quick: *HTTP/1.1 200 OK*$slow: *HTTP/1.1 200 OK*Content-Type: text/html*" "$(< "$scratch/results")"
stop_server "$overlaid"
outcome=0
"$BIN" fetch "$quick" "$plain/plaintext" > "$scratch/results" 2> "$scratch/progress" || outcome=$?
check "one that is not there is a failure" 1 "$outcome"
check "with its reason" "*$quick: failed after *refused*" "$(< "$scratch/progress")"
check "that does not hold up the other" "$plain/plaintext: *HTTP/1.1 200 OK*" "$(< "$scratch/results")"
seq -f "$plain/plaintext?n=%.0f" 10000 | "$BIN" fetch - > "$scratch/results" 2> "$scratch/progress"
check "ten thousand URLs are one command" 10000 "$(grep -c '^HTTP/1.1 200 OK$' "$scratch/results")"
check "and no line each" "10000 targets in * s; their times add up to * s: doing them at once saved up to * s" "$(< "$scratch/progress")"
"$BIN" fetch --output "$scratch/bodies" "$plain/plaintext" "$plain/static/echo.js" > "$scratch/results"
check "bodies are files of their own" "$(curl -s "$plain/static/echo.js")" "$(cat "$scratch"/bodies/*echo.js)"
outcome=0
"$BIN" fetch --fail --json "$plain/nowhere" > "$scratch/results" 2> "$scratch/progress" || outcome=$?
check "with --fail a 404 is a failure" '1 *"status":404*' "$outcome $(< "$scratch/results")"
stop_server "$main"
verdict

# As a daemon: metrics, landing page, filters, gzip, and an end on SIGTERM.
. "$E2E/lib.sh"

port=$(free_port)
start node promnode --web.listen-address=127.0.0.1:"$port" --web.max-requests=5
url=http://127.0.0.1:$port
wait_for "the port" 5 curl -fs "$url/"

page=$(curl -fsS "$url/metrics")
expect_has "metrics" "$page" '^node_cpu_seconds_total\{cpu="0",mode="idle"\} '
expect_has "own metrics" "$page" '^promhttp_metric_handler_requests_total\{code="200"\} 0$'
expect_has "success" "$page" '^node_scrape_collector_success\{collector="filesystem"\} 1$'
expect_eq "second scrape is counted" "$(curl -fsS "$url/metrics" | grep '^promhttp_metric_handler_requests_total{code="200"}')" 'promhttp_metric_handler_requests_total{code="200"} 1'

headers=$(curl -fsSI "$url/metrics" | tr -d '\r')
expect_has "content type" "$headers" '^Content-Type: text/plain; version=0.0.4; charset=utf-8$'
[ "$(grep -i '^content-length' <<<"$headers" | tr -dc 0-9)" -gt 5000 ] || fail "HEAD has the length of the page"

curl -fsS -H 'Accept-Encoding: gzip' "$url/metrics" >page.gz
gzip -t page.gz || fail "not gzip"
expect_has "gzip" "$(gzip -dc page.gz)" '^node_load1 '

one=$(curl -fsSg "$url/metrics?collect[]=loadavg&collect[]=uname")
expect_has "collect[]" "$one" '^node_load1 '
if grep -q '^node_cpu' <<<"$one"; then fail "collect[] filters nothing"; fi
expect_has "collect[] keeps own metrics" "$one" '^process_open_fds '
without=$(curl -fsSg "$url/metrics?exclude[]=cpu")
if grep -q '^node_cpu' <<<"$without"; then fail "exclude[] filters nothing"; fi

# status TEXT ARGS...: status code and body
status() { curl -sSg -o body -w '%{http_code}' "$@"; }
expect_eq "unknown collector" "$(status "$url/metrics?collect[]=bogus")" 400
expect_eq "its text" "$(cat body)" "Couldn't create filtered metrics handler: couldn't create collector: missing collector: bogus"
expect_eq "both filters" "$(status "$url/metrics?collect[]=cpu&exclude[]=stat")" 400
expect_eq "landing page" "$(status "$url/")" 200
expect_has "link" "$(cat body)" '<a href="/metrics">'
expect_eq "unknown path" "$(status "$url/x")" 404
expect_eq "POST" "$(status -X POST -d x "$url/metrics")" 405

# A filled connection table and a malformed request harm nobody.
python3 - "$port" <<'PY'
import socket, sys
port = int(sys.argv[1])
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
s = socket.create_connection(("127.0.0.1", port))
s.sendall(b"\x00\xff\r\n\r\n")
assert s.recv(100).startswith(b"HTTP/1.1 400 "), "malformed request"
s = socket.create_connection(("127.0.0.1", port))
s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 1\r\n\r\n")
assert s.recv(100).startswith(b"HTTP/1.1 200 "), "scrape among idle connections"
PY

expect_code "port in use" 1 promnode --web.listen-address=127.0.0.1:"$port"
expect_has "port in use" "$err" 'listen .*Address already in use'
expect_code "bad address" 2 promnode --web.listen-address=nonsense

pid=$(cat node.pid)
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
expect_eq "exit code after SIGTERM" "$code" 0

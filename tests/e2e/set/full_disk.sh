# The set on a disk that fills up: scrapes are refused and said so, queries go on, a store can be stopped and
# started there; once there is room, samples come again within 5 s without a restart, and what was acknowledged
# is there after kill -9. (tests/e2e/promstore/full_disk.sh is about the store alone.)
. "$E2E/lib.sh"
command -v promscrape >/dev/null && command -v promql >/dev/null || skip "not all programs are there"
if [ "${IN_NAMESPACE:-}" != 1 ]; then
  unshare -rm true 2>/dev/null || skip "no mount namespaces here"
  IN_NAMESPACE=1 exec unshare -rm bash -eu -o pipefail "$0" || exit 1
fi
mkdir D
mount -t tmpfs -o size=8m tmpfs D || skip "no tmpfs here"
fill() { dd if=/dev/zero of=D/filler bs=64k oflag=append conv=notrunc status=none 2>/dev/null || true; dd if=/dev/zero of=D/filler bs=1k oflag=append conv=notrunc status=none 2>/dev/null || true; }

port=$(free_port)
start target python3 -c '
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"".join(b"v{n=\"%d\"} %d\n" % (n, n) for n in range(500)))
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", '"$port"'), H).serve_forever()'
cat >prometheus.yml <<YML
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
  - job_name: t
    static_configs: [{targets: ["127.0.0.1:$port"]}]
YML
start serve promstore serve -d D
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
start scrape promscrape --config.file prometheus.yml --store D
age() { promql -d D -o tsv 'time() - max(timestamp(v))' | tail -n 1 | awk '{print $NF}'; }
fresh() { awk -v a="$(age)" 'BEGIN { exit !(a != "" && a < 1) }'; }
stale() { awk -v a="$(age)" 'BEGIN { exit !(a > 2) }'; }
wait_for "samples" 10 fresh
fill
# What was allocated ahead is used up first.
for _ in $(seq 20); do fill; sleep 0.1; done
wait_for "scrapes to be refused" 30 stale
expect_has "the reason" "$(cat serve.log scrape.log)" '[Nn]o space'
kill -0 "$(cat serve.pid)" && kill -0 "$(cat scrape.pid)" || fail "a program has ended"
expect_eq "queries go on" "$(promql -d D -o tsv 'count(last_over_time(v[1h]))' | tail -n 1 | awk '{print $NF}')" 500
expect_code "verify" 0 promstore verify -d D

# A store that is started on a full disk either serves or says why not.
kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
before=$(promstore dump -d D 'v' | sort | md5sum)
start serve promstore serve -d D
sleep 1
if ! kill -0 "$(cat serve.pid)" 2>/dev/null; then
  expect_has "the reason of a start that failed" "$(cat serve.log)" '[Nn]o space'
  rm D/filler
  start serve promstore serve -d D
else
  rm D/filler
fi
wait_for "samples within 5 s after there is room" 5 fresh
# What was there is there.
newest=$(promstore dump -d D 'v{n="1"}' | awk '{print $NF}' | tail -n 1)
kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
kill "$(cat scrape.pid)"; wait "$(cat scrape.pid)" || true
expect_has "the newest sample before the kill" "$(promstore dump -d D 'v{n="1"}' | awk '{print $NF}')" "^$newest\$"
torn=$(promstore dump -d D 'v' | awk '{n[$NF]++} END {for (t in n) if (n[t] != 500) print t, n[t]}')
expect_eq "torn scrapes" "$torn" ""
expect_code "verify after all" 0 promstore verify -d D

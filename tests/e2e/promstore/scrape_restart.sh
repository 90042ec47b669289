# promscrape sends to the store; while the store is away it keeps batches on disk and delivers them when it is back.
. "$E2E/lib.sh"
command -v promscrape >/dev/null || skip "no promscrape"
port=$(free_port)
start target python3 -c '
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"# TYPE up_to counter\nup_to{a=\"1\"} 1\nup_to{a=\"2\"} 2\n")
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", '"$port"'), H).serve_forever()'
cat >prometheus.yml <<YML
global: {scrape_interval: 100ms, scrape_timeout: 100ms}
scrape_configs:
  - job_name: t
    static_configs: [{targets: ["127.0.0.1:$port"]}]
YML
count() { promstore dump -d D 'up_to{a="1"}' 2>/dev/null | grep -vc '^#'; }
more_than() { [ "$(count)" -gt "$1" ]; }
start serve promstore serve -d D
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
start scrape promscrape --config.file prometheus.yml --store D
wait_for "samples" 10 more_than 5
kill -TERM "$(cat serve.pid)"; wait "$(cat serve.pid)" || fail "the store did not stop well"
before=$(count)
spooled() { ls D/spool/promscrape-* && [ "$(cat D/spool/promscrape-* | wc -c)" -gt 500 ]; }
wait_for "the spool" 5 spooled
sleep 1
start again promstore serve -d D
wait_for "delivery" 10 more_than $((before + 12))
wait_for "an empty spool" 5 bash -c '! ls D/spool/promscrape-*'
kill -TERM "$(cat scrape.pid)"; wait "$(cat scrape.pid)" || fail "promscrape did not stop well"
# No gap: scrapes come every 100 ms; a busy machine may be late, the store being away must not show.
gap=$(promstore dump -d D 'up_to{a="1"}' | awk '!/^#/ { if (t && $3 - t > max) max = $3 - t; t = $3 } END { print max }')
[ "$gap" -lt 900 ] || fail "a gap of $gap ms: what was scraped while the store was away is missing"
expect_eq "lost batches" "$(grep '^promscrape_batches_lost_total' D/run/promscrape.prom)" "promscrape_batches_lost_total 0"

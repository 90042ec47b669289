# --url: the same answers from a server, and clear errors from what is none.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
END=2026-01-01T00:10:00Z
printf '# HELP up Whether it is up.\n# TYPE up gauge\n' | promstore append -d "$DATA"
port=$(free_port)
url=http://127.0.0.1:$port
start promql promql serve -d "$DATA" --web.listen-address=127.0.0.1:"$port"
wait_for "the port" 5 curl -fs "$url/-/ready"

# same WHAT ARGS...: the server and the data directory answer alike
same() {
  local what=$1
  shift
  expect_eq "$what" "$(promql "$@" --url "$url" 2>&1)" "$(promql "$@" -d "$DATA" 2>&1)"
}
for form in table json jsonl csv tsv prom; do
  same "instant as $form" -t "$END" -o "$form" up
  same "range as $form" --start "$T0" --end "$END" --step 15 -o "$form" '{__name__=~".+"}'
done
same "a graph" --start "$T0" --end "$END" -o graph requests_total
for q in '1+1' '"text"' 'requests_total[2m]' 'absent(none)' 'none'; do same "$q" -t "$END" -o json "$q"; done
same "labels" labels
same "labels of some" labels -o json odd
same "values" values instance '{job="node"}'
same "series" series up odd
same "metrics" metrics
same "metrics as json" metrics -o json up
same "a longer lookback" -t 2026-01-01T00:14:00Z --lookback-delta 10m up
expect_eq "host and port are enough" "$(promql values job --url "127.0.0.1:$port/")" node
expect_code "check with the types of a server" 3 promql check --url "$url" 'increase(up[5m])'
expect_has "check with the types of a server" "$out" 'up is a gauge$'
expect_code "stats of a server" 0 promql --url "$url" -t "$END" --stats up
expect_has "stats of a server" "$err" 'read [1-9][0-9]* samples'

expect_code "bad expression" 2 promql --url "$url" 'up{'
expect_has "bad expression" "$err" '1:4: parse error: unexpected end of input inside braces'
expect_code "nobody there" 1 promql --url 127.0.0.1:1 up
expect_has "nobody there" "$err" '^promql: http://127\.0\.0\.1:1/api/v1/query: Failed to connect'
expect_code "not the API" 1 promql --url "$url/none" up
expect_has "not the API" "$err" 'HTTP status 404 \(is this the base URL of a Prometheus server\?\)$'
expect_code "a bad URL" 2 promql --url ftp://x up
expect_code "explain has no server" 2 promql explain --analyze --url "$url" up
expect_code "both" 2 promql -d "$DATA" --url "$url" up
expect_has "both" "$err" '^promql: --data does not go with --url'

# Servers that answer badly, slowly, or want to know who asks.
cat >server.py <<'P'
import base64, http.server, socketserver, sys, time
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
        path, status, kind, text = self.path, 200, 'application/json', '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}'
        if path.startswith('/html'): kind, text = 'text/html', '<html>hello</html>'
        elif path.startswith('/broken'): text = '{"status":"success","data":{'
        elif path.startswith('/slow'): time.sleep(30)
        elif path.startswith('/escape'): kind, status, text = 'text/plain', 500, '\x1b]0;owned\x07'
        elif path.startswith('/basic') and self.headers.get('Authorization') != 'Basic ' + base64.b64encode(b'u:p').decode(): status, text = 401, 'no'
        elif path.startswith('/bearer') and self.headers.get('Authorization') != 'Bearer tok': status, text = 401, 'no'
        self.send_response(status); self.send_header('Content-Type', kind); self.end_headers(); self.wfile.write(text.encode())
    def log_message(self, *a): pass
class S(socketserver.ThreadingMixIn, http.server.HTTPServer): daemon_threads = True
S(('127.0.0.1', int(sys.argv[1])), H).serve_forever()
P
odd=$(free_port)
start odd python3 server.py "$odd"
wait_for "the odd server" 5 promql --url "127.0.0.1:$odd" 1
expect_code "HTML" 1 promql --url "127.0.0.1:$odd/html" 1
expect_has "HTML" "$err" 'the answer is no JSON but text/html'
expect_code "cut JSON" 1 promql --url "127.0.0.1:$odd/broken" 1
expect_has "cut JSON" "$err" "^promql: http://127.0.0.1:$odd/broken: the answer is no JSON: "
expect_code "escapes in an error" 1 promql --url "127.0.0.1:$odd/escape" 1
expect_has "escapes in an error" "$err" 'HTTP status 500: \\x1b\]0;owned\\x07$'
expect_code "nobody asked" 1 promql --url "127.0.0.1:$odd/basic" 1
expect_has "nobody asked" "$err" 'HTTP status 401 \(see --http.config.file\)$'
expect_code "credentials in the URL" 0 promql --url "http://u:p@127.0.0.1:$odd/basic" 1
expect_code "the password is not shown" 1 promql --url "http://u:secret@127.0.0.1:$odd/basic" 1
case $err in *secret*) fail "the password is shown: $err" ;; esac
printf 'basic_auth:\n  username: u\n  password_file: pw\n' >basic.yml
printf 'p\n' >pw
expect_code "basic" 0 promql --url "127.0.0.1:$odd/basic" --http.config.file basic.yml 1
printf 'authorization:\n  credentials: tok\n' >bearer.yml
expect_code "bearer" 0 promql --url "127.0.0.1:$odd/bearer" --http.config.file bearer.yml 1
printf 'basic_auth: 3\n' >bad.yml
expect_code "a bad file" 2 promql --url "127.0.0.1:$odd" --http.config.file bad.yml 1
expect_has "a bad file" "$err" 'bad\.yml:1'
# The server gets --timeout and five seconds more.
from=$SECONDS
expect_code "too slow" 1 promql --url "127.0.0.1:$odd/slow" --timeout 1s 1
[ $((SECONDS - from)) -le 15 ] || fail "waited $((SECONDS - from)) s"
expect_has "too slow" "$err" 'context deadline exceeded'

# One-shot queries on a directory do not pay for libcurl.
libraries=$(ldd "$BIN/promql")
case $libraries in *libcurl*|*libedit*) fail "loaded at every start: $libraries" ;; esac

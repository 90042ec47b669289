# The HTTP API of a data directory that comes into being while it runs.
. "$E2E/lib.sh"; E2E_LIB=1
port=$(free_port)
url=http://127.0.0.1:$port
# A shell has its background programs ignore SIGINT, as a terminal has not.
start promql env --default-signal=INT promql serve -d "$PWD/data" --web.listen-address=127.0.0.1:"$port" --web.enable-lifecycle
wait_for "the port" 5 curl -fs "$url/-/healthy"

# status ARGS...: status code; answer in body
status() { curl -sSg -o body -w '%{http_code}' "$@"; }
expect_eq "healthy" "$(status "$url/-/healthy")" 200
expect_eq "not ready before there is a store" "$(status "$url/-/ready")" 503
expect_has "what to do" "$(cat body)" "no data directory at $PWD/data \(promstore append -d $PWD/data makes one\)"
expect_eq "queries before there is a store" "$(status "$url/api/v1/query?query=up")" 503

. "$CASE/data.sh"
wait_for "readiness" 5 curl -fs "$url/-/ready"

want='{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"a:9100","job":"node"},"value":[1767226200,"1"]},{"metric":{"__name__":"up","instance":"café:9100","job":"node"},"value":[1767226200,"0"]}]}}'
expect_eq "GET" "$(curl -fsS -G "$url/api/v1/query" --data-urlencode query=up -d time=1767226200)" "$want"
expect_eq "POST" "$(curl -fsS "$url/api/v1/query" --data-urlencode query=up -d time=2026-01-01T00:10:00Z)" "$want"
expect_eq "the CLI's json is the data" "{\"status\":\"success\",\"data\":$(promql -d "$DATA" -t 1767226200 -o json up)}" "$want"
for q in 'sum(up)' '1+1' '"text"' 'requests_total[2m]' 'odd'; do
  expect_eq "the CLI's json: $q" "{\"status\":\"success\",\"data\":$(promql -d "$DATA" -t 1767226200 -o json "$q")}" \
    "$(curl -fsS "$url/api/v1/query" --data-urlencode query="$q" -d time=1767226200)"
done
expect_eq "range" "$(curl -fsS "$url/api/v1/query_range" --data-urlencode 'query=sum(requests_total)' -d start=1767225600 -d end=1767226200 -d step=5m)" \
  '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1767225600,"0"],[1767225900,"600"],[1767226200,"1200"]]}]}}'
expect_eq "labels" "$(curl -fsS "$url/api/v1/labels")" '{"status":"success","data":["__name__","instance","job","path"]}'
expect_eq "values" "$(curl -fsS "$url/api/v1/label/job/values")" '{"status":"success","data":["node"]}'
expect_eq "series" "$(curl -fsSg "$url/api/v1/series?match[]=requests_total")" '{"status":"success","data":[{"__name__":"requests_total","instance":"a:9100","job":"node"}]}'
expect_eq "bad expression" "$(status "$url/api/v1/query?query=up{")" 400
expect_eq "its text" "$(cat body)" '{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"}'
expect_eq "execution" "$(status -G "$url/api/v1/query" --data-urlencode 'query=up + on(job) up' -d time=1767226200)" 422
expect_eq "unknown path" "$(status "$url/api/v1/none")" 404
expect_eq "wrong method" "$(status -X DELETE "$url/api/v1/query?query=1")" 405

curl -fsS -H 'Accept-Encoding: gzip' -o body.gz -D headers "$url/api/v1/query_range" --data-urlencode 'query=up' -d start=1767225600 -d end=1767226200 -d step=15
expect_has "gzip" "$(tr -d '\r' <headers)" '^[Cc]ontent-[Ee]ncoding: gzip$'
expect_has "JSON" "$(tr -d '\r' <headers)" '^[Cc]ontent-[Tt]ype: application/json$'
gzip -dc body.gz | python3 -c 'import json,sys; r=json.load(sys.stdin)["data"]["result"]; assert [len(s["values"]) for s in r] == [41, 41], r'

page=$(curl -fsS "$url/metrics")
expect_has "own metrics" "$page" '^prometheus_http_requests_total\{code="200",handler="/api/v1/query"\} [1-9]'
expect_has "ready" "$page" '^prometheus_ready 1$'
expect_has "process" "$page" '^process_resident_memory_bytes [1-9]'

expect_eq "reload by GET" "$(status "$url/-/reload")" 405
expect_eq "nobody reads a configuration" "$(status -X POST "$url/-/reload")" 500
expect_code "the port is taken" 1 timeout 5 promql serve -d "$DATA" --web.listen-address=127.0.0.1:"$port" --run-dir "$PWD/run2"
expect_has "the port is taken" "$err" 'Address already in use'

# ends WHAT PID: it ends within 2 s, with exit code 0
ends() {
  local code=0 from=$SECONDS
  wait "$2" || code=$?
  expect_eq "$1: exit code" "$code" 0
  [ $((SECONDS - from)) -le 2 ] || fail "$1: took more than 2 s"
}
sleep 30 | curl -sS --max-time 30 -T - "$url/-/healthy" >/dev/null 2>&1 &  # a client that is slow must not hold it
slow=$!
kill -INT "$(cat promql.pid)"
ends "Ctrl-C" "$(cat promql.pid)"
kill "$slow" 2>/dev/null || true

start again promql serve -d "$DATA" --web.listen-address=127.0.0.1:"$port" --web.enable-lifecycle
wait_for "the port" 5 curl -fs "$url/-/ready"
expect_eq "quit" "$(status -X POST "$url/-/quit")" 200
ends "quit" "$(cat again.pid)"

start plain promql serve -d "$DATA" --web.listen-address=127.0.0.1:"$port"
wait_for "the port" 5 curl -fs "$url/-/ready"
expect_eq "lifecycle is off" "$(status -X POST "$url/-/quit")" 403
kill -TERM "$(cat plain.pid)"
ends "SIGTERM" "$(cat plain.pid)"

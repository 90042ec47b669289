# promql serve --config.file: the query log, on, off and moved by a reload; the step of subqueries that name none.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
port=$(free_port)
url=http://127.0.0.1:$port
printf 'global:\n  query_log_file: %s/a.log\n' "$PWD" >prometheus.yml
start promql promql serve -d "$DATA" --config.file prometheus.yml --web.listen-address=127.0.0.1:"$port" --web.enable-lifecycle
wait_for "the port" 10 curl -fs "$url/-/ready"
curl -fsS "$url/api/v1/query_range" --data-urlencode 'query=sum(up)' -d start=1767225600 -d end=1767226200 -d step=5m >/dev/null
curl -sS "$url/api/v1/query" --data-urlencode 'query=up + on(job) up' -d time=1767226200 >/dev/null
python3 - <<'P'
import json
a, b = [json.loads(l) for l in open('a.log')]
assert a['params'] == {'query': 'sum(up)', 'start': '2026-01-01T00:00:00.000Z', 'end': '2026-01-01T00:10:00.000Z', 'step': 300}, a
assert a['httpRequest'] == {'clientIP': '127.0.0.1', 'method': 'POST', 'path': '/api/v1/query_range'}, a
assert set(a['stats']['timings']) == {'evalTotalTime', 'resultSortTime', 'queryPreparationTime', 'innerEvalTime', 'execQueueTime', 'execTotalTime'}, a
assert 'error' not in a and a['stats']['samples']['totalQueryableSamples'] > 0 and a['msg'] == 'promql query logged', a
assert b['params']['step'] == 0 and b['params']['start'] == b['params']['end'] and 'duplicate' in b['error'], b
P
expect_has "it is on" "$(curl -fsS "$url/metrics")" '^prometheus_engine_query_log_enabled 1$'
# A reload moves the log; a bad file keeps the old one; without the key it ends.
sed -i s/a.log/b.log/ prometheus.yml
curl -fsS -X POST "$url/-/reload"
curl -fsS "$url/api/v1/query?query=1" >/dev/null
expect_eq "moved" "$(wc -l <a.log) $(wc -l <b.log)" "2 1"
printf 'global:\n  query_log: x\n' >prometheus.yml
expect_eq "a bad file" "$(curl -sS -X POST -o body -w '%{http_code}' "$url/-/reload")" 500
expect_has "says what" "$(cat body)" 'prometheus\.yml:2:3: .*query_log'
curl -fsS "$url/api/v1/query?query=1" >/dev/null
expect_eq "the old one stays" "$(wc -l <b.log)" 2
steps() { curl -fsS "$url/api/v1/query" --data-urlencode 'query=count(count_over_time(up[5m:])) * max(count_over_time(up[5m:]))/count(up)' -d time=1767226200 | grep -o '"[0-9]*"]' ; }
expect_eq "subqueries, every minute" "$(steps)" '"5"]'
printf 'global: {evaluation_interval: 30s}\n' >prometheus.yml
kill -HUP "$(cat promql.pid)"
wait_for "the log is off" 10 bash -c "curl -fsS $url/metrics | grep -q '^prometheus_engine_query_log_enabled 0'"
expect_eq "subqueries, at the evaluation interval" "$(steps)" '"10"]'
curl -fsS "$url/api/v1/query?query=1" >/dev/null
expect_eq "off" "$(wc -l <b.log)" 3
expect_code "a file that is not there" 1 promql serve -d "$DATA" --config.file none.yml --web.listen-address=127.0.0.1:0 --run-dir run2

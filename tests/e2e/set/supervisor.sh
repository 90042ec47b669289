# prometheus(1): ordered start, restart with back-off, reload, ordered stop, nothing left behind.
. "$E2E/lib.sh"
port=$(free_port) node=$(free_port)
cat >prometheus.yml <<Y
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - {job_name: node, static_configs: [{targets: ['127.0.0.1:$node']}]}
  - {job_name: prometheus, static_configs: [{targets: ['127.0.0.1:$port']}]}
Y
start unit "$SOURCE/scripts/prometheus" --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:$port --web.enable-lifecycle --node=127.0.0.1:$node
query() { curl -sf "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1"; }
wait_for "readiness" 15 curl -sf "http://127.0.0.1:$port/-/ready"
wait_for "data of both jobs" 15 bash -c "curl -sf 'http://127.0.0.1:$port/api/v1/query?query=sum(up)' | grep -q '\"2\"\]'"
expect_has "state" "$(cat data/run/supervisor.json)" '"name":"promstore","pid":[1-9]'
wait_for "the store's head on the merged page" 5 bash -c "curl -sf 'http://127.0.0.1:$port/metrics' | grep -q '^prometheus_tsdb_head_series [1-9]'"
page=$(curl -sf "http://127.0.0.1:$port/metrics")
expect_has "and the build info" "$page" '^prometheus_build_info\{'
expect_has "and the reload" "$page" '^prometheus_config_last_reload_successful 1$'

# A killed store comes back; what was scraped meanwhile is delivered.
pid_of() { python3 -c "import json,sys; print([p['pid'] for p in json.load(open('data/run/supervisor.json'))['programs'] if p['name']==sys.argv[1]][0])" "$1"; }
old=$(pid_of promstore)
kill -KILL "$old"
wait_for "the store to be started again" 10 bash -c "kill -0 $old 2>/dev/null && exit 1; p=\$(grep -o '\"pid\":[0-9]*' data/run/promstore.json | cut -d: -f2); [ \"\$p\" != $old ] && kill -0 \$p"
expect_has "a restart is counted" "$(cat data/run/supervisor.json)" '"name":"promstore","pid":[0-9]+,"start_ms":[0-9]+,"restarts":1,"last_exit":137'
wait_for "fresh samples" 10 bash -c "promql -d data -o tsv 'time() - max(timestamp(up))' | tail -n 1 | awk '{exit !(\$NF < 1)}'"

# Reload by HTTP: 200, or 500 with the reason.
expect_eq "good reload" "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/-/reload")" 200
echo "nonsense: 1" >>prometheus.yml
expect_has "bad reload" "$(curl -s -X POST "http://127.0.0.1:$port/-/reload" -w ' %{http_code}')" 'prometheus.yml:[0-9]+:1: .*nonsense.*'
expect_eq "its status" "$(curl -s -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/-/reload")" 500

pids=$(for n in promnode promstore promscrape promql; do pid_of $n; done)
before=$(date +%s%N)
kill -TERM "$(cat unit.pid)"
wait "$(cat unit.pid)" || fail "the supervisor did not end with 0"
took=$((($(date +%s%N) - before) / 1000000))
[ $took -lt 2500 ] || fail "stopping took $took ms"
for p in $pids; do ! kill -0 "$p" 2>/dev/null || fail "process $p is still there"; done
expect_has "stopped" "$(cat data/run/supervisor.json)" '"state":"stopped"'

expect_code "bad configuration ends the unit" 2 timeout 20 "$SOURCE/scripts/prometheus" --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:$port
expect_code "unknown flag" 2 "$SOURCE/scripts/prometheus" --nonsense
expect_has "is named" "$err" 'unknown flag --nonsense'
expect_code "no configuration" 2 "$SOURCE/scripts/prometheus" --config.file=none.yml

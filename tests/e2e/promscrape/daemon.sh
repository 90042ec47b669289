# The daemon: file discovery, reload that keeps the old configuration on error, the run directory.
. "$E2E/lib.sh"
port=$(free_port)
start node promnode --web.listen-address=127.0.0.1:$port
mkdir sd
cat >prometheus.yml <<Y
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: node
    scrape_native_histograms: true
    file_sd_configs: [{files: [sd/*.yml]}]
    metric_relabel_configs:
      - {source_labels: [__name__], regex: node_load.*, action: keep}
Y
echo "- {targets: ['127.0.0.1:$port'], labels: {env: one}}" >sd/a.yml
start scrape promscrape --config.file prometheus.yml --run-dir run
wait_for "a scrape" 5 grep -q '^node_load1{env="one"' scrape.out
! grep -q '^node_memory' scrape.out || fail "metric_relabel_configs did not keep it out"
echo "- {targets: ['127.0.0.1:$port'], labels: {env: two}}" >sd/a.yml
wait_for "the file's change" 5 grep -q '^node_load1{env="two"' scrape.out
wait_for "the stale marker of the old target" 5 grep -q '^#@stale.*env="one"' scrape.out

expect_has "a key without effect is warned about" "$(cat scrape.log)" 'no effect.*job=node key=scrape_native_histograms'
wait_for "state" 5 test -f run/promscrape.json
cp prometheus.yml good.yml
echo "    nonsense: 1" >>prometheus.yml
kill -HUP "$(cat scrape.pid)"
wait_for "the refused reload" 5 grep -q '"ok":false' run/promscrape.json
expect_has "file, line and column" "$(cat run/promscrape.json)" 'prometheus.yml:8:5: .*field nonsense not found'
before=$(wc -l <scrape.out)
wait_for "scrapes to go on" 5 bash -c "[ \$(wc -l <scrape.out) -gt $((before + 20)) ]"
expect_has "metric of the failure" "$(cat run/promscrape.prom)" '^prometheus_config_last_reload_successful 0$'
cp good.yml prometheus.yml
kill -HUP "$(cat scrape.pid)"
wait_for "the good reload" 5 grep -q '"ok":true' run/promscrape.json
expect_has "targets" "$(cat run/targets.json)" '"health":"up"'

kill -TERM "$(cat scrape.pid)"
wait_for "promscrape to stop" 2 bash -c "! kill -0 $(cat scrape.pid)"

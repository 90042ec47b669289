# promstore serve takes retention, window and exemplars from prometheus.yml, policies from a file of its own, and
# both again on SIGHUP; a bad file is told with its place and changes nothing.
. "$E2E/lib.sh"
cat >prometheus.yml <<Y
storage:
  tsdb: {retention: {time: 30d, size: 1GB, percentage: 50}, out_of_order_time_window: 0s}
  exemplars: {max_exemplars: 7}
Y
cat >policies.yml <<'Y'
retention_policies:
  - matchers: ['debug']
    keep: 1h
Y
start store promstore serve -d data --config.file prometheus.yml --policy.file policies.yml --storage.tsdb.retention.time 1d
metric() { grep -E "^$1 " data/run/promstore.prom | awk '{print $2}'; }
is() { [ "$(metric "$1")" = "$2" ]; }
wait_for "the store" 10 test -S data/ingest.sock
wait_for "retention of the configuration, which wins over the flag" 10 is prometheus_tsdb_retention_limit_seconds 2.592e+06
expect_eq "percentage" "$(metric prometheus_tsdb_retention_limit_percentage)" 50

now=$(date +%s)000
printf 'm 1 %s\n' $now | promstore append -d data
expect_code "an older sample" 1 promstore append -d data <<<"m 2 $((now - 60000))"
cat >prometheus.yml <<Y
storage:
  tsdb: {retention: {time: 20d}, out_of_order_time_window: 1h}
Y
kill -HUP "$(cat store.pid)"
wait_for "the new retention" 10 is prometheus_tsdb_retention_limit_seconds 1.728e+06
expect_eq "no percentage" "$(metric prometheus_tsdb_retention_limit_percentage)" 0
promstore append -d data <<<"m 2 $((now - 60000))" || fail "a sample within the new window was refused"
expect_eq "both are there" "$(promstore dump -d data m | grep -c '^m ')" 2

printf 'storage: {tsdb: {retention: {time: 1 fortnight}}}\n' >prometheus.yml
kill -HUP "$(cat store.pid)"
wait_for "the error of the reload" 10 grep -q 'prometheus.yml:1:' data/run/promstore.json
expect_eq "the old retention stays" "$(metric prometheus_tsdb_retention_limit_seconds)" 1.728e+06

# Policies: what is older than an hour goes from finished blocks, at the next maintenance.
printf 'storage: {}\n' >prometheus.yml
kill -HUP "$(cat store.pid)"
wait_for "the default" 10 is prometheus_tsdb_retention_limit_seconds 86400  # of the flag
for name in debug plain; do for i in $(seq 0 20); do echo "$name $i $((now - 7200000 - i * 1000))"; done; done | promstore import - -d data >/dev/null
wait_for "the policy" 30 is promstore_policy_series_total 1
expect_eq "only the other is left" "$(promql -d data values __name__ | tr '\n' ' ')" "m plain "

expect_code "a bad policy file" 2 promstore serve -d other --policy.file <(printf 'retention_policies:\n- matchers: [up{]\n  keep: 1d\n')
printf 'retention_policies:\n- matchers: ["up{"]\n  keep: 1d\n' >bad.yml
expect_code "a bad policy file" 2 promstore serve -d other --policy.file bad.yml
expect_has "says where" "$err" 'bad.yml:2:14: .*'
expect_code "no such file" 1 promstore serve -d other --config.file none.yml
expect_has "is named" "$err" 'none.yml'

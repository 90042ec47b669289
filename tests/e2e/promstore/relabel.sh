# relabel: history with other labels, alone and through a running store; what becomes one is merged, what is
# dropped is gone, what is stopped has changed nothing.
. "$E2E/lib.sh"
cat >in.txt <<'TXT'
# HELP cpu_seconds Time.
# TYPE cpu_seconds counter
cpu_seconds_total{host="a:9100",mode="idle"} 1 1600000000000
cpu_seconds_total{host="a:9100",mode="idle"} 2 1600000015000
cpu_seconds_total{host="a",mode="idle"} 7 1600000015000
cpu_seconds_total{host="a",mode="idle"} 8 1600000030000
cpu_seconds_total{host="b:9100",mode="idle"} 3 1600000000000
debug_x{host="a:9100"} 4 1600000000000
other 5 1600000000000
TXT
promstore import in.txt -d W 2>/dev/null
# The head, and samples at a time that a block has, too: the head's win, as everywhere.
printf 'cpu_seconds_total{host="a:9100",mode="idle"} 20 1700000000000\nother 6 1700000000000\n' | promstore append -d W
promstore dump -d W >before.txt
cat >rules.yml <<'YML'
relabel_configs:
  - source_labels: [__name__]
    regex: debug_.*
    action: drop
  - source_labels: [host]
    regex: '(.*):9100'
    target_label: host
  - source_labels: [__name__]
    regex: 'cpu_(.*)'
    target_label: __name__
    replacement: 'node_cpu_$1'
YML

# The dry run says everything and changes nothing.
expect_code "dry run" 0 promstore relabel -d W --config rules.yml --dry-run
tab=$(printf '\t')
expect_eq "dry run" "$out" "FROM${tab}TO${tab}SAMPLES
cpu_seconds_total{host=\"a\", mode=\"idle\"}${tab}node_cpu_seconds_total{host=\"a\", mode=\"idle\"}${tab}2
cpu_seconds_total{host=\"a:9100\", mode=\"idle\"}${tab}node_cpu_seconds_total{host=\"a\", mode=\"idle\"}${tab}3
cpu_seconds_total{host=\"b:9100\", mode=\"idle\"}${tab}node_cpu_seconds_total{host=\"b\", mode=\"idle\"}${tab}1
debug_x{host=\"a:9100\"}${tab}-${tab}1"
said='5 series, 3 changed \(6 samples\), 1 dropped \(1 samples\), 1 merged into others \(1 samples at times that these have, too\)'
expect_has "dry run" "$err" "^promstore: $said, if it were not a dry run$"
expect_code "dry run, json" 0 promstore relabel -d W --config rules.yml -n --json
expect_eq "dry run, json" "$(python3 -c '
import json, sys
j = json.load(sys.stdin)
print(*[j[k] for k in ("series", "changed", "changed_samples", "dropped", "dropped_samples", "merged", "overlaps")])
print(j["changes"][1]["from"], j["changes"][1]["to"], j["changes"][1]["samples"], j["changes"][3]["to"])' <<<"$out")" "5 3 6 1 1 1 1
{'__name__': 'cpu_seconds_total', 'host': 'a:9100', 'mode': 'idle'} {'__name__': 'node_cpu_seconds_total', 'host': 'a', 'mode': 'idle'} 3 None"
expect_eq "nothing changed" "$(promstore dump -d W)" "$(cat before.txt)"
expect_eq "nothing written" "$(ls W/blocks | wc -l)" 1

cp -r W D
expect_code "relabel" 0 promstore relabel -d D --config rules.yml
expect_has "relabel" "$out" "^$said; 2 blocks written anew$"
# At one time the series later in the order of the old labels wins, and its metadata goes with the name.
expect_eq "relabelled" "$(promstore dump -d D)" '# HELP node_cpu_seconds Time.
# TYPE node_cpu_seconds counter
node_cpu_seconds_total{host="a",mode="idle"} 1 1600000000000
node_cpu_seconds_total{host="a",mode="idle"} 2 1600000015000
node_cpu_seconds_total{host="a",mode="idle"} 8 1600000030000
node_cpu_seconds_total{host="a",mode="idle"} 20 1700000000000
node_cpu_seconds_total{host="b",mode="idle"} 3 1600000000000
other 5 1600000000000
other 6 1700000000000'
expect_code "verify" 0 promstore verify -d D
[ ! -e D/staging ] || fail "staging is left"
expect_code "again" 0 promstore relabel -d D --config rules.yml
expect_has "again" "$out" '^3 series, 0 changed .*: nothing to do$'

# A series that has the labels already wins over one that gets them; only a range, only a matcher.
rm -rf D; cp -r W D
cat >host.yml <<'YML'
relabel_configs: [{source_labels: [host], regex: '(.*):9100', target_label: host}]
YML
expect_code "a range and a matcher" 0 promstore relabel -d D --config host.yml '{mode="idle",host=~"a.*"}' --start 1600000015 --end 1650000000
expect_has "a range and a matcher" "$out" '^2 series, 1 changed \(1 samples\), 0 dropped \(0 samples\), 1 merged into others \(1 samples'
expect_eq "a range and a matcher" "$(promstore dump -d D cpu_seconds_total | grep -v '^#')" 'cpu_seconds_total{host="a",mode="idle"} 7 1600000015000
cpu_seconds_total{host="a",mode="idle"} 8 1600000030000
cpu_seconds_total{host="a:9100",mode="idle"} 1 1600000000000
cpu_seconds_total{host="a:9100",mode="idle"} 20 1700000000000
cpu_seconds_total{host="b:9100",mode="idle"} 3 1600000000000'

# Blocks that overlap: what won before wins after, though only the older block is written anew.
rm -rf D
printf 'x{host="a:9100"} 1 1600000000000\ny 1 1600000000000\n' | promstore import - -d D 2>/dev/null
printf 'x{host="a"} 2 1600000000000\n' | promstore import - -d D 2>/dev/null
expect_code "overlapping blocks" 0 promstore relabel -d D --config host.yml
expect_has "overlapping blocks" "$out" '^3 series, 1 changed .*, 1 merged into others \(1 samples at .*; 1 blocks written anew$'
expect_eq "the newer block wins" "$(promstore dump -d D x)" 'x{host="a"} 2 1600000000000'

# Deleted samples do not come back. All of a block dropped: no block is left.
rm -rf D; cp -r W D
promstore delete -d D 'cpu_seconds_total{host="b:9100"}' >/dev/null
printf 'relabel_configs: [{action: labeldrop, regex: host}]\n' >drop_host.yml
expect_code "after a delete" 0 promstore relabel -d D --config drop_host.yml
expect_eq "after a delete" "$(promstore dump -d D cpu_seconds_total | grep -v '^#')" 'cpu_seconds_total{mode="idle"} 1 1600000000000
cpu_seconds_total{mode="idle"} 2 1600000015000
cpu_seconds_total{mode="idle"} 8 1600000030000
cpu_seconds_total{mode="idle"} 20 1700000000000'
printf 'relabel_configs: [{action: drop, source_labels: [__name__]}]\n' >drop.yml
expect_code "drop all" 0 promstore relabel -d D --config drop.yml --json
expect_eq "drop all" "$(promstore dump -d D; ls D/blocks | wc -l)" 0
expect_code "verify" 0 promstore verify -d D

# Through a running store, with samples coming in.
rm -rf D; cp -r W D
start serve promstore serve -d D --log.level error --storage.tsdb.retention.time 0
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
now=$(date +%s)000
echo "cpu_live{host=\"a:9100\"} 1 $now" | promstore append -d D
expect_code "running" 0 promstore relabel -d D --config rules.yml --json
expect_eq "running" "$(python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["changed"], j["dropped"], j["through_writer"])' <<<"$out")" "4 1 True"
echo "cpu_live{host=\"a:9100\"} 2 $((now + 1000))" | promstore append -d D
expect_eq "running: what comes later keeps its labels" "$(promstore dump -d D '{__name__=~".*live"}')" "cpu_live{host=\"a:9100\"} 2 $((now + 1000))
node_cpu_live{host=\"a\"} 1 $now"
kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
expect_eq "after kill -9" "$(promstore dump -d D 'node_cpu_live')" "node_cpu_live{host=\"a\"} 1 $now"

# Ways to be wrong.
expect_code "no rules" 2 promstore relabel -d D
expect_code "no such file" 1 promstore relabel -d D --config none.yml
printf 'relabel_configs: [{action: sometimes}]\n' >bad.yml
expect_code "a bad rule" 2 promstore relabel -d D --config bad.yml
expect_has "a bad rule" "$err" '^promstore: bad.yml:1:28: unknown relabel action "sometimes"$'
expect_code "no directory" 1 promstore relabel -d none --config rules.yml
[ ! -e none ] || fail "a directory was made"

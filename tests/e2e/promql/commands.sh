# metrics, fmt, check, explain, --stats, the forms jsonl and prom, and flags that a command does not take.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
END=2026-01-01T00:10:00Z
printf '# HELP requests_total Requests\\nserved.\n# TYPE requests_total counter\n# TYPE up gauge\n' | promstore append -d "$DATA"

expect_code "metrics" 0 promql metrics -d "$DATA"
expect_eq "metrics" "$out" "$(printf 'name\ttype\tseries\tunit\thelp\nodd\tunknown\t1\t\t\nrequests_total\tcounter\t1\t\tRequests\\nserved.\nup\tgauge\t2\t\t')"
expect_code "metrics of some" 0 promql metrics -d "$DATA" -o json '{instance="a:9100"}'
expect_eq "metrics of some" "$out" '[{"name":"requests_total","type":"counter","series":1,"unit":"","help":"Requests\nserved."},{"name":"up","type":"gauge","series":1,"unit":"","help":""}]'
expect_code "metrics as a table" 0 promql metrics -d "$DATA" -o table requests_total
expect_eq "metrics as a table" "$out" "$(printf 'METRIC          TYPE     SERIES  HELP\nrequests_total  counter       1  Requests')"
expect_code "labels as json" 0 promql labels -d "$DATA" -o json odd
expect_eq "labels as json" "$out" '["__name__","path"]'
expect_code "series as json lines" 0 promql series -d "$DATA" -o jsonl odd
expect_eq "series as json lines" "$out" '{"__name__":"odd","path":"tab\\t,\"q\""}'

expect_code "jsonl" 0 promql -d "$DATA" -t "$END" -o jsonl up
expect_eq "jsonl" "$out" "$(printf '{"metric":{"__name__":"up","instance":"a:9100","job":"node"},"value":[1767226200,"1"]}\n{"metric":{"__name__":"up","instance":"caf\303\251:9100","job":"node"},"value":[1767226200,"0"]}')"
# What prom prints is what append takes: all series come back as they were.
promql -d "$DATA" --start "$T0" --end "$END" --step 15 -o prom '{__name__=~".+"}' | promstore append -d copy
expect_eq "prom goes round" "$(promql -d copy --start "$T0" --end "$END" --step 15 -o csv '{__name__=~".+"}')" \
  "$(promql -d "$DATA" --start "$T0" --end "$END" --step 15 -o csv '{__name__=~".+"}')"
expect_code "prom wants names" 2 promql -d "$DATA" -t "$END" -o prom 'sum(up)'
expect_has "prom wants names" "$err" 'has no metric name, .*label_replace'
expect_code "stats" 0 promql -d "$DATA" -t "$END" --stats up
expect_has "stats" "$err" '^promql: parsed in .* read [0-9]+ samples of 2 series'
expect_code "stats in json" 0 promql -d "$DATA" -t "$END" --stats -o json up
python3 -c 'import json,sys; s=json.load(sys.stdin)["stats"]; assert s["timings"]["evalTotalTime"] > 0 and s["samples"]["peakSamples"] > 0' <<<"$out"

expect_code "fmt" 0 promql fmt 'sum(rate(x{b="1",a="2"}[5m]))by(job)' 'a+b'
expect_eq "fmt" "$out" "$(printf 'sum by (job) (rate(x{a="2",b="1"}[5m]))\na + b')"
code=0; promql fmt <<<'up  ==  1 # comment' >.out || code=$?
expect_eq "fmt of standard input" "$code$(cat .out)" "0up == 1"
printf 'up{' >bad.promql
expect_code "fmt of a bad file" 2 promql fmt -f bad.promql
expect_eq "fmt of a bad file" "$err" "promql: bad.promql:1:4: parse error: unexpected end of input inside braces"
expect_code "fmt sets and deletes matchers" 0 promql fmt --set 'cluster="eu"' --delete instance 'rate(x{instance="a",cluster=~"b.*"}[5m]) > y'
expect_eq "fmt sets and deletes matchers" "$out" 'rate(x{cluster="eu"}[5m]) > y{cluster="eu"}'
expect_code "fmt --set wants a matcher" 2 promql fmt --set 'a' x

expect_code "check finds nothing" 0 promql check 'sum by (job) (rate(requests_total[5m]))'
expect_eq "check finds nothing" "$out$err" ""
expect_code "check finds" 3 promql check 'rate(up[5m])'
expect_eq "check finds" "$out" "$(printf '1:1: rate-of-gauge: rate() takes every fall for a restart, and up is named like a gauge\n    mend: deriv(up[...]), or delta() for the difference')"
printf 'sum(\n  histogram_quantile(0.9, sum(rate(x_bucket[5m])))\n)\n' >q.promql
expect_code "check of a file" 3 promql check -f q.promql
expect_has "check of a file" "$out" '^q\.promql:2:27: quantile-without-le: '
expect_code "check knows types" 3 promql check -d "$DATA" --json 'increase(up[5m])'
expect_eq "check knows types" "$out" '[{"file":"","line":1,"column":1,"start":0,"end":16,"name":"rate-of-gauge","message":"increase() takes every fall for a restart, and up is a gauge","mend":"delta(up[...])"}]'
expect_code "check of what does not parse" 3 promql check 'up{' 'holt_winters(x[5m], 0.1, 0.1)'
expect_has "check of what does not parse" "$out" '^1:4: parse-error: unexpected end of input inside braces'
expect_has "renamed functions" "$out" 'it is called double_exponential_smoothing now'

expect_code "explain" 0 promql explain 'sum by (job) (rate(requests_total[5m]))'
expect_has "explain" "$out" '^sum by \(job\)'
expect_has "explain" "$out" '└─ .*rate over 300000 ms'
expect_code "explain --analyze" 0 promql explain -d "$DATA" --analyze --start "$T0" --end "$END" --step 15 'sum(up)'
expect_has "explain --analyze" "$out" '^ *TOTAL +SELF +SERIES +SAMPLES +READ +BYTES  NODE$'
expect_has "explain --analyze: the sum gives 41 samples of one series" "$out" ' 1 +41 +82 .*sum'
expect_code "explain as json" 0 promql explain -d "$DATA" --analyze --json -t "$END" 'sum(up)'
python3 -c 'import json,sys; p=json.load(sys.stdin); assert p["samples"] == 1 and p["children"][0]["series"] == 2, p' <<<"$out"
expect_code "explain of a bad expression" 2 promql explain 'sum('

expect_code "a flag without effect" 2 promql labels -d "$DATA" --step 5m
expect_eq "a flag without effect" "$err" "promql: labels does not take --step (see promql labels --help)"
expect_code "bad colour" 2 promql -d "$DATA" --color=green up
for c in query labels values series metrics fmt check explain test serve; do
  expect_code "help of $c" 0 promql "$c" --help
  expect_has "help of $c" "$out" "^usage: promql $c "
done
expect_code "help fits a screen" 0 promql --help
[ "$(wc -l <<<"$out")" -le 34 ] && [ "$(wc -L <<<"$out")" -le 100 ] || fail "help does not fit a screen"
expect_code "a dash before a time" 0 promql -d "$DATA" --start -1h --end now --step 60 up
expect_code "a dash before a time" 0 promql -d "$DATA" -t -1h up
expect_code "colour when asked for" 0 promql -d "$DATA" -o graph --color=always --start "$T0" --end "$END" up
expect_has "colour when asked for" "$out" $'\x1b\\[36m'
expect_code "no colour in a pipe" 0 promql -d "$DATA" -o graph --start "$T0" --end "$END" up
case $out in *$'\x1b'*) fail "escape sequences in a pipe" ;; esac

# Buckets in use: of the four two hold something at first, all at last.
for t in 1767225600 1767225615; do
  [ $t = 1767225600 ] && counts="0 2 2 5" || counts="1 3 4 9"
  set -- $counts
  for le in 0.5 2 10 +Inf; do printf 'took_seconds_bucket{job="api",le="%s"} %s %s000\n' "$le" "$1" "$t"; shift; done
done | promstore append -d "$DATA"
expect_code "buckets" 0 promql buckets -d "$DATA" --end "$END" took_seconds_bucket
expect_eq "buckets" "$out" "$(printf 'histogram\tkind\tmin\tavg\tmax\tbuckets\ntook_seconds_bucket{job="api"}\tclassic\t2\t3.000\t4\t4')"
expect_code "buckets as json" 0 promql buckets -d "$DATA" --start 1767225610 --end "$END" -o json took_seconds_bucket
expect_eq "buckets as json" "$out" '[{"series":"took_seconds_bucket{job=\"api\"}","kind":"classic","samples":1,"min":4,"avg":4,"max":4,"buckets":4}]'
expect_code "buckets as a table" 0 promql buckets -d "$DATA" --end "$END" -o table took_seconds_bucket
expect_has "buckets as a table" "$out" '^all 1 +classic +2 +3.000 +4 +4$'
expect_code "buckets of none" 0 promql buckets -d "$DATA" --end "$END" -o table up
expect_has "buckets of none" "$err" 'no histogram'
expect_code "buckets wants a matcher" 2 promql buckets -d "$DATA"
expect_code "buckets wants a selector" 2 promql buckets -d "$DATA" 'sum(up)'
expect_has "buckets wants a selector" "$err" '^promql: "sum\(up\)": '

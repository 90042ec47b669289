# Queries in a shell: forms of output, label lookups, errors and exit codes.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
END=2026-01-01T00:10:00Z

expect_code "tsv is for pipes" 0 promql -d "$DATA" -t "$END" up
expect_eq "tsv" "$out" "$(printf '__name__\tinstance\tjob\ttimestamp\tvalue\nup\ta:9100\tnode\t1767226200000\t1\nup\tcaf\303\251:9100\tnode\t1767226200000\t0')"
expect_code "csv" 0 promql -d "$DATA" -t "$END" -o csv 'sum by (job) (up)'
expect_eq "csv" "$out" "$(printf 'job,timestamp,value\nnode,1767226200000,1')"
expect_code "table" 0 promql -d "$DATA" -t "$END" -o table up
expect_eq "table" "$out" "$(printf 'METRIC  instance   job   VALUE\nup      a:9100     node      1\nup      caf\303\251:9100  node      0')"
expect_code "json" 0 promql -d "$DATA" -t "$END" -o json 'irate(requests_total[5m])'
expect_eq "json" "$out" '{"resultType":"vector","result":[{"metric":{"instance":"a:9100","job":"node"},"value":[1767226200,"2"]}]}'
expect_code "NaN and odd labels" 0 promql -d "$DATA" -t "$END" -o csv odd
expect_eq "NaN and odd labels" "$out" "$(printf '__name__,path,timestamp,value\nodd,"tab\\t,""q""",1767226200000,NaN')"
expect_code "scalar" 0 promql -d "$DATA" -t 5 -o table 'time() * 2'
expect_eq "scalar" "$out" 10
expect_code "range" 0 promql -d "$DATA" --start "$T0" --end "$END" --step 5m 'sum(requests_total)'
expect_eq "range" "$out" "$(printf 'timestamp\tvalue\n1767225600000\t0\n1767225900000\t600\n1767226200000\t1200')"
expect_code "graph" 0 promql -d "$DATA" -o graph --start "$T0" --end "$END" requests_total
expect_has "graph" "$out" '^1500 ┤'
expect_has "graph" "$out" '^ UTC  00:00 .*00:04 .*00:10$'
expect_has "graph" "$out" 'requests_total\{instance="a:9100", job="node"\}  last 1200$'
expect_code "nothing found is no failure" 0 promql -d "$DATA" -t "$END" nothing
expect_eq "nothing found" "$out" "$(printf 'timestamp\tvalue')"
expect_code "info on stderr" 0 promql -d "$DATA" -t "$END" 'rate(up[5m])'
expect_has "info on stderr" "$err" '^promql: PromQL info: metric might not be a counter'

expect_code "labels" 0 promql -d "$DATA" labels
expect_eq "labels" "$out" "$(printf '__name__\ninstance\njob\npath')"
expect_code "labels of some" 0 promql -d "$DATA" labels odd
expect_eq "labels of some" "$out" "$(printf '__name__\npath')"
expect_code "values" 0 promql -d "$DATA" values __name__
expect_eq "values" "$out" "$(printf 'odd\nrequests_total\nup')"
expect_code "values in time" 0 promql -d "$DATA" values __name__ --end 100
expect_eq "values in time" "$out" ""
expect_code "series" 0 promql -d "$DATA" series '{job="node",instance=~"a.*"}'
expect_eq "series" "$out" "$(printf 'requests_total{instance="a:9100", job="node"}\nup{instance="a:9100", job="node"}')"
expect_code "named like a command" 0 promql -d "$DATA" query labels

expect_code "no data directory" 1 promql -d none up
expect_eq "no data directory" "$err" "promql: no data directory at none (promstore append -d none makes one)"
[ ! -e none ] || fail "a query makes no directory"
expect_code "a file" 1 promql -d samples.txt up
expect_eq "a file" "$err" "promql: samples.txt is not a directory"
expect_code "bad expression" 2 promql -d "$DATA" 'up{'
expect_eq "bad expression" "$err" "promql: 1:4: parse error: unexpected end of input inside braces"
expect_code "no expression" 2 promql -d "$DATA"
expect_code "two expressions" 2 promql -d "$DATA" up down
expect_has "two expressions" "$err" 'quote it for the shell'
expect_code "bad form" 2 promql -d "$DATA" -o xml up
expect_has "bad form" "$err" 'want table, json, jsonl, csv, tsv, prom or graph'
expect_code "bad flag" 2 promql -d "$DATA" --frobnicate up
expect_code "bad time" 2 promql -d "$DATA" -t yesterday up
expect_code "step alone" 2 promql -d "$DATA" --step 5m up
expect_has "step alone" "$err" 'needs --start'
expect_code "samples limit" 1 promql -d "$DATA" --max-samples 3 --start "$T0" --end "$END" --step 15 up
expect_has "samples limit" "$err" 'too many samples'
expect_code "help" 0 promql --help
expect_has "help" "$out" '^usage: promql -d DATA'
expect_code "version" 0 promql --version
expect_has "version" "$out" '^promql, version [0-9]+\.[0-9]+\.[0-9]+$'
if [ -w /dev/full ]; then
  code=0
  promql -d "$DATA" -t "$END" up >/dev/full 2>.err || code=$?
  expect_eq "a full disk fails" "$code" 1
  expect_has "a full disk fails" "$(cat .err)" 'No space left'
fi

# export: what goes out comes in again bit by bit; what a format has no words for is said; promtool and
# VictoriaMetrics read ours.
. "$E2E/lib.sh"
cat >in.txt <<'TXT'
# HELP requests Requests, "all" of them.
# TYPE requests counter
requests_total{code="200",path="/a \"b\""} 1 1700000000000
requests_total{code="200",path="/a \"b\""} 2.5 1700000015000
#@exemplar requests_total{code="200",path="/a \"b\""} {trace_id="abc"} 0.5 1700000014000
#@stale requests_total{code="200",path="/a \"b\""} 1700000030000
limits NaN 1700000000000
#@value limits 0x7ff8000000000abc 1700000000001
limits +Inf 1700000000002
limits -Inf 1700000000003
limits 5e-324 1700000000004
limits -0 1700000000005
TXT
promstore import in.txt -d D 2>/dev/null
promstore dump -d D >dump.txt

for f in prometheus jsonl csv; do
  expect_code "export $f" 0 promstore export -d D --format $f
  cp .out out.$f
  expect_code "import $f" 0 promstore import out.$f -d "D.$f" --format $f
  expect_eq "$f and back" "$(promstore dump -d "D.$f" | grep -v '^#@exemplar\|^# ')" "$(grep -v '^#@exemplar\|^# ' dump.txt)"
  expect_code "import $f, format found out" 0 promstore import - -d "A.$f" --json <out.$f
  expect_has "format found out" "$out" "\"format\":\"$f\""
done
expect_eq "csv" "$(head -3 out.csv | tr -d '\r')" '__name__,code,path,timestamp,value
limits,,,1700000000000,NaN
limits,,,1700000000001,0x7ff8000000000abc'
expect_eq "jsonl" "$(grep requests out.jsonl)" '{"metric":{"__name__":"requests_total","code":"200","path":"/a \"b\""},"values":[1,2.5],"timestamps":[1700000000000,1700000015000]}
{"metric":{"__name__":"requests_total","code":"200","path":"/a \"b\""},"values":[null],"timestamps":[1700000030000]}'

expect_code "openmetrics" 0 promstore export -d D
cp .out out.om
expect_has "left out" "$err" '^promstore: left out, as openmetrics has no words for them: 1 stale markers$'
expect_has "payload" "$err" '^promstore: 1 unusual NaN were written as the ordinary one$'
expect_eq "openmetrics" "$(grep -v limits out.om)" '# TYPE requests counter
# HELP requests Requests, \"all\" of them.
requests_total{code="200",path="/a \"b\""} 1 1700000000
requests_total{code="200",path="/a \"b\""} 2.5 1700000015 # {trace_id="abc"} 0.5 1700000014
# EOF'
promstore import out.om -d D.om 2>/dev/null
expect_eq "openmetrics and back" "$(promstore dump -d D.om requests_total)" "$(grep -v '^#@stale' dump.txt | grep requests)"
expect_eq "matcher and range" "$(promstore export -d D requests_total --start 1700000010 --end 1700000020 2>/dev/null | grep -v '^#')" \
  'requests_total{code="200",path="/a \"b\""} 2.5 1700000015 # {trace_id="abc"} 0.5 1700000014'
expect_eq "json" "$(promstore export -d D --json 2>&1 >/dev/null | python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["series"], j["samples"], j["left_out"]["stale_markers"])')" "2 8 1"

expect_code "tsdb" 0 promstore export -d D --format tsdb -o blocks
expect_has "tsdb" "$err" '^promstore: 9 samples in 1 blocks$'
mkdir -p blocks/wal
expect_code "import of those blocks" 0 promstore import blocks -d D.tsdb
expect_eq "tsdb and back" "$(promstore dump -d D.tsdb)" "$(grep -v '^#@exemplar\|^# ' dump.txt)"
expect_code "a file is no directory" 2 promstore import in.txt -d D.tsdb --format tsdb
mkdir empty
expect_code "no such directory of Prometheus" 1 promstore import empty -d D.tsdb
expect_code "tsdb without -o" 2 promstore export -d D --format tsdb
expect_code "-o with text" 2 promstore export -d D -o x
expect_code "a bad format" 2 promstore export -d D --format xml
expect_code "no directory" 1 promstore export -d none
! promstore export -d D >/dev/full 2>full.err || fail "a full disk was not noticed"
expect_has "a full disk" "$(cat full.err)" 'No space left'

if command -v promtool >/dev/null; then
  promtool tsdb create-blocks-from openmetrics out.om T >/dev/null || fail "promtool does not take our OpenMetrics"
  mkdir -p T/wal  # promtool wants them
  expect_eq "through promtool" "$(promtool tsdb dump T | grep requests | awk '{print $(NF-1), $NF}')" "1 1700000000000
2.5 1700000015000"
  expect_eq "promtool lists our block" "$(promtool tsdb list blocks | awk 'NR==2 {print $5, $6, $7}')" "9 2 2"
  expect_eq "promtool dumps our block" "$(promtool tsdb dump blocks | wc -l)" 9
else
  echo "skipped: promtool is not installed"
fi
if command -v victoria-metrics >/dev/null && command -v curl >/dev/null; then
  port=$(free_port)
  start vm victoria-metrics -storageDataPath=vm -retentionPeriod=100y -httpListenAddr=127.0.0.1:$port
  wait_for "VictoriaMetrics" 10 curl -sf "http://127.0.0.1:$port/health"
  grep requests out.jsonl | curl -sf -T - "http://127.0.0.1:$port/api/v1/import" || fail "VictoriaMetrics does not take our JSON lines"
  curl -sf "http://127.0.0.1:$port/internal/force_flush"
  curl -sf "http://127.0.0.1:$port/api/v1/export" -d 'match[]=requests_total' >vm.jsonl
  promstore import vm.jsonl -d D.vm 2>/dev/null
  expect_eq "through VictoriaMetrics" "$(promstore dump -d D.vm | grep -v '^#')" "$(grep '^requests' dump.txt)"  # 1.79 takes no stale markers
else
  echo "skipped: victoria-metrics is not installed"
fi

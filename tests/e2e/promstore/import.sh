# import: four formats, samples of any age and order, beside a running writer and without one; bad lines are
# named and cost nothing else; a stopped or killed import leaves nothing behind.
. "$E2E/lib.sh"
cat >in.om <<'TXT'
# TYPE requests counter
# HELP requests Requests.
requests_total{code="200"} 1 1700000000.5 # {trace_id="abc"} 0.7 1700000000.2
requests_total{code="200"} 2 1700000015.5
requests_total{code="500"} 1 1600000000
# EOF
TXT
expect_code "openmetrics" 0 promstore import in.om -d D
expect_has "summary" "$err" '^promstore: 3 samples imported as 2 blocks, 2020-09-13T12:26:40Z to 2023-11-14T22:13:35.500Z'
expect_eq "openmetrics" "$(promstore dump -d D)" '# HELP requests Requests.
# TYPE requests counter
requests_total{code="200"} 1 1700000000500
requests_total{code="200"} 2 1700000015500
#@exemplar requests_total{code="200"} {trace_id="abc"} 0.7 1700000000200
requests_total{code="500"} 1 1600000000000'

# Prometheus text: milliseconds, out of order, stale markers and histograms of prom-stream(5).
cat >in.txt <<'TXT'
a{x="1"} 3 1700000030000
a{x="1"} 1 1700000010000
bad{ 1 1700000010000
b 1
a{x="1"} 2 1700000020000
#@stale a{x="1"} 1700000040000
#@histogram h 1700000000000 int schema:3 count:2 sum:1.5 spans:0*1 buckets:2
a{x="1"} 9 1700000010000
TXT
expect_code "prometheus" 1 promstore import - -d E <in.txt
expect_has "the bad line" "$err" '^promstore: standard input:3: '
expect_has "a line without a time" "$err" '^promstore: standard input:4: a sample without a timestamp$'
expect_has "count" "$err" '^promstore: 2 of 8 lines refused$'
expect_has "replaced" "$err" '^promstore: 1 samples had another value at the time of a later line, which won$'
expect_eq "prometheus" "$(promstore dump -d E)" 'a{x="1"} 9 1700000010000
a{x="1"} 2 1700000020000
a{x="1"} 3 1700000030000
#@stale a{x="1"} 1700000040000
#@histogram h 1700000000000 int schema:3 count:2 sum:1.5 spans:0*1 buckets:2'

# CSV: columns by number and by name, quotes, empty cells.
printf '1700000000,"up, ""and"" down",20.5,1\n1700000060.25,hall,,2\nx,hall,3,4\n1700000060,hall,warm,\n' >t.csv
expect_code "csv" 1 promstore import t.csv -d C --csv 1:time:unix_s,2:label:room,3:metric:temp,4:metric:people
expect_has "a bad time" "$err" '^promstore: t.csv:3: column 1: not a time: "x"$'
expect_has "a bad number" "$err" '^promstore: t.csv:4: column 3: not a number: "warm"$'
expect_eq "csv" "$(promstore dump -d C)" 'people{room="hall"} 2 1700000060250
people{room="up, \"and\" down"} 1 1700000000000
temp{room="up, \"and\" down"} 20.5 1700000000000'
printf 'when;v\r\n2023-11-14T22:13:20Z;1\r\n' >h.csv
expect_code "csv header" 0 promstore import h.csv -d C2 --csv when:time:rfc3339,v:metric:x --csv-header --csv-separator ';'
expect_eq "csv header" "$(promstore dump -d C2)" "x 1 1700000000000"
expect_code "no such column" 2 promstore import h.csv -d C2 --csv when:time:rfc3339,w:metric:x --csv-header --csv-separator ';'
expect_code "bad mapping" 2 promstore import h.csv -d C2 --csv 1:label:x
expect_has "bad mapping" "$err" '^promstore: --csv: want exactly one column of time$'

# JSON lines of VictoriaMetrics.
cat >in.jsonl <<'TXT'
{"metric":{"__name__":"up","job":"node"},"values":[1,0.5,null,"Infinity"],"timestamps":[1700000000000,1700000015000,1700000030000,1700000045000]}
{"metric":{"__name__":"up"},"values":[1,2],"timestamps":[1]}
TXT
expect_code "json lines" 1 promstore import in.jsonl -d J
expect_has "json lines" "$err" '^promstore: in.jsonl:2: 2 values but 1 timestamps'
expect_eq "json lines" "$(promstore dump -d J)" 'up{job="node"} 1 1700000000000
up{job="node"} 0.5 1700000015000
#@stale up{job="node"} 1700000030000
up{job="node"} +Inf 1700000045000'

# Beside a running writer, whose head has newer samples: nothing is too old, and both are there.
start serve promstore serve -d W --log.level error --storage.tsdb.retention.time 0
wait_for "the store" 5 grep -q '"ready":true' W/run/promstore.json
now=$(date +%s)000
echo "up 1 $now" | promstore append -d W
printf 'up 2 1500000000000\nup 3 1500000015000\n' | promstore import - -d W --json >import.json
expect_eq "through the writer" "$(python3 -c 'import json; j=json.load(open("import.json")); print(j["samples"], j["blocks"], j["through_writer"], j["format"])')" "2 1 True prometheus"
expect_eq "both" "$(promstore dump -d W)" "up 2 1500000000000
up 3 1500000015000
up 1 $now"
# The same again changes nothing; later imports win.
printf 'up 2 1500000000000\nup 4 1500000015000\n' | promstore import - -d W 2>/dev/null
expect_eq "again" "$(promstore dump -d W --end -1h)" "up 2 1500000000000
up 4 1500000015000"
# Newer samples still go in after an import of the future, also after a restart.
echo "up 7 4000000000000" | promstore import - -d W 2>/dev/null
kill -TERM "$(cat serve.pid)"; wait "$(cat serve.pid)" || fail "the store did not stop well"
expect_code "append after an import" 0 promstore append -d W <<<"up 5 $((now + 1000))"
expect_eq "after it" "$(promstore dump -d W --start $((now / 1000)) | tail -2)" "up 5 $((now + 1000))
up 7 4000000000000"
expect_code "verify" 0 promstore verify -d W

# Stopped and killed in the middle: nothing is there, and what the killed one left is removed by the next.
mkfifo pipe
trap "" PIPE
for signal in INT KILL; do
  promstore import pipe -d W >/dev/null 2>stopped.err &
  pid=$!
  exec 3>pipe
  echo 'lost 1 1500000000000' >&3
  wait_for "staging" 5 bash -c 'ls W/staging/*'
  kill -$signal $pid
  # An import that reads nothing sees the signal with the next bytes.
  { for i in $(seq 2000); do echo "lost $i $((1500000000000 + i))"; done >&3; } 2>/dev/null || true
  exec 3>&- 2>/dev/null
  code=0; wait $pid || code=$?
  [ $code -ne 0 ] || fail "SIG$signal: exit code 0"
  expect_eq "SIG$signal: nothing of it" "$(promstore dump -d W lost)" ""
done
echo 'x 1 1500000000000' | promstore import - -d W 2>/dev/null
[ ! -e W/staging ] || fail "staging is left: $(ls -R W/staging)"

# Ways to be wrong.
expect_code "no file" 2 promstore import -d W
expect_code "no such file" 1 promstore import none -d W
expect_has "no such file" "$err" '^promstore: open none: No such file'
expect_code "a bad format" 2 promstore import in.om -d W --format xml
expect_code "not a directory" 1 promstore import in.om -d in.txt
expect_code "empty input" 0 promstore import - -d N </dev/null

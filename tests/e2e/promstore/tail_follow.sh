# tail prints the last samples; tail -f those that are committed from then on, within a second, each once.
. "$E2E/lib.sh"
start serve promstore serve -d D
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
now=$(date +%s)000
printf 'x 1 %s\nx 2 %s\ny 3 %s\n' "$((now - 2000))" "$((now - 1000))" "$((now - 1000))" | promstore append -d D
expect_eq "tail" "$(promstore tail -d D -n 2)" "x 2 $((now - 1000))
y 3 $((now - 1000))"
expect_eq "tail with a matcher" "$(promstore tail -d D -n 1 x)" "x 2 $((now - 1000))"
start tail promstore tail -f -n 0 -d D
sleep 0.3
printf 'x 4 %s\nz 5 %s\n' "$now" "$now" | promstore append -d D
wait_for "the new samples" 1 grep -q "^z 5 $now" tail.out
echo "x 6 $((now + 1))" | promstore append -d D
wait_for "a further sample" 1 grep -q "^x 6 " tail.out
expect_eq "all of it" "$(cat tail.out)" "x 4 $now
z 5 $now
x 6 $((now + 1))"

# JSON lines.
{
  echo 'j{a="q\"\n"} 1.5 2000'; echo 'j +Inf 2000'; echo '#@stale j 3000'
  echo '#@histogram h 4000 int schema:3 count:2 sum:1.5 spans:0*1 buckets:2'
} >in.txt
promstore import in.txt -d J --format prometheus 2>/dev/null
expect_code "json" 0 promstore tail -d J --json
expect_eq "json" "$(python3 -c '
import json, sys
for line in sys.stdin:
    j = json.loads(line)
    print(j["metric"], j["timestamp"], j.get("value", j.get("histogram")))' <<<"$out")" "{'__name__': 'j'} 2000 +Inf
{'__name__': 'j', 'a': 'q\"\n'} 2000 1.5
{'__name__': 'j'} 3000 None
{'__name__': 'h'} 4000 int schema:3 count:2 sum:1.5 spans:0*1 buckets:2"
start tailj promstore tail -f -n 0 --json -d D z
sleep 0.3
echo "z 7 $((now + 2000))" | promstore append -d D
wait_for "a line" 2 grep -q '^{"metric":{"__name__":"z"},"timestamp":[0-9]*000,"value":7}$' tailj.out

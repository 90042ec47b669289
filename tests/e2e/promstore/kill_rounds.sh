# Two producers at once, the writer killed with -9 in the middle, 20 rounds: every acknowledged line is there,
# once, with its value; readers never fail.
. "$E2E/lib.sh"
rounds=${ROUNDS:-20}
# One line a batch, so that every line is acknowledged on its own.
produce() { awk -v n="$1" -v r="$2" 'BEGIN { for (i = 1; i <= 20000; i++) printf "load{producer=\"%s\",round=\"%s\"} %d %.0f\n\n", n, r, i, 1700000000000 + i }'; }
for r in $(seq "$rounds"); do
  start "serve" promstore serve -d D --log.level error
  wait_for "the store" 5 grep -q "\"pid\":$(cat serve.pid),.*\"ready\":true" D/run/promstore.json
  for n in a b; do
    produce $n "$r" | promstore append -d D --ack >"ack.$n.$r" 2>"err.$n.$r" &
  done
  sleep "0.0$((RANDOM % 8 + 2))"
  promstore dump -d D 'load' >/dev/null || fail "a reader failed beside the writer"
  kill -9 "$(cat serve.pid)"
  wait || true
done
promstore dump -d D >dump.txt
acked=0
for r in $(seq "$rounds"); do
  for n in a b; do
    # Line 2k-1 holds sample k.
    last=$(awk '{ n = $2 } END { print n + 0 }' "ack.$n.$r")
    want=$(((last + 1) / 2))
    got=$(grep "producer=\"$n\",round=\"$r\"}" dump.txt | awk -v base=1700000000000 '{ if ($2 != ++i || $3 != base + i) bad = 1 } END { print bad ? "out of step" : i + 0 }')
    [ "$got" != "out of step" ] || fail "round $r, producer $n: a line is missing, twice or wrong"
    [ "$got" -ge "$want" ] || fail "round $r, producer $n: $want lines were acknowledged, $got are there"
    acked=$((acked + want))
  done
done
[ "$acked" -gt 0 ] || fail "nothing was acknowledged in $rounds rounds"
expect_code "verify" 0 promstore verify -d D
echo "$acked lines acknowledged in $rounds rounds, all there"

# Sourced by the other cases: DATA, a data directory of known samples at 15 s from
# 2026-01-01T00:00:00Z to 00:10:00Z. Run alone, it checks that this can be made.
[ -n "${E2E_LIB:-}" ] || { . "$E2E/lib.sh"; E2E_LIB=1; }
[ -x "$BIN/promstore" ] || skip "needs promstore"
DATA=$PWD/data
T0=1767225600
for ((i = 0; i <= 40; i++)); do
  t=$(((T0 + i * 15) * 1000))
  printf 'up{instance="a:9100",job="node"} 1 %s\n' "$t"
  printf 'up{instance="caf\303\251:9100",job="node"} 0 %s\n' "$t"
  printf 'requests_total{instance="a:9100",job="node"} %s %s\n' $((i * 30)) "$t"
  printf 'odd{path="tab\\\\t,\\"q\\""} NaN %s\n' "$t"
done >samples.txt
promstore append -d "$DATA" <samples.txt

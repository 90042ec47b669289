# promql test: scripts that pass, fail, and cannot be read.
. "$E2E/lib.sh"

cat >good.test <<'T'
load 1m
  requests_total{job="a"} 0+60x10

eval instant at 10m rate(requests_total[5m])
  {job="a"} 1

eval instant at 10m requests_total
  requests_total{job="a"} 600
T
expect_code "good" 0 promql test good.test
expect_eq "good" "$out" "2 passed, 0 failed"

cat >bad.test <<'T'
load 1m
  up 1x10

eval instant at 5m up
  up 2

eval instant at 5m up
  up 1
T
expect_code "bad" 1 promql test good.test bad.test
expect_has "bad: file and line" "$out" '^bad\.test:4: '
expect_has "bad: counts" "$out" '^3 passed, 1 failed$'

expect_code "missing" 1 promql test none.test
expect_has "missing" "$err" 'none\.test: No such file or directory'
expect_code "no file" 2 promql test

suite=${PROMKIT_CONFORMANCE:-$SOURCE/../shared/conformance}/promql
if [ -d "$suite" ]; then
  expect_code "upstream's scripts" 0 promql test "$suite"/*.test
  expect_has "upstream's scripts" "$out" '^[0-9]{4} passed, 0 failed$'
fi

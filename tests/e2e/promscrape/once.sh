# promscrape URL...: labels, report series, failures, usage.
. "$E2E/lib.sh"
port=$(free_port)
start node promnode --web.listen-address=127.0.0.1:$port
wait_for promnode 5 curl -sf "http://127.0.0.1:$port/metrics"

expect_code "one target" 0 promscrape -l zone=eu "http://127.0.0.1:$port/metrics"
expect_has "its series" "$out" "^node_load1\{instance=\"127.0.0.1:$port\",job=\"promscrape\",zone=\"eu\"\} [0-9.e+-]+ [0-9]{13}$"
expect_has "up" "$out" "^up\{.*\} 1 [0-9]{13}$"
expect_eq "eight modes" "$(grep -o 'node_cpu_seconds_total{.*mode="[a-z]*"' <<<"$out" | grep -o 'mode="[a-z]*"' | sort -u | wc -l)" 8

expect_code "a dead target beside a live one" 1 promscrape "127.0.0.1:$port" 127.0.0.1:1
expect_has "the live one is there" "$out" '^node_load1\{'
expect_has "the dead one has up 0" "$out" '^up\{instance="127.0.0.1:1",.*\} 0 '
expect_has "and is named" "$err" '^promscrape: http://127.0.0.1:1/metrics: .*connect'

expect_code "binary" 0 bash -c "promscrape -b 127.0.0.1:$port | head -c 4 | od -An -c"
expect_code "no arguments" 2 promscrape
expect_code "unknown flag" 2 promscrape --nonsense
expect_has "says where help is" "$err" 'see --help'
expect_code "bad label" 2 promscrape -l nonsense "127.0.0.1:$port"
expect_code "bad timeout" 2 promscrape --timeout soon "127.0.0.1:$port"
expect_code "help" 0 promscrape --help
[ "$(wc -l <<<"$out")" -le 40 ] || fail "--help does not fit one screen"

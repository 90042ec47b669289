# A second writer is told who writes; a dead writer's socket is in nobody's way; SIGTERM stops within a second.
. "$E2E/lib.sh"
start serve promstore serve -d D
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
expect_eq "socket mode" "$(stat -c %a D/ingest.sock) $(stat -c %a D)" "660 750"
expect_code "second writer" 1 promstore serve -d D
expect_eq "second writer" "$err" "promstore: D is being written by pid $(cat serve.pid)"
expect_has "info" "$(promstore info -d D)" "^writer: +pid $(cat serve.pid)$"

kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
[ -S D/ingest.sock ] || fail "no socket was left behind"
expect_has "info after the kill" "$(promstore info -d D)" '^writer: +none; the last one did not close$'
echo 'x 1' | promstore append -d D
expect_has "info after an append" "$(promstore info -d D)" '^writer: +none; closed in good order$'

start again promstore serve -d D
wait_for "the store again" 5 grep -q "\"pid\":$(cat again.pid),.*\"ready\":true" D/run/promstore.json
kill -HUP "$(cat again.pid)"
wait_for "the answer to SIGHUP" 3 grep -q '"ok":true,"time_ms":[0-9]*,"count":1,' D/run/promstore.json
before=$(date +%s%N)
kill -TERM "$(cat again.pid)"; wait "$(cat again.pid)" || fail "exit code of a stopped store"
[ $(($(date +%s%N) - before)) -lt 2000000000 ] || fail "stopping took over 2 s"
expect_has "ready is withdrawn" "$(cat D/run/promstore.json)" '"ready":false'
[ ! -e D/ingest.sock ] || fail "the socket is still there"
expect_eq "the sample" "$(promstore dump -d D | cut -d' ' -f1,2)" "x 1"

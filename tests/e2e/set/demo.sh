# make demo shows data and ends with nothing left running.
. "$E2E/lib.sh"
[ "$BIN" -ef "$SOURCE/build/bin" ] || skip "scripts/demo runs the programs of build/bin"
DEMO_SECONDS=1 TMPDIR=$PWD timeout 120 "$SOURCE/scripts/demo" >demo.out 2>demo.err || { cat demo.out demo.err; fail "demo ended with an error"; }
expect_has "a table" "$(cat demo.out)" '^METRIC +'
expect_has "eight modes" "$(grep -c -E '^(idle|iowait|irq|nice|softirq|steal|system|user) ' demo.out)" '^8$'
expect_has "a graph" "$(cat demo.out)" '┤'
expect_has "what to try" "$(cat demo.out)" 'Ctrl-C stops everything'
sleep 0.2
! pgrep -f "$PWD" >/dev/null || fail "something is still running: $(pgrep -af "$PWD")"

# On a full disk the store refuses batches with a clear text, keeps serving readers, and takes them again as
# soon as there is room; what was acknowledged is there after a kill -9 as well.
. "$E2E/lib.sh"
if [ "${IN_NAMESPACE:-}" != 1 ]; then
  unshare -rm true 2>/dev/null || skip "no mount namespaces here"
  IN_NAMESPACE=1 exec unshare -rm bash -eu -o pipefail "$0" || exit 1
fi
mkdir D
mount -t tmpfs -o size=6m tmpfs D || skip "no tmpfs here"
start serve promstore serve -d D --log.level error
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
echo 'before 1 1000' | promstore append -d D
dd if=/dev/zero of=D/filler bs=64k status=none 2>/dev/null || true
lines() { awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i <= to; i++) { for (s = 0; s < 100; s++) printf "x{s=\"%d\"} %d %.0f\n", s, i, 2000 + i; print "" } }'; }
code=0
lines 1 300 | promstore append -d D --ack >ack.1 2>err.1 || code=$?
[ "$code" -eq 1 ] || fail "append to a full disk: exit code $code"
expect_has "the reason" "$(cat err.1)" '^promstore: the store: .*[Nn]o space'
expect_eq "readers go on" "$(promstore dump -d D before)" "before 1 1000"
kill -0 "$(cat serve.pid)" || fail "the store has ended"
rm D/filler
lines 301 310 | promstore append -d D --ack >ack.2 || fail "not taken after there was room"
kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
# 101 lines a batch, with the empty one.
acked=$(($(tail -1 ack.1 2>/dev/null | cut -d' ' -f2 || true) / 101))
promstore dump -d D 'x{s="7"}' >dump.txt
[ "$(awk -v n="$acked" '$2 <= n' dump.txt | wc -l)" -eq "$acked" ] || fail "$acked batches were acknowledged on the filling disk, $(wc -l <dump.txt) are there"
expect_eq "after there was room" "$(awk '$2 > 300' dump.txt | wc -l)" 10
start again promstore serve -d D --log.level error
wait_for "the store again" 5 grep -q "\"pid\":$(cat again.pid),.*\"ready\":true" D/run/promstore.json
expect_eq "after a restart" "$(promstore dump -d D 'x{s="7"}')" "$(cat dump.txt)"
expect_code "verify" 0 promstore verify -d D

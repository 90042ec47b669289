# snapshot: hard links, one moment, beside a store that is being written and compacted; restored by copying.
. "$E2E/lib.sh"
printf 'old{x="1"} 1 1600000000000\nold{x="2"} 2 1600000000000\n' | promstore import - -d D 2>/dev/null
promstore delete -d D 'old{x="2"}' >/dev/null
start serve promstore serve -d D --log.level error --storage.tsdb.retention.time 0
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
start writer bash -c 'i=0; now=$(date +%s); while :; do i=$((i+1)); for s in 1 2 3 4 5 6 7 8; do echo "live{s=\"$s\"} $i $((now * 1000 + i))"; done; echo; done | promstore append -d D'
wait_for "live samples" 5 bash -c 'promstore dump -d D live | grep -q .'
for round in 1 2 3 4 5; do
  expect_code "snapshot $round" 0 promstore snapshot S$round -d D
  expect_has "snapshot $round" "$out" "^S$round: [0-9]+ blocks linked, 0 copied, [0-9]+ samples of the head"
  # Whole batches: all eight series end at the same number.
  expect_eq "round $round: one moment" "$(promstore dump -d S$round live | awk '{ last[$1] = $2 } END { for (s in last) print last[s] }' | sort -u | wc -l)" 1
  expect_eq "round $round: history" "$(promstore dump -d S$round old)" 'old{x="1"} 1 1600000000000'
  expect_code "round $round: verify" 0 promstore verify -d S$round
  [ $round -ne 3 ] || promstore compact -d D >/dev/null
done
first=$(ls S1/blocks | head -1)
[ "$(stat -c %h S1/blocks/$first/chunks)" -ge 2 ] || fail "the block is not a hard link"
kill "$(cat writer.pid)" 2>/dev/null || true
kill -TERM "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
# A restored copy goes on as a store.
cp -r S5 R
expect_code "append to a restored copy" 0 promstore append -d R <<<"more 1 $(($(date +%s) + 60))000"
expect_eq "restored" "$(promstore dump -d R '{__name__=~"old|more"}' | awk '{print $1, $2}' | paste -sd ';')" 'more 1;old{x="1"} 1'
# The original still has what a snapshot shares with it when the snapshot goes.
rm -rf S1 S2 S3 S4
expect_eq "the original" "$(promstore dump -d D old)" 'old{x="1"} 1 1600000000000'
expect_eq "json" "$(promstore snapshot T/ -d S5 --json | python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["linked"] > 0, j["copied"])')" "True 0"

# Killed in the middle: no directory of that name; the next one clears up.
mkdir S6.partial; touch S6.partial/CURRENT
expect_code "after a killed one" 0 promstore snapshot S6 -d D
[ ! -e S6.partial ] || fail "S6.partial is left"
expect_code "it is there" 2 promstore snapshot S6 -d D
expect_has "it is there" "$err" '^promstore: S6: exists already'
mkdir S7.partial
expect_code "after one that was killed at once" 0 promstore snapshot S7 -d D
mkdir S8.partial; touch S8.partial/mine
expect_code "something in the way" 2 promstore snapshot S8 -d D
expect_code "no parent" 1 promstore snapshot none/S -d none
expect_code "no DIR" 2 promstore snapshot -d D

# Across file systems: copies, and a note.
if [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ]; then
  other=$(mktemp -d /dev/shm/promstore.XXXXXX)
  trap 'rm -rf "$other"; stop_all' EXIT
  expect_code "another file system" 0 promstore snapshot "$other/S" -d D
  expect_has "another file system" "$err" 'is on another file system.*copied$'
  expect_eq "another file system" "$(promstore dump -d "$other/S" old)" 'old{x="1"} 1 1600000000000'
fi

# verify --repair: all that is sound is kept, what is lost is said, the originals stay, and twice is as good as once.
. "$E2E/lib.sh"
for s in $(seq 40); do for i in $(seq 200); do echo "x{s=\"$s\"} $((i * s * 7 % 1000)).$((i % 10)) $((1600000000000 + i * 15000))"; done; done >in.txt
promstore import in.txt -d W 2>/dev/null
printf 'head 1 1700000000000\nhead 2 1700000015000\n' | promstore append -d W
promstore dump -d W | sort >whole.txt
block=$(basename W/blocks/*)
size=$(stat -c %s "W/blocks/$block/chunks") index=$(stat -c %s "W/blocks/$block/index")
expect_code "nothing to repair" 0 promstore verify -d W --repair
[ ! -e W/damaged ] || fail "a sound directory was touched"

flip() { python3 - "$1" "$2" <<'PY'
import sys
f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); b = f.read(1); f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 0x10]))
PY
}
n=0
for place in "chunks $((size / 2))" "chunks 40" "chunks $((size - 10))" "index 30" "index $((index / 3))" "index $((index - 20))"; do
  rm -rf D; cp -r W D
  flip "D/blocks/$block/${place% *}" "${place#* }"
  code=0; promstore verify -d D >found.txt 2>/dev/null || code=$?
  [ $code -eq 0 ] && continue  # a byte that carries nothing
  n=$((n + 1))
  code=0; promstore dump -d D >before.txt 2>/dev/null || code=$?
  expect_code "$place: repair" 0 promstore verify -d D --repair
  expect_eq "$place: says what verify says" "$(grep -v '^repaired: ' .out)" "$(cat found.txt)"
  expect_has "$place: says what it did" "$out" "^repaired: D/blocks/$block: .*the original is in D/damaged/$block$"
  promstore dump -d D >after.txt || fail "$place: damaged after the repair"
  # No sample that was not there, and all that could be read before.
  expect_eq "$place: nothing is new" "$(sort after.txt | comm -13 whole.txt -)" ""
  expect_eq "$place: nothing more is lost" "$(comm -23 <(sort before.txt) <(sort after.txt))" ""
  cp -r D E; expect_code "$place: again" 0 promstore verify -d D --repair
  expect_has "$place: again" "$err" 'no damage$'
  cmp -s "E/blocks/"*/chunks "D/blocks/"*/chunks || [ -z "$(ls E/blocks 2>/dev/null)" ] || fail "$place: the second repair changed something"
  rm -rf E
done
[ $n -ge 3 ] || fail "only $n damages were found"

# Deletions that cannot be read, or are gone: their samples show again, what is sound stays, and it is said.
for how in flip remove; do
  rm -rf D; cp -r W D
  promstore delete -d D 'x{s="1"}' --start 1600000000 --end 1600000100 >/dev/null
  file=$(cd D && ls tombstones-*)
  if [ $how = flip ]; then flip "D/$file" 40; else rm "D/$file"; fi
  expect_code "$how tombstones: verify" 3 promstore verify -d D
  expect_code "$how tombstones: repair" 0 promstore verify -d D --repair
  expect_has "$how tombstones: said" "$out" "^repaired: .*D/$file.*: deleted samples that have not been compacted show again"
  [ $how = remove ] || expect_has "$how tombstones: what it may have been" "$out" "^repaired: D/$file: it may have deleted \\{.*s=\"1\".*\\} from .* to 2020-09-13T12:28:20Z: delete it again if so$"
  [ $how = remove ] || [ -s "D/damaged/$file" ] || fail "the original is not kept"
  expect_eq "$how tombstones: all is there" "$(promstore dump -d D | sort)" "$(cat whole.txt)"
  expect_code "$how tombstones: again" 0 promstore verify -d D --repair
  expect_has "$how tombstones: again" "$err" 'no damage$'
  expect_code "$how tombstones: delete" 0 promstore delete -d D 'x{s="1"}'
  expect_code "$how tombstones: compact" 0 promstore compact -d D
  expect_eq "$how tombstones: deleted for good" "$(promstore dump -d D 'x{s="1"}')" ""
done

# Through a running store.
rm -rf D; cp -r W D
flip "D/blocks/$block/chunks" $((size / 2))
start serve promstore serve -d D --log.level error --storage.tsdb.retention.time 0
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
expect_code "running: repair" 0 promstore verify -d D --repair --json
expect_eq "running: json" "$(python3 -c 'import json,sys; j=json.load(sys.stdin); print(len(j["problems"]) > 0, len(j["repaired"]), len(j["left"]))' <<<"$out")" "True 1 0"
expect_code "running: verify" 0 promstore verify -d D
promstore delete -d D head >/dev/null
flip "D/$(cd D && ls tombstones-*)" 40
expect_code "running: tombstones" 0 promstore verify -d D --repair
expect_code "running: verify" 0 promstore verify -d D
expect_code "running: compact" 0 promstore compact -d D
expect_code "no directory" 1 promstore verify -d none --repair

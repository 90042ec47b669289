# delete, undelete, compact: alone and through a running store.
. "$E2E/lib.sh"
cat >in.txt <<'TXT'
a{x="1"} 1 1700000000000
a{x="1"} 2 1700000015000
a{x="2"} 3 1700000000000
b 4 1700000000000
TXT
promstore import in.txt -d D 2>/dev/null
printf 'a{x="1"} 5 1700100000000\n' | promstore append -d D
all() { promstore dump -d D | awk '{print $1, $2}' | paste -sd ';'; }
whole='a{x="1"} 1;a{x="1"} 2;a{x="1"} 5;a{x="2"} 3;b 4'
expect_eq "before" "$(all)" "$whole"

expect_code "dry run" 0 promstore delete -d D --dry-run 'a{x="1"}' a
expect_has "dry run" "$out" '^2 series, 4 samples, about .* would be deleted$'
expect_eq "a dry run deletes nothing" "$(all)" "$whole"
expect_code "delete" 0 promstore delete -d D 'a{x="1"}' b --start 1700000000 --end 1700000010
expect_has "delete" "$out" '^2 series, 2 samples, about .* deleted; undo: promstore undelete -d D [0-9]+$'
id=${out##* }
expect_eq "deleted" "$(all)" 'a{x="1"} 2;a{x="1"} 5;a{x="2"} 3'
expect_code "delete the rest of a" 0 promstore delete -d D a --json
expect_eq "json" "$(python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["series"], j["samples"], j["deleted"])' <<<"$out")" "2 3 True"
second=$(python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])' <<<"$out")
expect_eq "all of a" "$(all)" ""
expect_eq "pending" "$(promstore undelete -d D | cut -f1-3,6)" "$(printf 'ID\tFROM\tTO\tMATCHERS\n%s\t2023-11-14T22:13:20Z\t2023-11-14T22:13:30Z\t{x="1",__name__="a"} {__name__="b"}\n%s\t-\t-\t{__name__="a"}' "$id" "$second")"
expect_eq "pending, json" "$(promstore undelete -d D --json | python3 -c 'import json,sys; print([d["id"] for d in json.load(sys.stdin)])')" "[$id, $second]"
expect_code "undelete" 0 promstore undelete -d D "$id"
expect_eq "the first is back, the second not" "$(all)" 'b 4'
expect_code "undelete twice" 1 promstore undelete -d D "$id"
expect_has "undelete twice" "$err" "^promstore: no deletion $id is pending"
expect_code "undelete the second" 0 promstore undelete -d D "$second"
expect_eq "as before" "$(all)" "$whole"
expect_code "nothing to delete" 0 promstore delete -d D none
expect_has "nothing to delete" "$out" '^0 series, 0 samples, about 0 B: nothing to delete$'

# Compaction makes it final, and gives the room back.
id=$(promstore delete -d D a --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')
expect_code "compact" 0 promstore compact -d D
expect_has "compact" "$out" '^1 blocks of .* became 1 of'
expect_eq "no tombstones are left" "$(ls D | grep -c tombstones || true)" 0
expect_code "undelete after compaction" 1 promstore undelete -d D "$id"
expect_has "undelete after compaction" "$err" "^promstore: no deletion $id is pending: never made, undone, or compacted$"
expect_eq "the rest" "$(all)" "b 4"
expect_code "verify" 0 promstore verify -d D

# Through a running store.
start serve promstore serve -d D --log.level error --storage.tsdb.retention.time 0
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
now=$(date +%s)000
printf 'a 6 %s\nc 7 %s\n' "$now" "$now" | promstore append -d D
expect_code "delete, running" 0 promstore delete -d D c b
id=${out##* }
expect_eq "deleted, running" "$(all)" "a 6"
expect_code "undelete, running" 0 promstore undelete -d D "$id"
expect_eq "back, running" "$(all)" "a 6;b 4;c 7"
expect_code "compact, running" 0 promstore compact -d D --json
expect_eq "compacted, running" "$(python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["blocks"])' <<<"$out") $(all)" "2 a 6;b 4;c 7"
kill -9 "$(cat serve.pid)"; wait "$(cat serve.pid)" || true
expect_eq "after kill -9" "$(all)" "a 6;b 4;c 7"

# A store that takes no requests: an append that goes on.
mkfifo pipe
promstore append -d D <pipe &
pid=$!
exec 3>pipe
wait_for "the append" 5 bash -c "promstore info -d D | grep -q 'pid $pid'"
expect_code "a writer without requests" 1 promstore delete -d D a
expect_has "a writer without requests" "$err" "^promstore: D is being written by pid $pid, which takes no requests; try again when it has ended$"
exec 3>&-
wait $pid
expect_code "no matcher" 2 promstore delete -d D
expect_code "an empty matcher" 2 promstore delete -d D ''
expect_code "no directory" 1 promstore delete -d none a
expect_code "bad id" 2 promstore undelete -d D x
expect_code "compact nothing" 1 promstore compact -d none

# A block that is written anew for a deletion keeps its place: the import after it still wins.
printf 'x 1 1600000000000\ny 1 1599990000000\n' | promstore import - -d O 2>/dev/null
printf 'x 2 1600000000000\n' | promstore import - -d O 2>/dev/null
promstore delete -d O y >/dev/null
expect_eq "before" "$(promstore dump -d O)" "x 2 1600000000000"
expect_code "compact" 0 promstore compact -d O
expect_eq "the later import still wins" "$(promstore dump -d O)" "x 2 1600000000000"

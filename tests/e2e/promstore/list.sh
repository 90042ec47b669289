# ls and info: tab-separated in a pipe, JSON on request.
. "$E2E/lib.sh"
printf 'a 1 1000\na 2 2000\nb 3 1000\n' | promstore append -d D
expect_eq "ls" "$(promstore ls -d D | cut -f1-6)" "$(printf 'NAME\tLEVEL\tFROM\tTO\tSERIES\tSAMPLES\nhead/00000001\thead\t1970-01-01T00:00:01Z\t1970-01-01T00:00:02Z\t2\t3')"
json=$(promstore ls -d D --json)
expect_eq "ls --json" "$(python3 -c 'import json,sys; p=json.load(sys.stdin)[0]; print(p["name"], p["kind"], p["min_time"], p["max_time"], p["series"], p["samples"])' <<<"$json")" "head/00000001 head 1000 2000 2 3"
info=$(promstore info -d D)
expect_has "series" "$info" '^series: +2$'
expect_has "samples" "$info" '^samples: +3$'
expect_eq "info --json" "$(promstore info -d D --json | python3 -c 'import json,sys; p=json.load(sys.stdin); print(p["series"], p["samples"], p["writer_pid"], p["clean"])')" "2 3 0 True"
expect_eq "flag of upstream" "$(promstore dump --storage.tsdb.path=D b)" "b 3 1000"

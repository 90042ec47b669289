# Commands that rewrite what is stored (import, compact, delete, relabel, snapshot), killed in the middle and on a
# full disk: the directory opens, has what it had or all of the command's work, and the command succeeds after that.
. "$E2E/lib.sh"
if [ "${IN_NAMESPACE:-}" != 1 ] && unshare -rm true 2>/dev/null; then
  IN_NAMESPACE=1 exec unshare -rm bash -eu -o pipefail "$0" || exit 1
fi
generate() { awk -v from="$1" -v add="$2" 'BEGIN { for (s = 0; s < 100; s++) for (i = 0; i < 150; i++) printf "m{s=\"%d\",host=\"h%d:9100\"} %.3f %.0f\n", s, s % 7, (i * s * 7919 % 100003) / 7 + add, from + i * 15000 }'; }
generate 1700000000000 0 >one.txt
generate 1700000600000 1 >two.txt
generate 1690000000000 2 >import.txt
promstore import one.txt -d W 2>/dev/null
promstore import two.txt -d W 2>/dev/null
echo 'head 1 1700100000000' | promstore append -d W
promstore delete -d W 'm{s="3"}' --start 1700000100 >/dev/null
printf 'relabel_configs: [{source_labels: [host], regex: "(.*):9100", target_label: host}, {action: drop, source_labels: [s], regex: "8"}]\n' >rules.yml

# words COMMAND DIR: the words of it in ${cmd[@]}
words() {
  case $1 in
    import) cmd=(promstore import import.txt -d "$2") ;;
    compact) cmd=(promstore compact -d "$2") ;;
    delete) cmd=(promstore delete -d "$2" 'm{s="7"}') ;;
    relabel) cmd=(promstore relabel -d "$2" --config rules.yml) ;;
    snapshot) rm -rf "$2.snapshot"; cmd=(promstore snapshot "$2.snapshot" -d "$2") ;;
  esac
}
run() { words "$1" "$2"; "${cmd[@]}"; }
# check WHAT COMMAND DIR: DIR is sound, and the command does its work now
check() {
  promstore dump -d "$3" >now.txt 2>now.err || fail "$1: cannot be read: $(cat now.err)"
  [ ! -s now.err ] || fail "$1: $(cat now.err)"
  cmp -s now.txt W.dump || cmp -s now.txt "$2.dump" || fail "$1: neither as before nor as after"
  promstore verify -d "$3" >/dev/null 2>&1 || fail "$1: verify: $(promstore verify -d "$3" 2>&1)"
  run "$2" "$3" >run.out 2>&1 || fail "$1: again: $(cat run.out)"
  cmp -s <(promstore dump -d "$3") "$2.dump" || fail "$1: again: not as after"
  [ "$2" != snapshot ] || cmp -s <(promstore dump -d "$3.snapshot") W.dump || fail "$1: the snapshot is not what was there"
  # One that had no lock yet when its maker was killed goes a minute later.
  left=$(ls "$3/staging" 2>/dev/null | grep -v '[.]new$' || true)
  [ -z "$left" ] || fail "$1: staging is left: $left"
}
promstore dump -d W >W.dump
for c in import compact delete relabel snapshot; do
  rm -rf D D.snapshot; cp -r W D
  t0=$(date +%s%N)
  run $c D >/dev/null 2>&1
  eval "ms_$c=$((($(date +%s%N) - t0) / 1000000 + 5))"
  promstore dump -d D >$c.dump
done

# Killed, alone and through a store that is killed with it.
start_store() { start serve promstore serve -d D --log.level error --storage.tsdb.retention.time 0; wait_for "the store" 10 grep -q "\"pid\":$(cat serve.pid),.*\"ready\":true" D/run/promstore.json; }
killed=0
for c in import compact delete relabel snapshot; do
  ms=ms_$c
  for round in 1 2 3 4 5 6; do
    for with in alone store; do
      rm -rf D D.snapshot D.snapshot.partial; cp -r W D
      [ $with = alone ] || start_store
      words $c D
      "${cmd[@]}" >/dev/null 2>&1 &
      pid=$!
      sleep "$(awk -v ms="${!ms}" -v r=$round 'BEGIN { printf "%.4f", ms * r / 6000 }')"
      kill -9 $pid 2>/dev/null && killed=$((killed + 1))
      [ $with = alone ] || kill -9 "$(cat serve.pid)"
      wait $pid 2>/dev/null || true
      [ $with = alone ] || wait "$(cat serve.pid)" 2>/dev/null || true
      check "$c, killed ($with, round $round)" $c D
    done
  done
done
[ $killed -gt 10 ] || fail "only $killed commands were killed"

# A full disk, to the last byte.
mkdir M
mount -t tmpfs -o size=24m tmpfs M 2>/dev/null || skip "no tmpfs here: full disks not tried; $killed commands killed and all is well"
for c in import compact delete relabel snapshot; do
  for free in 0 16 64 128 256; do
    what="$c, $free KiB left"
    rm -rf M/D M/D.snapshot M/D.snapshot.partial M/filler
    cp -r W M/D
    dd if=/dev/zero of=M/filler bs=64k status=none 2>/dev/null || true
    truncate -s -${free}k M/filler
    code=0; run $c M/D >run.out 2>&1 || code=$?
    if [ $code -ne 0 ]; then grep -q '[Nn]o space' run.out || fail "$what: does not say why: $(cat run.out)"; fi
    promstore dump -d M/D >now.txt 2>now.err || fail "$what: cannot be read beside a full disk: $(cat now.err)"
    cmp -s now.txt $c.dump || { [ $code -ne 0 ] && cmp -s now.txt W.dump; } || fail "$what: exit code $code, but neither as before nor as after"
    rm M/filler
    check "$what, then room" $c M/D
  done
done
echo "$killed commands killed, 25 on full disks"

# A truncated or changed file: verify names it and exits with 3; the rest can still be read. A newer format is
# refused by name.
. "$E2E/lib.sh"
awk 'BEGIN { for (i = 0; i < 200; i++) { for (s = 0; s < 20; s++) printf "m{s=\"%d\"} %d %.0f\n", s, i * s, 1700000000000 + i * 15000; print "" } }' >in.txt
promstore append -d D <in.txt
expect_code "a sound directory" 0 promstore verify -d D
whole=$(promstore dump -d D | wc -l)
expect_eq "samples" "$whole" 4000

cp -r D T
chunks=$(find T -name 'chunks-*' | head -1)
[ -n "$chunks" ] || fail "no chunks file"
truncate -s $(($(stat -c %s "$chunks") / 2)) "$chunks"
expect_code "truncated chunks" 3 promstore verify -d T
expect_has "truncated chunks" "$out" 'chunks-'
code=0
promstore dump -d T >t.txt 2>t.err || code=$?
[ "$code" -eq 3 ] || fail "dump of damaged data: exit code $code"
[ "$(wc -l <t.txt)" -lt "$whole" ] || fail "nothing is missing"
# What is there is right.
awk '{ split($1, a, "\""); if ($2 != ($3 - 1700000000000) / 15000 * a[2]) exit 1 }' t.txt || fail "a wrong value"

# A changed byte in the middle of each file: either nothing is lost by it, or verify says so; never a wrong value.
promstore dump -d D >whole.txt
for f in $(cd D && find . -type f -size +0 ! -name lock); do
  rm -rf V
  cp -r D V
  python3 -c 'import sys; f = open(sys.argv[1], "r+b"); b = bytearray(f.read()); b[len(b) // 2] ^= 0x10; f.seek(0); f.write(b)' "V/$f"
  dumped=0 verified=0
  promstore dump -d V >v.txt 2>v.err || dumped=$?
  promstore verify -d V >verify.txt 2>&1 || verified=$?
  for code in $dumped $verified; do [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || fail "$f: exit code $code: $(cat v.err verify.txt)"; done
  if ! cmp -s whole.txt v.txt; then
    [ "$dumped" -eq 3 ] || fail "$f: dump lost something without a word"
    [ "$verified" -eq 3 ] || fail "$f: verify did not find the damage"
    [ -z "$(comm -13 <(sort whole.txt) <(sort v.txt))" ] || fail "$f: dump has what was not there: $(comm -13 <(sort whole.txt) <(sort v.txt) | head -3)"
  fi
done

# A newer format is refused by name.
cp -r D N
python3 - N/CURRENT <<'PY'
import sys
f = open(sys.argv[1], "r+b")
b = bytearray(f.read())
b[8:12] = (2).to_bytes(4, "little")
crc = 0xffffffff
for x in b[:12]:
    crc ^= x
    for _ in range(8):
        crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
b[12:16] = (crc ^ 0xffffffff).to_bytes(4, "little")
f.seek(0)
f.write(b)
PY
expect_code "a newer format, reading" 1 promstore dump -d N
expect_has "a newer format, reading" "$err" 'format version 2.*reads 1'
expect_code "a newer format, writing" 1 promstore append -d N </dev/null
expect_has "a newer format, writing" "$err" 'format version 2.*reads 1'

# Input nobody should send, directories nobody should name: one clear line, the right exit code, no crash; what
# is good around it is stored.
. "$E2E/lib.sh"
command -v promql >/dev/null || skip "no promql"

# feed WHAT CODE PATTERN SAMPLES: `input` into append, alone and through a store; SAMPLES of `good` are there after.
feed() {
  local what=$1 want=$2 pattern=$3 samples=$4 code
  for how in alone "through a store"; do
    rm -rf D; mkdir -p D
    if [ "$how" != alone ]; then
      promstore serve -d D --log.level error 2>serve.err & serve=$!
      wait_for "the store" 5 test -S D/ingest.sock
    fi
    code=0
    timeout 30 promstore append -d D <input >.out 2>.err || code=$?
    if [ "$how" != alone ]; then
      kill -0 $serve 2>/dev/null || fail "$what: the store has died: $(cat serve.err)"
      kill $serve; wait $serve || fail "$what: the store ended with $?"
    fi
    [ $code -eq "$want" ] || fail "$what, $how: exit code $code, want $want: $(head -c 500 .err)"
    [ -z "$pattern" ] || expect_has "$what, $how" "$(tr -d '\0' <.err)" "$pattern"
    [ "$(wc -l <.err)" -le 12 ] || fail "$what, $how: $(wc -l <.err) lines of errors"
    [ "$(wc -c <.err)" -le 8000 ] || fail "$what, $how: $(wc -c <.err) bytes of errors"
    LC_ALL=C grep -q '[[:cntrl:]]' .err && fail "$what, $how: control characters in the error: $(cat -v .err | head -3)"
    expect_eq "$what, $how: good samples" "$(promstore dump -d D good 2>/dev/null | grep -c . || true)" "$samples"
    expect_code "$what, $how: verify" 0 promstore verify -d D
    cp .err "err.$how"
  done
}
good() { echo "good{n=\"$1\"} $1 1700000000000"; }

{ good 1; printf 'bad\0name 1\nbad{a="x\0"} 2\n'; good 2; } >input
feed "zero bytes" 1 'line 2: ' 2
{ good 1; printf 'a{b="'; head -c 2097152 /dev/zero | tr '\0' x; printf '"} 1\n'; good 2; } >input
feed "a line of 2 MiB" 1 'line 2: ' 2
{ good 1; head -c 2097152 /dev/zero | tr '\0' x; } >input
feed "2 MiB without an end" 1 'line 2: ' 1
{ good 1; printf 'bad{a="\xff\xfe"} 1\nb\xc3\x28d 2\n'; good 2; } >input
feed "bad UTF-8" 1 'line 2: ' 2
{ good 1; printf 'bad{a="open} 1\nbad{a="x" 1\nbad{a=} 1\n{} 1\nbad{a="\\q"} x\n'; good 2; } >input
feed "unclosed quotes and braces" 1 'line 2: ' 2
{ good 1; good 2 | tr -d '\n'; } >input
feed "no newline at the end" 0 '' 2
{ good 1; printf 'good{n="2"'; } >input
feed "a line cut in the middle" 1 'line 2: ' 1
{ good 1; printf 'bad 1 99999999999999999999\nbad 1 1.5.5\nbad 0x\nbad 1 2 3 4\n'; good 2; } >input
feed "bad numbers" 1 'line 2: ' 2
{ good 1; printf '#@histogram h 1 int schema:999 spans:99999999999*1\n#@stale\n#@frob x\n#@value a 0x1\n'; good 2; } >input
feed "bad directives" 1 'line 2: ' 2
printf '' >input
feed "nothing" 0 '' 0
python3 -c 'import random,sys; r=random.Random(7); sys.stdout.buffer.write(bytes(r.randrange(1,256) for _ in range(300000)).replace(b"\x89",b"x"))' >input
feed "junk" 1 'line 1: ' 0

# Binary: a good stream, then cut, changed, of another version.
good 1 | promstore append -d S; good 2 | promstore append -d S
promstore dump -b -d S >stream
cp stream input; feed "a binary stream" 0 '' 2
size=$(stat -c %s stream)
head -c $((size - 7)) stream >input; feed "a binary stream that is cut off" 3 'promstore: .*' 0
expect_eq "a cut stream, alone: lines" "$(wc -l <err.alone)" 1
for at in 9 20 45; do
  cp stream input; printf '\x55' | dd of=input bs=1 seek=$at conv=notrunc status=none
  code=0; promstore append -d X <input 2>.err >/dev/null || code=$?
  [ $code -eq 1 ] || [ $code -eq 3 ] || [ $code -eq 2 ] || fail "a changed byte $at: exit code $code"
  expect_eq "a changed byte $at: lines" "$(wc -l <.err)" 1
  expect_eq "a changed byte $at: nothing is stored" "$(promstore dump -d X 2>/dev/null | wc -l)" 0
done
{ head -c 6 stream; printf '\x63\0'; tail -c +9 stream; } >input
feed "a newer binary stream" 1 'version 99' 0
{ printf '\x89PSTR\n\x01\0'; head -c 100000 /dev/urandom; } >input
code=0; timeout 20 promstore append -d X <input 2>.err >/dev/null || code=$?
[ $code -ge 1 ] && [ $code -le 3 ] || fail "junk behind a binary header: exit code $code"

# Directories.
one_line() { expect_eq "$1: lines" "$(wc -l <<<"$err")" 1; expect_has "$1" "$err" "^prom(store|ql): .*$2"; }
all() { # WHAT DIR CODES PATTERN
  local c
  for c in "promstore dump -d $2" "promstore verify -d $2" "promstore info -d $2" "promstore ls -d $2" "promstore tail -d $2" "promql -d $2 up" "timeout 5 promstore serve -d $2 --log.level error" "promstore append -d $2"; do
    code=0
    # shellcheck disable=SC2086
    $c <input >.out 2>.err || code=$?
    err=$(cat .err)
    [[ " $3 " = *" $code "* ]] || fail "$1: $c: exit code $code, want one of $3: $err"
    one_line "$1: $c" "$4"
  done
}
good 1 >input
echo hello >file
all "a file" file "1 2 3" file
all "below a file" file/D "1 2 3" file
cp -r S newer; printf '\x63' | dd of=newer/CURRENT bs=1 seek=8 conv=notrunc status=none
python3 - newer/CURRENT <<'PY'
import struct, sys
def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8): crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF
with open(sys.argv[1], "r+b") as f:
    head = f.read(12)
    f.seek(12)
    f.write(struct.pack("<I", crc32c(head)))
PY
all "a newer format" newer "1 2 3" 'version 99'
if [ "$(id -u)" -ne 0 ]; then
  cp -r S closed; chmod 000 closed
  all "no permission" closed "1" '[Pp]ermission denied'
  chmod 700 closed
elif command -v setpriv >/dev/null; then
  cp -r S closed; chmod 000 closed; chmod 755 .
  for c in "promstore dump -d closed" "promql -d closed up" "promstore append -d closed" "promstore serve -d closed --log.level error"; do
    # shellcheck disable=SC2086
    setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null || break
    code=0
    # shellcheck disable=SC2086
    setpriv --reuid=65534 --regid=65534 --clear-groups timeout 5 $c <input >.out 2>.err || code=$?
    err=$(cat .err)
    case $code in 126 | 127) break ;; esac  # the programs themselves are out of its reach
    [ $code -eq 1 ] || fail "no permission: $c: exit code $code: $err"
    one_line "no permission: $c" '[Pp]ermission denied'
  done
fi
start serve promstore serve -d W --log.level error
wait_for "the store" 5 test -S W/ingest.sock
expect_code "another writer" 1 promstore serve -d W; one_line "another writer" "is being written by pid $(cat serve.pid)"

# The same samples in our store and in Debian's prometheus: equal answers to the same questions.
. "$E2E/lib.sh"
code=0
TMPDIR=$PWD "$SOURCE/scripts/compare-prometheus" --only queries --random 300 --bin "$BIN" >out.txt 2>&1 || code=$?
[ $code -ne 77 ] || skip "Debian's prometheus is not installed"
[ $code -eq 0 ] || { cat out.txt >&2; fail "answers differ"; }
expect_has "a summary" "$(cat out.txt)" '^0 unexplained differences'

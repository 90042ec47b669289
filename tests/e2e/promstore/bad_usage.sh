# One clear line and the right exit code for each way to be wrong.
. "$E2E/lib.sh"
one_line() { expect_eq "$1: lines of standard error" "$(wc -l <<<"$err")" 1; expect_has "$1" "$err" "^promstore: .*$2"; }
expect_code "no command" 2 promstore; one_line "no command" "want a command"
expect_code "unknown command" 2 promstore frob; one_line "unknown command" "see --help"
expect_code "unknown flag" 2 promstore dump --frob; one_line "unknown flag" "see --help"
expect_code "bad matcher" 2 promstore dump -d D 'up{'; one_line "bad matcher" "matcher"
expect_code "bad time" 2 promstore dump -d D --start yesterday; one_line "bad time" "start"
expect_code "bad fsync" 2 promstore append -d D --fsync often </dev/null; one_line "bad fsync" "fsync"
expect_code "bad label" 2 promstore append -d D --label =x </dev/null; one_line "bad label" "NAME=VALUE"
expect_code "bad size" 2 promstore serve -d D --storage.tsdb.retention.size lots; one_line "bad size" "lots"
expect_code "bad log level" 2 promstore serve -d D --log.level loud; one_line "bad log level" "loud"
for c in dump tail ls info verify; do
  expect_code "$c: no directory" 1 promstore $c -d none
  one_line "$c: no directory" none
done
mkdir empty
expect_code "an empty directory" 1 promstore dump -d empty; one_line "an empty directory" empty
expect_code "a file" 1 promstore append -d /dev/null </dev/null; one_line "a file" /dev/null
for c in "" serve append import export analyze dump tail ls info verify delete undelete compact snapshot; do
  expect_code "help of $c" 0 promstore $c --help
  [ "$(wc -l <.out)" -le 24 ] || fail "help of $c does not fit a screen"
  expect_has "help of $c" "$out" '^usage: promstore'
done
expect_code "version" 0 promstore --version; expect_has "version" "$out" '^promstore, version [0-9]'

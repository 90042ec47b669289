# Some rounds of scripts/crash-test: kill -9 under load beside readers (100 by hand: scripts/crash-test --bin build/bin).
. "$E2E/lib.sh"
command -v promql >/dev/null || skip "no promql"
timeout 300 "$SOURCE/scripts/crash-test" --kills "${KILLS:-10}" --bin "$BIN" --keep "$PWD/serve"
timeout 120 "$SOURCE/scripts/crash-test" --kills "${KILLS:-6}" --mode writer-kill --bin "$BIN" --keep "$PWD/writer"

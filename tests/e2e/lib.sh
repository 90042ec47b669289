# Helpers for end-to-end cases; source with: . "$E2E/lib.sh"

fail() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }
skip() { printf 'skipped: %s\n' "$*"; exit 77; }

# expect_eq WHAT GOT WANT
expect_eq() { [ "$2" = "$3" ] || { printf 'FAIL: %s\n--- got\n%s\n--- want\n%s\n' "$1" "$2" "$3" >&2; exit 1; }; }

# expect_has WHAT TEXT PATTERN: some line of TEXT matches the extended regex
expect_has() { grep -Eq -- "$3" <<<"$2" || { printf 'FAIL: %s: no line matches %s\n--- in\n%s\n' "$1" "$3" "$2" >&2; exit 1; }; }

# expect_code WHAT WANT COMMAND...: runs the command and compares its exit code; output in $out and $err
expect_code() {
  local what=$1 want=$2 code=0
  shift 2
  "$@" >.out 2>.err || code=$?
  out=$(cat .out) err=$(cat .err)
  [ "$code" -eq "$want" ] || { printf 'FAIL: %s: exit code %s, want %s\n--- stderr\n%s\n--- stdout\n%s\n' "$what" "$code" "$want" "$err" "$out" >&2; exit 1; }
}

# free_port: a TCP port of 127.0.0.1 that nothing listens on
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

# wait_for WHAT SECONDS COMMAND...: polls until the command succeeds
wait_for() {
  local what=$1 tries=$(($2 * 20))
  shift 2
  for ((i = 0; i < tries; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done
  fail "timed out waiting for $what"
}

# start NAME COMMAND...: runs in the background, log in NAME.log, pid in NAME.pid; all are ended with the case
_pids=()
start() {
  local name=$1
  shift
  "$@" >"$name.out" 2>"$name.log" &
  _pids+=($!)
  echo $! >"$name.pid"
}
stop_all() { for p in "${_pids[@]:-}"; do [ -n "$p" ] && kill "$p" 2>/dev/null && { wait "$p" 2>/dev/null || true; }; done; true; }  # || true: set -e holds in a trap, too
trap stop_all EXIT

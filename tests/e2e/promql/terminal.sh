# On a terminal (a pty): the REPL, --watch, colours, and labels that would drive the terminal.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
printf 'evil{x="\\u001b]0;owned\\u0007",y="\xc2\x9b31m"} 1 1767226200000\n' | sed 's/\\u001b/\x1b/; s/\\u0007/\x07/' | promstore append -d "$DATA"
export DATA XDG_STATE_HOME=$PWD/state TERM=xterm COLUMNS=80 LINES=24
cat >term.py <<'P'
# term.py SCRIPT... : each argument is "> text to type" or "< text to wait for"; then the program ends.
import os, pty, select, signal, sys, time
def run(argv, script, timeout=40):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    seen, mark, deadline = b'', 0, time.time() + timeout
    def pump(wait):
        nonlocal seen
        r, _, _ = select.select([fd], [], [], wait)
        if not r: return True
        try: data = os.read(fd, 65536)
        except OSError: return False
        seen += data
        return bool(data)
    for step in script:
        kind, text = step[0], step[2:].encode().decode('unicode_escape').encode('latin-1')
        if kind == '>': os.write(fd, text)
        elif kind == '!': os.kill(pid, getattr(signal, text.decode()))
        else:
            while text not in seen[mark:]:
                if time.time() > deadline or not pump(0.1) and text not in seen[mark:]:
                    os.kill(pid, signal.SIGKILL); sys.exit('no %r in %r' % (text, seen[mark:]))
            mark = seen.index(text, mark) + len(text)
    while time.time() < deadline and pump(0.1): pass
    got = 0
    while got == 0 and time.time() < deadline:
        got, status = os.waitpid(pid, os.WNOHANG)
        if got == 0: time.sleep(0.02)
    if got == 0:
        os.kill(pid, signal.SIGKILL); sys.exit('it does not end; seen %r' % seen[mark:])
    sys.stdout.buffer.write(seen)
    code = os.waitstatus_to_exitcode(status)
    if code != 0: sys.exit('exit code %d; seen %r' % (code, seen))
cut = sys.argv.index('--')
run(sys.argv[1:cut], sys.argv[cut + 1:])
P
tty() { python3 term.py "$@"; }
END=2026-01-01T00:10:00Z

# A table, bold head, and nothing of a label that is a control sequence.
out=$(tty promql -d "$DATA" -t "$END" evil -- '< x1b]0;owned')
case $out in *$'\x1b]0'* | *$'\xc2\x9b'*) fail "a label drives the terminal" ;; esac
case $out in *$'\x1b[1m'*) ;; *) fail "no bold head on a terminal: $out" ;; esac
out=$(NO_COLOR=1 tty promql -d "$DATA" -t "$END" up -- '< instance')
case $out in *$'\x1b'*) fail "escape sequences with NO_COLOR" ;; esac
for form in json jsonl csv tsv prom; do
  out=$(tty promql -d "$DATA" -t "$END" -o $form evil -- '< owned')
  case $out in *$'\x1b]0'* | *$'\xc2\x9b'*) fail "a label drives the terminal with -o $form" ;; esac
done
out=$(tty promql series -d "$DATA" evil -- '< owned')
case $out in *$'\x1b]0'* | *$'\xc2\x9b'*) fail "a label drives the terminal in series" ;; esac

# The REPL: an expression, one over two lines, completion of metric, label and value, commands, Ctrl-C, Ctrl-D.
tty promql -d "$DATA" -- '< promql> ' \
  '> \\now 2026-01-01T00:10:00Z\r' '< promql@2026' \
  '> reque\t' '< sts_total' '> {inst\t' '< ance=' '> "a\t' '< :9100' '> "}\r' '< 1200' '< promql@' \
  '> sum(\r' '< ...> ' '> requests_total)\r' '< 1200' '< promql@' \
  '> up{' '> \x03' '< ^C' '< promql@' \
  '> \\d requests_total\r' '< requests_total  ' '< instance  1 value: a:9100' '< promql@' \
  '> \\range 2026-01-01T00:00:00Z 2026-01-01T00:10:00Z 5m\r' '< promql[2026' '> \\o csv\r' '< promql[' '> sum(up)\r' '< 1767225900000,1' '< promql[' \
  '> up{{\r\r' '< parse error' '< promql[' '> \\nonsense\r' '< unknown command' '< promql[' '> \x04' >repl.out || fail "the REPL"
history=$XDG_STATE_HOME/promkit/promql_history
expect_has "history is kept" "$(cat "$history")" '^sum\(.040requests_total\)$'
expect_eq "and is the user's own" "$(stat -c %a "$history")" 600
# What was typed is there again, one arrow up.
tty promql -d "$DATA" -t "$END" -- '< promql' '> scalar(sum(up))\r' '< 1' '< promql' '> \x1b[A' '< scalar(sum(up))' '> \x03' '< ^C' '< promql' '> \\q\r' >/dev/null || fail "history"

# From a pipe: no prompts, one expression after another, the exit code of what failed.
expect_eq "from a pipe" "$(printf 'sum(\nup)\n\n\\v job\n' | promql -d "$DATA" -t "$END")" "$(printf 'timestamp\tvalue\n1767226200000\t1\nnode')"
code=0; printf 'up{{\n\nscalar(sum(up))\n' | promql -d "$DATA" -t "$END" >.out 2>.err || code=$?
expect_eq "a bad one in a pipe" "$code" 2
expect_has "and the rest goes on" "$(cat .out)" '1$'
expect_has "its error" "$(cat .err)" 'parse error'
code=0; promql -d "$DATA" </dev/null 2>.err || code=$?
expect_eq "nothing in the pipe" "$code$(cat .err)" "2promql: want an expression (see --help)"

# --watch redraws in place, takes a new size and ends cleanly with Ctrl-C: cursor shown again, exit code 0.
out=$(tty promql -d "$DATA" -t "$END" --watch 200ms up -- '< \x1b[?25l' '< every 200ms: up' '< every 200ms: up' '! SIGWINCH' '< every' '> \x03' '< \x1b[?25h') || fail "--watch: $out"
code=0; timeout -s INT 2 promql -d "$DATA" -t "$END" --watch 300ms 'scalar(sum(up))' >.out || code=$?
[ "$(grep -c 1767226200000 .out)" -ge 3 ] || fail "--watch in a pipe prints again and again: $(cat .out)"
expect_code "--watch wants a duration" 2 promql -d "$DATA" --watch soon up
expect_code "--watch wants an expression" 2 promql -d "$DATA" --watch 5s
expect_code "--watch of what never works" 2 promql -d "$DATA" --watch 1s 'up{'

# The line that says how far an import is: on a terminal only, as wide as it is, and gone at the end.
. "$E2E/lib.sh"
python3 - >hist.txt <<'P'
for t in range(3000):
    for i in range(40):
        print('some_metric_with_a_name{series="%d",of="a history that is long enough"} %d %d' % (i, i * t, 1767225600000 + 15000 * t))
P
cat >term.py <<'P'
import fcntl, os, pty, struct, sys, termios
columns = int(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    seen += data
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
python3 term.py 24 promstore import hist.txt -d wide >seen || fail "import on a terminal: exit code $?"
tr '\r' '\n' <seen >lines
expect_has "how far" "$(cat lines)" '^reading +[0-9]+%  [0-9]+ sam'
longest=$(grep '^reading' lines | awk '{ if (length > n) n = length } END { print n }')
[ "$longest" -le 23 ] || fail "a line of $longest columns on a terminal of 24"
# Blanks over it, then the summary.
expect_has "gone at the end" "$(grep -A2 '^ \+$' lines | tail -n 3)" '^promstore: 120000 samples imported'
promstore import hist.txt -d pipe 2>err || fail "import in a pipe: exit code $?"
[ "$(grep -c reading err)" = 0 ] || fail "progress in a pipe: $(cat err)"

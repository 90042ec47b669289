# A mount whose server never answers: every scrape is answered in its deadline, the
# healthy mounts have values, threads do not pile up, and promnode ends when told.
# The mount is FUSE with nobody behind it, in a mount namespace of its own.
. "$E2E/lib.sh"

if [ "${1:-}" != inside ] && [ -z "${INSIDE:-}" ]; then
  [ "$(id -u)" = 0 ] && [ -c /dev/fuse ] && unshare -m true 2>/dev/null || skip "needs root, /dev/fuse and mount namespaces"
  code=0
  INSIDE=1 timeout 60 unshare -m bash -eu -o pipefail "$CASE/dead_mount.sh" || code=$?
  exit "$code"
fi

mkdir -p dead proc/1
python3 - "$PWD/dead" >mounted 2>mount.err <<'PY' &
import ctypes, os, sys, time
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"dead", sys.argv[1].encode(), b"fuse", 0, options) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
print("yes", flush=True)
time.sleep(50)  # while it lives nobody answers; when it ends the mount is aborted
PY
fuse=$!
trap 'kill $fuse 2>/dev/null || true; stop_all' EXIT
for ((i = 0; i < 100; i++)); do [ -s mounted ] && break; kill -0 $fuse 2>/dev/null || skip "cannot mount: $(cat mount.err)"; sleep 0.05; done

# What process 1 of this namespace would say.
cat >proc/1/mountinfo <<EOF
1 0 8:1 / / rw,relatime - ext4 /dev/root rw
2 1 0:99 / $PWD/dead rw,relatime - fuse.dead dead rw
3 1 0:98 / /dev/shm rw - tmpfs tmpfs rw
EOF
flags=(--path.procfs="$PWD/proc" --collector.disable-defaults --collector.filesystem --collector.filesystem.mount-points-exclude='^$')
port=$(free_port)
start node promnode --web.listen-address=127.0.0.1:"$port" "${flags[@]}"
url=http://127.0.0.1:$port/metrics
wait_for "the port" 5 curl -fs "http://127.0.0.1:$port/"

# The very first scrape, with 1 s to answer.
page=$(curl -fsS --max-time 1.5 -w '\ntook %{time_total}\n' -H 'X-Prometheus-Scrape-Timeout-Seconds: 1' "$url")
expect_has "dead" "$page" "^node_filesystem_device_error\{device=\"dead\",device_error=\"mountpoint timeout\",fstype=\"fuse.dead\",mountpoint=\"$PWD/dead\"\} 1$"
expect_has "alive" "$page" '^node_filesystem_size_bytes\{device="/dev/root",device_error="",fstype="ext4",mountpoint="/"\} [1-9]'
expect_has "behind the dead one" "$page" '^node_filesystem_device_error\{.*mountpoint="/dev/shm"\} 0$'
took=$(sed -n 's/^took //p' <<<"$page")
python3 -c "import sys; sys.exit(not 0.8 <= $took <= 1.2)" || fail "the first scrape took $took s, want 0.9"

# From then on nobody waits, and one thread is all it costs.
python3 - "$url" <<'PY'
import sys, time, urllib.request
slowest = 0
for _ in range(200):
    t = time.time()
    urllib.request.urlopen(sys.argv[1], timeout=2).read()
    slowest = max(slowest, time.time() - t)
if slowest > 0.8: sys.exit(f"a later scrape took {slowest:.2f} s")
PY
threads=$(ls "/proc/$(cat node.pid)/task" | wc -l)
[ "$threads" -le 5 ] || fail "$threads threads after 200 scrapes"

begin=$(date +%s%N)
kill -TERM "$(cat node.pid)"
code=0
wait "$(cat node.pid)" || code=$?
expect_eq "exit code" "$code" 0
[ $((($(date +%s%N) - begin) / 1000000)) -lt 2000 ] || fail "took over 2 s to end"

# In a shell: the mount timeout bounds it.
begin=$(date +%s%N)
expect_code "once" 0 promnode "${flags[@]}" --collector.filesystem.mount-timeout=300ms
[ $((($(date +%s%N) - begin) / 1000000)) -lt 2000 ] || fail "a single run took over 2 s"
expect_has "once" "$out" '^node_filesystem_device_error\{device="dead",device_error="mountpoint timeout",.*\} 1$'

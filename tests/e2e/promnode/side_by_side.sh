# Beside Debian's node_exporter on the same machine: the same series of our collectors.
. "$E2E/lib.sh"

upstream=$(command -v prometheus-node-exporter || true)
[ -n "$upstream" ] || skip "prometheus-node-exporter is not installed"
# Debian has its own default filters (no lo, no tmpfs), so both get the same ones here.
flags=(--collector.cpu.info --collector.stat.softirq --collector.netdev.device-exclude='^$' --collector.diskstats.device-exclude='^(z?ram|loop)'
  --collector.filesystem.fs-types-exclude='^(proc|sysfs|cgroup2?|devtmpfs|devpts|mqueue|debugfs|tracefs|securityfs|bpf|autofs|overlay|fusectl|configfs|pstore|hugetlbfs|nsfs|binfmt_misc)$'
  --collector.filesystem.mount-points-exclude='^/(dev|proc|sys)($|/)')
theirs=$(free_port)
start upstream "$upstream" --web.listen-address=127.0.0.1:"$theirs" "${flags[@]}"
ours=$(free_port)
start ours promnode --web.listen-address=127.0.0.1:"$ours" "${flags[@]}"
wait_for "upstream" 10 curl -fs "http://127.0.0.1:$theirs/"
wait_for "promnode" 10 curl -fs "http://127.0.0.1:$ours/"

query='collect[]=cpu&collect[]=stat&collect[]=meminfo&collect[]=loadavg&collect[]=diskstats&collect[]=filesystem&collect[]=netdev&collect[]=uname&collect[]=time&collect[]=vmstat&collect[]=filefd&collect[]=pressure'
curl -fsSg "http://127.0.0.1:$theirs/metrics?$query" >theirs.txt
curl -fsSg "http://127.0.0.1:$ours/metrics?$query" >ours.txt
version=$(sed -n 's/^node_exporter_build_info{.*,version="\([^"]*\)"} 1$/\1/p' theirs.txt)

python3 - "$version" <<'PY'
import re, sys

def read(name):
    series, meta, values = set(), {}, {}
    for line in open(name):
        line = line.rstrip("\n")
        if line.startswith("# "):
            kind, family, text = line[2:].split(" ", 2)
            meta.setdefault(family, {})[kind] = text
        else:
            s, v = line.rsplit(" ", 1)
            series.add(s)
            values[s] = float(v)
    return series, meta, values

ours, our_meta, our_values = read("ours.txt")
theirs, their_meta, their_values = read("theirs.txt")
node = lambda s: s.startswith("node_") and not s.startswith("node_exporter_build_info")

# What upstream added after 1.5.0, which is what Debian 12 has: seen in its 1.12 source.
def newer(s):
    return s.startswith(("node_filesystem_mount_info{", "node_pressure_irq_", "node_cpu_isolated{", "node_cpu_online{", "node_cpu_frequency_hertz{"))
def as_1_5(s):
    s = re.sub(r'device_error="",', "", s) if s.startswith("node_filesystem_") else s
    return re.sub(r'rotational="[01]",', "", s) if s.startswith("node_disk_info{") else s

old = sys.argv[1].startswith("1.5.")
ours_node = {s for s in ours if node(s)}
if old:
    ours_node = {as_1_5(s) for s in ours_node if not newer(s)}
theirs_node = {s for s in theirs if node(s)}
# A mount or device may come or go between two scrapes; the machine of a test has none that does.
missing, extra = sorted(theirs_node - ours_node), sorted(ours_node - theirs_node)
print(f"upstream {sys.argv[1]}: {len(theirs_node)} series, ours {len(ours_node)}, missing {len(missing)}, extra {len(extra)}")
for s in missing: print("missing:", s)
for s in extra: print("extra:  ", s)
bad = [f for f in their_meta if f.startswith("node_") and f in our_meta and their_meta[f] != our_meta[f]]
for f in bad: print("meta differs:", f, their_meta[f], our_meta[f])
# Values that hold still between two scrapes are the same to the last digit.
still = ("node_boot_time_seconds", "node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_uname_info", "node_filefd_maximum", "node_cpu_info")
wrong = [s for s in their_values if s.startswith(still) and our_values.get(s) != their_values[s]]
for s in wrong: print("value differs:", s, their_values[s], our_values.get(s))
process = {"process_cpu_seconds_total", "process_max_fds", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
           "process_virtual_memory_bytes", "process_virtual_memory_max_bytes"}
if not process <= ours: print("missing:", process - ours)
sys.exit(1 if missing or extra or bad or wrong or not process <= ours or len(theirs_node) < 100 else 0)
PY

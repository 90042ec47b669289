# A flipped bit and a cut at many places of each kind of file of a data directory with blocks and head. Readers,
# verify and a starting writer end in good order; what is answered is right; what is lost is said.
. "$E2E/lib.sh"
command -v promql >/dev/null || skip "no promql"
FLIPS=${FLIPS:-20} CUTS=${CUTS:-10} SEED=${SEED:-1} python3 - <<'PY'
import collections, os, random, shutil, signal, subprocess, sys, time
from concurrent.futures import ThreadPoolExecutor

FLIPS, CUTS = int(os.environ["FLIPS"]), int(os.environ["CUTS"])
rng = random.Random(int(os.environ["SEED"]))
T0, STEP = 1699200000000, 60_000

def run(*command, **kw):
    try:
        p = subprocess.run(command, capture_output=True, timeout=60, **kw)
    except subprocess.TimeoutExpired:
        return None, b"", b"hangs"
    return p.returncode, p.stdout, p.stderr

def page(i):
    t = T0 + i * STEP
    out = ["# TYPE m counter"] if i == 0 else []
    out += ['m{s="%d"} %d %d' % (s, i * (s + 1), t) for s in range(10)]
    out += ['odd %r %d' % ((i * 7919 % 1000) / 7, t), 'churn{gen="%d"} %d %d' % (i // 50, i, t)]
    if i % 5 == 0:
        out.append('#@histogram h %d int schema:3 zero_threshold:0.001 zero_count:1 count:6 sum:%d spans:0*2,3*1 buckets:2,2,1' % (t, i + 1))
        out.append('#@exemplar m{s="0"} {trace_id="t%d"} 0.5 %d' % (i, t))
    return "\n".join(out) + "\n\n"

# Seven hours: epochs of the head. A store that runs for over 10 s turns the closed ones into blocks.
N = 420
code, _, err = run("promstore", "append", "-d", "D", input="".join(map(page, range(N))).encode())
assert code == 0, err
serve = subprocess.Popen(["promstore", "serve", "-d", "D", "--storage.tsdb.retention.time", "0", "--log.level", "warn"])
for _ in range(400):
    if os.path.isdir("D/blocks") and os.listdir("D/blocks") and len(os.listdir("D/head")) == 1: break
    time.sleep(0.05)
else:
    sys.exit("FAIL: no blocks within 20 s")
# Closed epochs again, and chunks in the newest.
code, _, err = run("promstore", "append", "-d", "D", input="".join(map(page, range(N, N + 330))).encode())
assert code == 0, err
serve.send_signal(signal.SIGTERM)
assert serve.wait(10) == 0
shutil.rmtree("D/run", ignore_errors=True)
END = (T0 + (N + 400) * STEP) // 1000

QUERY = ("promql", "-d", None, "-o", "csv", "-t", str(END), '{__name__=~"m|odd|churn"}[1000h]')
def query(d): return run(*[d if x is None else x for x in QUERY])
def lines(out): return collections.Counter(out.decode(errors="replace").splitlines())

code, base_dump, err = run("promstore", "dump", "-d", "D")
assert code == 0 and not err, err
code, base_query, err = query("D")
assert code == 0 and not err, err
base_dump, base_query = lines(base_dump), lines(base_query)
assert sum(base_dump.values()) > (N + 330) * 12, "the directory is not whole before anything is damaged"

kinds = collections.defaultdict(list)
for folder, _, names in os.walk("D"):
    for name in names:
        path = os.path.join(folder, name)
        if name in ("lock",) or not os.path.getsize(path): continue
        where = "block/" if "/blocks/" in path else "head/" if "/head/" in path else ""
        kinds[where + name.rstrip("0123456789").rstrip("-") if name.rstrip("0123456789").endswith("-") else where + name].append(path)

problems, stats = [], collections.defaultdict(collections.Counter)

def one(job):
    kind, path, what, at = job
    copy = "copy%d" % job_number[job]
    shutil.copytree("D", copy)
    target = copy + path[1:]
    if what == "flip":
        with open(target, "r+b") as f:
            f.seek(at // 8)
            b = f.read(1)[0] ^ (1 << at % 8)
            f.seek(at // 8)
            f.write(bytes([b]))
    else:
        os.truncate(target, at)
    name = "%s: %s at %s" % (path, what, "byte %d bit %d" % divmod(at, 8) if what == "flip" else at)
    def bad(text): problems.append(name + ": " + text)
    def ended(tool, code, err, allowed):
        if code is None or code not in allowed: bad("%s ended with %s: %s" % (tool, code, err.decode(errors="replace")[-1500:])); return False
        if code == 1 and not err.strip(): bad("%s failed without a word" % tool)
        return True
    lost, before = False, collections.Counter()
    for tool, base, (code, out, err) in (("promql", base_query, query(copy)), ("dump", base_dump, run("promstore", "dump", "-d", copy))):
        if not ended(tool, code, err, (0, 1, 3)): continue
        got = lines(out)
        extra = got - base
        if extra and not (got.keys() <= {""}): bad("%s: %d lines that were never stored: %s" % (tool, sum(extra.values()), list(extra)[:3]))
        if base - got:
            lost = True
            if not err.strip() and code == 0: bad("%s: %d of %d lines are silently missing: %s" % (tool, sum((base - got).values()), sum(base.values()), list(base - got)[:3]))
        if tool == "dump": before = got
    code, out, err = run("promstore", "verify", "-d", copy)
    if ended("verify", code, err, (0, 1, 3)) and lost and code == 0: bad("verify finds nothing, yet answers differ: %s" % err.decode())
    found = code != 0
    newest = T0 + (N + 331) * STEP
    wcode, out, werr = run("promstore", "append", "-d", copy, input=("new 1 %d\n" % newest).encode())
    ended("append", wcode, werr, (0, 1, 3))
    code, out, err = run("promstore", "dump", "-d", copy)
    if ended("dump after append", code, err, (0, 1, 3)):
        got = lines(out)
        extra = got - base_dump - collections.Counter(["new 1 %d" % newest])
        if extra: bad("after append: %d lines that were never stored: %s" % (sum(extra.values()), list(extra)[:3]))
        if wcode == 0 and "new 1 %d" % newest not in got: bad("after append: the appended sample is missing: %s %s" % (werr.decode(), err.decode()))
        if before - got and not werr.strip() and not err.strip() and code == 0: bad("after append: %d lines less than before, without a word" % sum((before - got).values()))
    stats[kind]["damaged"] += 1
    stats[kind]["lossy"] += lost
    stats[kind]["found"] += found
    stats[kind]["refused by the writer"] += wcode != 0
    shutil.rmtree(copy)

jobs = []
for kind, paths in sorted(kinds.items()):
    for i in range(FLIPS):
        path = rng.choice(paths)
        size = os.path.getsize(path)
        # The beginning, where headers are, as often as the rest.
        limit = min(size, 64) if i % 2 else size
        jobs.append((kind, path, "flip", rng.randrange(limit * 8)))
    for i in range(CUTS):
        path = rng.choice(paths)
        size = os.path.getsize(path)
        jobs.append((kind, path, "cut", 0 if i == 0 else size - 1 if i == 1 else rng.randrange(size)))
jobs = list(dict.fromkeys(jobs))
job_number = {job: i for i, job in enumerate(jobs)}
with ThreadPoolExecutor(2) as pool: list(pool.map(one, jobs))
for kind, s in sorted(stats.items()): print("%-18s %s" % (kind, ", ".join("%d %s" % (v, k) for k, v in s.items())))
for p in problems[:int(os.environ.get("SHOW", "20"))]: print("FAIL:", p, file=sys.stderr)
if problems: sys.exit("FAIL: %d problems in %d damaged copies" % (len(problems), len(jobs)))
print("%d damaged copies, all read without a crash or a wrong answer" % len(jobs))
PY

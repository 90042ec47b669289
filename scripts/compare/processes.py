"""Programs started and ended, asked over HTTP; the two servers."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request


HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PROMETHEUS, PROMTOOL, NODE = "/usr/bin/prometheus", "/usr/bin/promtool", "/usr/bin/prometheus-node-exporter"


children = []


def start(name, command, directory, env=None):
    log = open(os.path.join(directory, name + ".log"), "wb")
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, env=env)
    log.close()
    p.name, p.log_path = name, log.name
    children.append(p)
    return p


def stop(p):
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    if p in children:
        children.remove(p)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(base, path, params=(), post=False):
    """(status, body)"""
    query = urllib.parse.urlencode(list(params))
    url = "http://127.0.0.1:%d%s" % (base, path)
    request = urllib.request.Request(url, data=query.encode()) if post else urllib.request.Request(url + ("?" + query if query else ""))
    try:
        with urllib.request.urlopen(request, timeout=60) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def ask(base, path, params=()):
    status, body = get(base, path, params)
    answer = json.loads(body)
    if answer["status"] != "success":
        raise RuntimeError("port %d %s %s: %s" % (base, path, params, body[:300]))
    return answer["data"]


def wait_ready(p, port, seconds=60, path="/-/ready"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if p.poll() is not None:
            break
        try:
            if get(port, path)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("%s is not ready: %s" % (p.name, open(p.log_path, errors="replace").read()[-2000:]))


class Theirs:
    def __init__(self, work, name, config):
        self.dir = os.path.join(work, name)
        self.data = os.path.join(self.dir, "data")
        os.makedirs(self.dir, exist_ok=True)
        self.port = free_port()
        path = os.path.join(self.dir, "prometheus.yml")
        open(path, "w").write(config)
        self.process = start(name, [PROMETHEUS, "--config.file=" + path, "--storage.tsdb.path=" + self.data, "--storage.tsdb.retention.time=100y",
                                    "--web.listen-address=127.0.0.1:%d" % self.port, "--log.level=warn"], self.dir)

    def pids(self):
        return {"prometheus": self.process.pid}


class Ours:
    def __init__(self, work, name, config, bin_dir):
        self.dir = os.path.join(work, name)
        self.data = os.path.join(self.dir, "data")
        os.makedirs(self.dir, exist_ok=True)
        self.port = free_port()
        path = os.path.join(self.dir, "prometheus.yml")
        open(path, "w").write(config)
        # Copied, so that the programs are those of --bin, not those beside the script's own folder.
        script = os.path.join(self.dir, "prometheus")
        shutil.copy(os.path.join(HERE, "prometheus"), script)
        env = dict(os.environ, PATH=bin_dir + ":" + os.environ["PATH"])
        self.process = start(name, [script, "--config.file=" + path, "--storage.tsdb.path=" + self.data, "--web.listen-address=127.0.0.1:%d" % self.port,
                                    "--log.level=warn"], self.dir, env)

    def pids(self):
        state = json.load(open(os.path.join(self.data, "run", "supervisor.json")))
        out = {p["name"]: p["pid"] for p in state["programs"]}
        out["supervisor"] = self.process.pid
        return out


def usage_of(pid, with_children):
    """CPU seconds, resident MiB, and of that MiB not backed by files."""
    stat = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    ticks = int(stat[11]) + int(stat[12]) + (int(stat[13]) + int(stat[14]) if with_children else 0)
    anon = re.search(r"^RssAnon:\s+(\d+)", open("/proc/%d/status" % pid).read(), re.M)
    return ticks / os.sysconf("SC_CLK_TCK"), int(stat[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20, int(anon.group(1)) / 1024 if anon else 0.0


def disk_of(path):
    return sum(os.lstat(os.path.join(d, f)).st_blocks * 512 for d, _, files in os.walk(path) for f in files) / 2**20

"""The scrape part: same series, same values, same gaps."""
import json
import re
import time

from compare.report import key_of, say
from compare.processes import NODE, Ours, Theirs, ask, disk_of, free_port, start, stop, usage_of, wait_ready
from compare.pages import Relay, recorded_pages


def scrape_config(relay_port, node_port, client):
    return """
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1m}
scrape_configs:
  - job_name: node
    static_configs: [{targets: ['127.0.0.1:%(node)d']}]
  - job_name: shared
    metrics_path: /shared/%(client)s
    static_configs: [{targets: ['127.0.0.1:%(relay)d'], labels: {site: a}}]
  - job_name: pages
    metrics_path: /pages/%(client)s
    scrape_interval: 400ms
    scrape_timeout: 400ms
    static_configs: [{targets: ['127.0.0.1:%(relay)d'], labels: {zone: z1, job: pages}}]
    relabel_configs:
      - {source_labels: [__address__], regex: '([^:]+):.*', target_label: host, replacement: 'h-$1'}
      - {target_label: instance, replacement: 'relay'}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'drop_.*', action: drop}
      - {source_labels: [__name__], regex: 'rename_(.*)', target_label: __name__, replacement: 'renamed_$1'}
      - {source_labels: [old], regex: '(.+)', target_label: new, replacement: '<$1>'}
      - {regex: old, action: labeldrop}
""" % {"node": node_port, "relay": relay_port, "client": client}


def samples_of(port, job, at, seconds):
    """{series: [(milliseconds, value text)]}"""
    data = ask(port, "/api/v1/query", [("query", '{job="%s"}[%ds]' % (job, seconds)), ("time", "%.3f" % at)])
    out = {}
    for s in data["result"]:
        out[key_of(s["metric"])] = [(round(t * 1000), v) for t, v in s["values"]]
    return out


def normalised(key):
    """Version 3 of upstream writes le and quantile of histograms and summaries as floats; 2.42 leaves them."""
    metric = json.loads(key)
    if metric.get("__name__", "").startswith(("norm_", "node_", "go_", "promhttp_", "process_")):
        for label in ("le", "quantile"):
            if re.fullmatch(r"-?\d+", metric.get(label, "")):
                metric[label] += ".0"
    return key_of(metric)


def compare_sequences(report, what, ours, theirs, scrapes=None, page_notes=None):
    """Values of every series by number of scrape, up's samples counting the scrapes."""
    up = [k for k in ours if json.loads(k)["__name__"] == "up"]
    if len(up) != 1 or up[0] not in theirs:
        report.difference(what, "up: ours has %s, prometheus %s" % (up, [k for k in theirs if '"up"' in k]))
        return
    theirs = {normalised(k): v for k, v in theirs.items()}
    count = min(len(ours[up[0]]), len(theirs[up[0]]))
    if scrapes is not None and count < scrapes:
        report.difference(what, "only %d of %d scrapes happened" % (count, scrapes))
    count = min(count, scrapes) if scrapes is not None else count - 1
    number = [{t: i for i, (t, _) in enumerate(side[up[0]])} for side in (ours, theirs)]
    # On a busy machine a scrape may time out on one side; that scrape tells nothing. Recorded pages must all do.
    both_up = [ours[up[0]][i][1] == theirs[up[0]][i][1] for i in range(count)]
    skipped = 0 if scrapes is not None else both_up.count(False)
    values = differ = own_times = 0

    def rows(side, key, index):
        out = {}
        for t, v in side.get(key, ()):
            i = index.get(t)
            if i is None:
                out["t", t] = v
            elif i < count and (scrapes is not None or both_up[i]):
                out[i] = v
        return out

    for key in sorted(set(ours) | set(theirs)):
        name = json.loads(key)["__name__"]
        if name == "scrape_duration_seconds":
            a, b = rows(ours, key, number[0]), rows(theirs, key, number[1])
            values += len(a)
            if set(a) != set(b):
                differ += 1
                report.difference(what + " " + key, "scrapes with a duration differ")
            continue
        a, b = rows(ours, key, number[0]), rows(theirs, key, number[1])
        if skipped and name == "scrape_series_added":
            # What counts as added after a failed scrape depends on that failure.
            values += len(a)
            continue
        values += len(b)
        own_times += sum(isinstance(i, tuple) for i in b)
        bad = [i for i in sorted(set(a) | set(b), key=str) if a.get(i) != b.get(i)]
        if bad:
            differ += len(bad)
            shown = ["%s: ours %s, prometheus %s" % ((page_notes[i] if page_notes and isinstance(i, int) else i), a.get(i), b.get(i)) for i in bad[:4]]
            report.difference("%s %s" % (what, key), "%d of %d: %s" % (len(bad), len(set(a) | set(b)), "; ".join(shown)))
    note = "%d scrapes" % count + (", %d with own time" % own_times if own_times else "") + (", %d left out: timed out on one side" % skipped if skipped else "")
    report.row(what + ": series", len(theirs), len(set(ours) ^ set(theirs)))
    report.row(what + ": values", values, differ, note)


def compare_gaps(report, what, ours_port, theirs_port, ours, theirs, scrapes, notes):
    """Which series an instant query sees right at each scrape: staleness markers at work."""
    seen = differ = 0
    for i in range(scrapes):
        sides = []
        for port, side in ((ours_port, ours), (theirs_port, theirs)):
            up = next(v for k, v in side.items() if json.loads(k)["__name__"] == "up")
            # A quarter of an interval later, so that neither the scrape itself nor the next is cut.
            data = ask(port, "/api/v1/query", [("query", '{job="pages",__name__!="scrape_duration_seconds"}'), ("time", "%.3f" % ((up[i][0] + 5) / 1000))])
            sides.append({normalised(key_of(s["metric"])): s["value"][1] for s in data["result"]})
        # Samples with own time show by time, not by scrape.
        a, b = ({k: v for k, v in s.items() if '"own"' not in k and '"om_ts"' not in k} for s in sides)
        seen += len(b)
        bad = [k for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)]
        differ += len(bad)
        for k in bad[:2]:
            report.difference("%s at page %d (%s)" % (what, i, notes[i]), "%s: ours %s, prometheus %s%s" % (k, a.get(k), b.get(k), " (and %d more)" % (len(bad) - 2) if len(bad) > 2 else ""))
    report.row(what, seen, differ, "an instant query at each of %d pages" % scrapes)


def part_scrape(report, work, args):
    node_port = free_port()
    node = start("node-exporter", [NODE, "--web.listen-address=127.0.0.1:%d" % node_port, "--log.level=error"], work)
    wait_ready(node, node_port, path="/metrics")
    now_ms = int(time.time() * 1000)
    pages = recorded_pages(now_ms)
    relay = Relay(pages, node_port)
    theirs = Theirs(work, "theirs", scrape_config(relay.port, node_port, "theirs"))
    ours = Ours(work, "ours", scrape_config(relay.port, node_port, "ours"), args.bin)
    wait_ready(theirs.process, theirs.port)
    wait_ready(ours.process, ours.port)
    say("scraping for %d s: node-exporter %d, prometheus %d, ours %d" % (args.seconds, node_port, theirs.port, ours.port))
    begin = time.monotonic()
    time.sleep(args.seconds)
    # Each recorded page must have been asked for, on a busy machine too.
    while min(relay.count["pages", c] for c in ("ours", "theirs")) < len(pages) + 1 and time.monotonic() < begin + args.seconds + 60:
        time.sleep(0.2)
    time.sleep(0.5)
    took = time.monotonic() - begin
    costs = []
    for name, side in (("ours", ours), ("prometheus 2.42", theirs)):
        for program, pid in side.pids().items():
            costs.append((name, program) + usage_of(pid, program == "supervisor"))
    at, window = time.time(), int(took) + 120
    notes = [p.note for p in pages]
    data = {job: (samples_of(ours.port, job, at, window), samples_of(theirs.port, job, at, window)) for job in ("node", "shared", "pages")}

    # Direct: scrapes are at different moments, so only series, and values that stand still, can be equal.
    a, b = data["node"][0], {normalised(k): v for k, v in data["node"][1].items()}
    only = set(a) ^ set(b)
    transient = {k for k in only if len((a.get(k) or b.get(k))) <= 2}
    for k in sorted(only - transient):
        report.difference("node, direct", "series only in %s: %s" % ("ours" if k in a else "prometheus", k))
    report.row("node, direct: series", len(b), len(only - transient), "%d seen in one or two scrapes of one side only" % len(transient) if transient else "")
    still = differ = 0
    for k in set(a) & set(b):
        if json.loads(k)["__name__"].startswith("scrape_"):
            continue
        va, vb = {v for _, v in a[k]}, {v for _, v in b[k]}
        if len(va) == 1 and len(vb) == 1 and min(len(a[k]), len(b[k])) > 3:
            still += 1
            if va != vb:
                differ += 1
                report.difference("node, direct " + k, "ours %s, prometheus %s" % (va, vb))
    report.row("node, direct: values that stand still", still, differ)
    compare_sequences(report, "node, same page at each scrape", *data["shared"])
    compare_sequences(report, "recorded pages", *data["pages"], scrapes=len(pages), page_notes=notes)
    compare_gaps(report, "recorded pages: series shown", ours.port, theirs.port, *data["pages"], scrapes=len(pages), notes=notes)

    # Metadata of the metrics that node-exporter serves.
    sides = []
    for port in (ours.port, theirs.port):
        meta = ask(port, "/api/v1/metadata")
        sides.append({k: sorted(json.dumps(m, sort_keys=True) for m in v) for k, v in meta.items() if k.startswith("node_")})
    bad = [k for k in sorted(set(sides[0]) | set(sides[1])) if sides[0].get(k) != sides[1].get(k)]
    for k in bad[:5]:
        report.difference("metadata " + k, "ours %s, prometheus %s" % (sides[0].get(k), sides[1].get(k)))
    report.row("metadata: metrics", len(sides[1]), len(bad))
    for path in ("/api/v1/labels", "/api/v1/label/__name__/values", "/api/v1/label/job/values", "/api/v1/label/mode/values"):
        params = [("match[]", '{job=~"node|shared|pages"}')]
        x, y = ask(ours.port, path, params), ask(theirs.port, path, params)
        if x != y:
            report.difference(path, "only ours %s, only prometheus %s" % (sorted(set(x) - set(y)), sorted(set(y) - set(x))))
        report.row(path, len(y), len(set(x) ^ set(y)) if x != y else 0)

    rate = sum(len(v) for j in data for v in data[j][1].values()) / took
    say("\ncost of %.0f s at %.0f samples/s, 3 targets%s" % (took, rate, ""))
    say("%-16s %-12s %9s %9s %9s" % ("", "", "CPU s", "RSS MiB", "anon MiB"))
    for name, side in (("ours", ours), ("prometheus 2.42", theirs)):
        for c in costs:
            if c[0] == name:
                say("%-16s %-12s %9.2f %9.1f %9.1f" % c)
        mine = [c[2:] for c in costs if c[0] == name]
        say("%-16s %-12s %9.2f %9.1f %9.1f   disk %.1f MiB" % ((name, "all") + tuple(map(sum, zip(*mine))) + (disk_of(side.data),)))
    for p in (ours.process, theirs.process, node):
        stop(p)
    relay.server.shutdown()

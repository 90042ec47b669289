"""The queries part: the same samples in both stores, the same expressions at the same times."""
import collections
import json
import math
import os
import re
import subprocess

from compare.answers import compare_answers
from compare.api import part_api
from compare.expressions import BASE, EDGES, OTHER_REASON, QUERIES, ULP_REASON, query_samples
from compare.processes import PROMTOOL, Theirs, free_port, get, start, stop, wait_ready
from compare.random_queries import part_random
from compare.report import say


def part_queries(report, work, args):
    series = query_samples()
    theirs_dir, ours_data = os.path.join(work, "queries-theirs"), os.path.join(work, "queries-ours", "data")
    os.makedirs(os.path.join(theirs_dir, "data"))
    os.makedirs(ours_data)
    escape = lambda v: v.replace("\\", "\\\\").replace('"', '\\"')
    spell = lambda v: "NaN" if math.isnan(v) else "+Inf" if v == math.inf else "-Inf" if v == -math.inf else repr(v)
    rows = []
    for name, labels, samples in series:
        text = "%s{%s}" % (name, ",".join('%s="%s"' % (k, escape(v)) for k, v in sorted(labels.items())))
        rows += [(t, text, v) for t, v in samples]
    rows.sort(key=lambda r: r[:2])
    om = os.path.join(work, "samples.om")
    with open(om, "w") as f:
        f.writelines("%s %s %.3f\n" % (text, spell(v), t) for t, text, v in rows)
        f.write("# EOF\n")
    made = subprocess.run([PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", om, os.path.join(theirs_dir, "data")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        raise RuntimeError("promtool: " + made.stdout.decode()[-1000:])
    stream = "".join("%s %s %d\n" % (text, spell(v), round(t * 1000)) for t, text, v in rows).encode()
    made = subprocess.run([os.path.join(args.bin, "promstore"), "append", "-d", ours_data], input=stream, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if made.returncode != 0:
        raise RuntimeError("promstore append: " + made.stdout.decode()[-1000:])
    config = "global: {scrape_interval: 1m, evaluation_interval: 1m}\n"
    theirs = Theirs(work, "queries-theirs", config)
    port = free_port()
    ours = start("queries-ours", [os.path.join(args.bin, "promql"), "serve", "-d", ours_data, "--web.listen-address=127.0.0.1:%d" % port, "--log.level=warn"], os.path.dirname(ours_data))
    wait_ready(theirs.process, theirs.port)
    wait_ready(ours, port)

    def both(path, params):
        return [json.loads(get(p, path, params)[1]) for p in (port, theirs.port)]

    # Samples lie at fractions of a second, windows end at whole seconds, 7 s off every subquery step: no sample and no
    # inner step lies on the left edge of a window.
    instants = ["%d" % (BASE + 607), "%d" % (BASE + 1807), "%d.001" % (BASE + 2467), "%d" % (BASE + 3607), "%d" % (BASE + 3967)]
    ranges = [(BASE + 307, BASE + 3607, 30), (BASE + 7, BASE + 4207, 210)]
    asked = collections.Counter()
    differ = collections.Counter()
    found = {}
    for query, ulp_reason in QUERIES:
        for kind, path, variants in (("instant", "/api/v1/query", [[("time", t)] for t in instants]),
                                     ("range", "/api/v1/query_range", [[("start", s), ("end", e), ("step", d)] for s, e, d in ranges])):
            for params in variants:
                a, b = both(path, [("query", query)] + params)
                # 2.42 has no warnings and infos of evaluation.
                for answer in (a, b):
                    answer.pop("warnings", None), answer.pop("infos", None)
                asked[kind] += 1
                outcome = compare_answers(a, b)
                if outcome == "same":
                    continue
                differ[kind] += 1
                sort = "ulp" if outcome.startswith("ulp ") else "order" if outcome == "order" else "other"
                found.setdefault((query, sort), []).append((kind, params, outcome))
    for (query, sort), cases in found.items():
        kind, params, outcome = cases[0]
        reason = None
        if sort == "ulp":
            reason = dict(QUERIES)[query] or ULP_REASON.get(query)
        elif sort == "order" and kind == "instant" and not re.match(r"(sort|sort_desc|topk|bottomk)\b", query):
            reason = "an instant vector has no order except after sort, sort_desc, topk and bottomk"
        else:
            reason = OTHER_REASON.get(query)
        report.difference("%s (%s, %d of %d evaluations)" % (query, sort, len(cases), len(instants) + len(ranges)),
                          "%s %s: %s" % (kind, " ".join("%s=%s" % p for p in params), outcome), reason)
    for kind in asked:
        report.row("queries: %s" % kind, asked[kind], differ[kind], "%d expressions" % len(QUERIES))

    # What the left-open windows change: the same expressions with samples and inner steps on the edge.
    at = BASE + 1800 + 0.25
    moved, same = [], 0
    for query in EDGES:
        if query == "first":
            continue
        for t in (at, BASE + 1800, BASE + 900.25, BASE + 2400):
            a, b = both("/api/v1/query", [("query", query), ("time", "%.3f" % t)])
            if compare_answers(a, b) in ("same", "order"):
                same += 1
            elif query not in moved:
                moved.append(query)
    say("\nwindows open on the left (a sample exactly at the edge counts in 2.42 and not in version 3): these expressions\n"
        "differ when evaluated exactly a window after a sample or step: %s" % "; ".join(moved))
    if args.random:
        part_random(report, both, args.random, args.seed)
    part_api(report, port, theirs.port)
    stop(ours)
    stop(theirs.process)

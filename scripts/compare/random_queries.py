"""Random expressions, in the part of the language that means the same to 2.42 and to version 3.

Left out, because they differ by intention: counters near zero (rate and increase extrapolate to the zero point in another
order), windows inside subqueries whose edges meet inner steps, duplicates among samples that a comparison drops, names kept
by accident, and what 2.42 does not know. Last digits of sums differ: version 3 compensates rounding.
So numbers are compared within a relative 1e-9 of the largest of their series; series, times and errors exactly.
"""
import json
import math
import random

from compare.expressions import BASE
from compare.report import key_of, say

SELECTORS = ["cpu_total", 'cpu_total{mode!="idle"}', 'cpu_total{host=~"h[01]"}', "temp", 'temp{host="h1"}', "noise", "whole", "info", "lat_bucket", "lat_sum", "ends",
             "sparse", '{__name__=~"temp|noise"}', "nonexistent"]
COUNTERS = ['cpu_total{host!="h0"}', 'cpu_total{host="h2"}']  # far from zero
RANGES = ["[1m]", "[2m]", "[5m]", "[47s]", "[13m]"]
OVER_TIME = ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "last", "present"]
LABELS = ["host", "mode", "host, mode", "version", "kind", ""]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.inside = False  # of a subquery

    def matrix(self, depth):
        if depth > 0 and not self.inside and self.r.random() < 0.2:
            self.inside = True
            out = "(%s)%s" % (self.vector(depth - 1), self.r.choice(["[5m:1m]", "[10m:30s]", "[7m:1m]"])) + self.offset()
            self.inside = False
            return out
        return self.r.choice(SELECTORS) + self.r.choice(RANGES) + self.offset()

    def offset(self):
        return self.r.choice(["", "", "", " offset 1m", " offset 10m", " offset -3m", " @ %d" % (BASE + 1807), " @ end()"])

    def grouping(self):
        return self.r.choice(["", " by (%s)", " without (%s)"]).replace("%s", self.r.choice(LABELS))

    def vector(self, depth):
        r = self.r
        if depth == 0:
            return r.choice(SELECTORS) + self.offset()
        kind = r.randrange(12)
        if kind == 0:
            return "%s(%s%s)" % (r.choice(["rate", "increase", "irate"]), r.choice(COUNTERS), r.choice(RANGES))
        if kind in (1, 2):
            return "%s_over_time(%s)" % (r.choice(OVER_TIME), self.matrix(depth))
        if kind == 3:
            return "%s(%s)" % (r.choice(["changes", "resets", "delta", "idelta", "absent_over_time"]), self.matrix(depth))
        if kind == 4:
            return "quantile_over_time(%s, %s)" % (r.choice(["0", "0.3", "0.9", "1"]), self.matrix(depth))
        if kind in (5, 6):
            return "%s%s (%s)" % (r.choice(["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]), self.grouping(), self.vector(depth - 1))
        if kind == 7:
            return "quantile%s (%s, %s)" % (self.grouping(), r.choice(["0.1", "0.5", "1"]), self.vector(depth - 1))
        if kind == 8:
            return "%s(%s)" % (r.choice(["abs", "ceil", "floor", "sqrt", "sgn", "absent", "round", "sort", "deg"]), self.vector(depth - 1))
        if kind == 9:
            return "(%s) %s %s" % (self.vector(depth - 1), r.choice(["+", "-", "*", "/", "%", ">", "<", ">= bool", "!= bool"]), r.choice(["2", "0.5", "-3", "17"]))
        if kind == 10:
            return "(%s) %s %s(%s)" % (self.vector(depth - 1), r.choice(["and", "or", "unless"]), r.choice(["", "on (host) ", "ignoring (mode) "]), self.vector(depth - 1))
        one = self.r.choice([s for s in SELECTORS if "__name__" not in s])
        return "(%s) %s %s(%s)" % (one, r.choice(["+", "-", "*", "/", ">", "== bool"]), r.choice(["", "on (host, mode) ", "ignoring (kind) ", "on (host) group_left () "]),
                                   r.choice([one, "temp", "info"]))


def points(data):
    """{series: {time: value text}}"""
    return {key_of(s["metric"]): {t: v for t, v in (s.get("values") or [s["value"]])} for s in data["result"]}


def difference(a, b):
    """None, or what differs beyond rounding."""
    if a["status"] != b["status"]:
        return "ours %s %s, prometheus %s %s" % (a["status"], a.get("error", ""), b["status"], b.get("error", ""))
    if a["status"] != "success":
        # Which two duplicates an error shows, and in which order, is up to 2.42's order of series.
        return None if a["error"].split(": [")[0] == b["error"].split(": [")[0] else "ours %s, prometheus %s" % (a["error"], b["error"])
    x, y = points(a["data"]), points(b["data"])
    if set(x) != set(y):
        return "series only in one: %s" % sorted(set(x) ^ set(y))[:3]
    for series in x:
        if set(x[series]) != set(y[series]):
            return "%s: times only in one: %s" % (series, sorted(set(x[series]) ^ set(y[series]))[:3])
        size = max([abs(float(v)) for v in y[series].values() if math.isfinite(float(v))] + [1.0])
        for t, text in x[series].items():
            u, v = float(text), float(y[series][t])
            if u == v or (math.isnan(u) and math.isnan(v)) or abs(u - v) <= 1e-9 * size:
                continue
            return "%s at %s: ours %s, prometheus %s" % (series, t, text, y[series][t])
    return None


def part_random(report, both, count, seed):
    """`both(path, params)` asks ours and theirs."""
    generator = Generator(seed)
    differ = 0
    for n in range(count):
        query = generator.vector(3)
        # 7 s and 607 s after the hour no sample and no inner step lies on the edge of a window.
        if n % 2:
            path, params = "/api/v1/query", [("time", "%d" % (BASE + generator.r.choice([607, 1807, 3607])))]
        else:
            path, params = "/api/v1/query_range", [("start", BASE + 307), ("end", BASE + 3607), ("step", generator.r.choice([60, 210]))]
        a, b = both(path, [("query", query)] + params)
        detail = difference(a, b)
        if detail is None:
            continue
        differ += 1
        report.difference("random query %d of seed %d: %s" % (n, seed, query), "%s: %s" % (" ".join("%s=%s" % p for p in params), detail))
    report.row("queries: random", count, differ, "seed %d" % seed)
    say("random queries: %d compared, %d differ" % (count, differ))

"""How far two answers to one query are apart."""
import math
import struct

from compare.report import key_of


def ulps(a, b):
    """Distance of two value texts in doubles between them; None: not comparable."""
    try:
        x, y = float(a), float(b)
    except ValueError:
        return None
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or math.isinf(y):
        return None
    i, j = (struct.unpack("<q", struct.pack("<d", v))[0] for v in (x, y))
    i, j = (v if v >= 0 else -(v & 2**63 - 1) for v in (i, j))
    return abs(i - j)


def numbers_of(result):
    """[(place, value text)] of a query's data."""
    if result["resultType"] in ("scalar", "string"):
        return [(("", result["result"][0]), result["result"][1])]
    out = []
    for s in result["result"]:
        for t, v in s.get("values") or [s["value"]]:
            out.append(((key_of(s["metric"]), t), v))
    return out


def compare_answers(a, b):
    """"same", "order", "ulp N" or a description."""
    if a == b:
        return "same"
    if a["status"] != b["status"]:
        return "ours %s %s, prometheus %s %s" % (a["status"], a.get("error", ""), b["status"], b.get("error", ""))
    if a["status"] != "success":
        return "same" if (a["errorType"], a["error"]) == (b["errorType"], b["error"]) else "ours %s: %s, prometheus %s: %s" % (a["errorType"], a["error"], b["errorType"], b["error"])
    a, b = a["data"], b["data"]
    if a == b:
        return "same"
    if a["resultType"] != b["resultType"]:
        return "type %s, prometheus %s" % (a["resultType"], b["resultType"])
    x, y = dict(numbers_of(a)), dict(numbers_of(b))
    if x == y:
        return "order"
    if set(x) != set(y):
        k = sorted(set(x) ^ set(y), key=str)
        return "%d places differ, as %s: ours %s, prometheus %s" % (len(k), k[0], x.get(k[0]), y.get(k[0]))
    worst, where = 0, None
    for k in x:
        if x[k] == y[k]:
            continue
        d = ulps(x[k], y[k])
        if d == 0:
            return "%s: ours %s, prometheus %s" % (k, x[k], y[k])  # the two zeros
        if d is None or d > 64:
            # Near zero, a difference of sums may be many ulps of a small number; relative to what was added it is not.
            if d is None or abs(float(x[k]) - float(y[k])) > 1e-15:
                return "%s: ours %s, prometheus %s" % (k, x[k], y[k])
        if d > worst:
            worst, where = d, k
    return "ulp %d at %s: ours %s, prometheus %s" % (worst, where, x[where], y[where])

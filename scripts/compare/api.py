"""The API part: status, errorType and error of wrong requests; labels, values, series, metadata."""
import json
import urllib.parse

from compare.report import key_of
from compare.processes import get
from compare.answers import compare_answers
from compare.expressions import BASE, WORDING


def part_api(report, ours, theirs):
    q, qr = "/api/v1/query", "/api/v1/query_range"
    t = str(BASE + 1807)
    window = [("start", BASE), ("end", BASE + 3600), ("step", 60)]
    exact = [
        (q, [("query", "cpu_total{"), ("time", t)]), (q, [("query", ""), ("time", t)]), (q, [("time", t)]), (q, [("query", "sum(("), ("time", t)]),
        (q, [("query", "foo bar"), ("time", t)]), (q, [("query", "rate(cpu_total)"), ("time", t)]), (q, [("query", "nofunc(x)"), ("time", t)]),
        (q, [("query", "{}"), ("time", t)]), (q, [("query", '{a=""}'), ("time", t)]), (q, [("query", '{a=~"["}'), ("time", t)]), (q, [("query", "1 + 'a'"), ("time", t)]),
        (q, [("query", "x[5m] + 1"), ("time", t)]), (q, [("query", "x[5"), ("time", t)]), (q, [("query", "x offset"), ("time", t)]), (q, [("query", "abs(1, 2)"), ("time", t)]),
        (q, [("query", "1 == 1"), ("time", t)]), (q, [("query", "cpu_total + temp and"), ("time", t)]), (q, [("query", "temp"), ("time", "yesterday")]),
        (q, [("query", "temp"), ("time", "")]), (q, [("query", "temp"), ("time", t), ("timeout", "x")]), (q, [("query", "temp"), ("time", "2023-11-14T22:50:07Z")]),
        (q, [("query", "temp"), ("time", "2023-11-14T22:50:07.5+01:00")]), (q, [("query", "temp"), ("time", "2023-11-14")]),
        (q, [("query", "cpu_total + on (host) info"), ("time", t)]), (q, [("query", "info + on (host) cpu_total"), ("time", t)]),
        (q, [("query", "cpu_total + on (host) cpu_total"), ("time", t)]), (q, [("query", 'label_replace(cpu_total, "0x", "", "", "")'), ("time", t)]),
        (q, [("query", 'label_replace(cpu_total, "x", "", "", "[")'), ("time", t)]), (q, [("query", 'label_replace(cpu_total, "mode", "", "", "")'), ("time", t)]),
        (q, [("query", 'count_values("", cpu_total)'), ("time", t)]), (q, [("query", "topk(NaN, temp)"), ("time", t)]), (q, [("query", "topk(1e30, temp)"), ("time", t)]),
        (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 11001), ("step", 1)]), (qr, [("query", "count(temp)"), ("start", BASE), ("end", BASE + 11000), ("step", 1)]),
        (qr, [("query", "temp"), ("start", BASE), ("end", BASE - 1), ("step", 1)]), (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 60), ("step", 0)]),
        (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 60), ("step", -5)]), (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 60), ("step", "x")]),
        (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 60)]), (qr, [("query", "temp"), ("start", "x"), ("end", BASE), ("step", 1)]),
        (qr, [("query", "temp"), ("start", BASE), ("end", "x"), ("step", 1)]), (qr, [("query", "temp"), ("end", BASE), ("step", 1)]),
        (qr, [("query", "temp[5m]")] + window), (qr, [("query", '"s"')] + window), (qr, [("query", "temp")] + window), (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 3600), ("step", "1e20")]),
        (qr, [("query", "temp"), ("start", BASE), ("end", BASE + 3600), ("step", "1m30s")]), (qr, [("query", "sum(")] + window),
        ("/api/v1/series", []), ("/api/v1/series", [("match[]", "{")]), ("/api/v1/series", [("match[]", "{}")]), ("/api/v1/series", [("match[]", '{host=~".*"}')]),
        ("/api/v1/series", [("match[]", "temp")]), ("/api/v1/series", [("match[]", "temp"), ("match[]", '{host="h1"}')]), ("/api/v1/series", [("match[]", "none")]),
        ("/api/v1/series", [("match[]", "temp"), ("start", "x")]), ("/api/v1/series", [("match[]", "temp"), ("end", "x")]), ("/api/v1/series", [("match[]", "ends"), ("start", BASE + 3000), ("end", BASE + 3600)]),
        ("/api/v1/labels", []), ("/api/v1/labels", [("match[]", "temp")]), ("/api/v1/labels", [("match[]", "{")]), ("/api/v1/labels", [("start", "x")]), ("/api/v1/labels", [("match[]", "none")]),
        ("/api/v1/label/host/values", []), ("/api/v1/label/host/values", [("match[]", "info"), ("match[]", "lat_sum")]), ("/api/v1/label/__name__/values", []),
        ("/api/v1/label/z/values", []), ("/api/v1/label/none/values", []), ("/api/v1/label/host/values", [("end", "x")]), ("/api/v1/label/host/values", [("match[]", "sum(x)")]),
        ("/api/v1/metadata", []), ("/api/v1/metadata", [("limit", "x")]), ("/api/v1/format_query", [("query", "sum(rate(cpu_total[5m]))by(host)/3>bool 2")]), ("/api/v1/format_query", [("query", "sum(")]),
        ("/api/v1/nothing", []),
    ]
    differ = 0
    for path, params in exact:
        (sa, ba), (sb, bb) = get(ours, path, params), get(theirs, path, params)
        try:
            a, b = json.loads(ba), json.loads(bb)
        except ValueError:
            a, b = {"text": ba.decode(errors="replace")}, {"text": bb.decode(errors="replace")}
        for answer in (a, b):
            answer.pop("warnings", None), answer.pop("infos", None)
        if path == "/api/v1/series" and isinstance(a.get("data"), list) and isinstance(b.get("data"), list):
            a["data"], b["data"] = sorted(map(key_of, a["data"])), sorted(map(key_of, b["data"]))
        if path == q and a.get("data", {}) and b.get("data", {}) and compare_answers(a, b) == "order":
            a = b
        if (sa, a) == (sb, b):
            continue
        differ += 1
        reason = None
        for (p, fragment), why in API_REASONS.items():
            if p == path and fragment in json.dumps(params):
                reason = why
        show = lambda s, x: "%d %s" % (s, x.get("error") and "%s: %s" % (x.get("errorType"), x["error"]) or json.dumps(x)[:200])
        report.difference("%s %s" % (path, urllib.parse.urlencode(params)), "ours %s | prometheus %s" % (show(sa, a), show(sb, b)), reason)
    report.row("api: status, errorType, error or data", len(exact), differ)


# (path, part of the parameters as JSON): why the answer is not that of 2.42
_LOWER = "version 3 writes the word 'invalid' small"
_NUMBERS = "since version 3 a duration may be a number, which changes what the parser expects"
_SORTED = "version 3 names the two series in the order of their text, 2.42 in the order it met them"
_Q, _QR = "/api/v1/query", "/api/v1/query_range"
API_REASONS = {
    (_Q, '["query", ""]'): "version 3 has no position for an empty expression", (_Q, '[["time", '): "version 3 has no position for an empty expression",
    (_Q, '=~'): "version 3 shows the regex as written, 2.42 with the anchors it added", (_Q, '"x[5"'): _NUMBERS, (_Q, '"x offset"'): _NUMBERS,
    (_Q, '"yesterday"'): _LOWER, (_Q, '"2023-11-14"]'): _LOWER, (_Q, "+ on (host) cpu_total"): _SORTED, (_Q, '\\"0x\\"'): "version 3 takes any UTF-8 text as a label name",
    (_Q, "topk(NaN"): "a parameter that is NaN has an error text of its own in version 3", (_QR, "temp[5m]"): WORDING, (_QR, '"\\"s\\""'): WORDING, (_QR, '"sum("'): WORDING,
    ("/api/v1/series", '"x"'): _LOWER, ("/api/v1/labels", '"x"'): _LOWER, ("/api/v1/label/host/values", '"x"'): _LOWER,
}

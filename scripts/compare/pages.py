"""What is scraped: a recorded sequence of easy and hostile pages, and the relay that hands them to both."""
import collections
import gzip
import http.server
import socket
import threading
import time
import urllib.request


TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Page:
    def __init__(self, note, body="", status=200, type=TEXT, gzip=False, fault=None):
        self.note, self.status, self.type, self.gzip, self.fault = note, status, type, gzip, fault
        self.body = body.encode() if isinstance(body, str) else body


def recorded_pages(now_ms):
    """The sequence both servers see. A later page tells what an earlier one left behind."""
    steady = "# HELP steady_total a counter\n# TYPE steady_total counter\nsteady_total{n=\"%d\"} %d\nsteady_total{n=\"b\"} %d.5\n"
    base = lambda i: steady % (1, i * 3, i)
    edge = "".join('edge{v="%d"} %s\n' % (i, v) for i, v in enumerate(
        "NaN +Inf -Inf Inf nan inf 0 -0 0.1 .5 1. +1 -1 1e3 1E-3 1e21 1e20 999999999999999999999 123456789012345678 1e-7 0.000001 "
        "0.0000009999 4.9e-324 2.2250738585072014e-308 1.7976931348623157e+308 -1.7976931348623157e308 0.30000000000000004 "
        "9007199254740993 3.141592653589793238462643383279 1e-400 infinity".split()))
    labels = ('lab{a="back\\\\slash",b="quo\\"te",c="new\\nline"} 1\nlab{a="žluťoučký 漢字 🎉"} 2\nlab{empty="",a="x"} 3\n'
              'lab { a = "spaces" , } 4\nlab{a="tab\there"} 5\nlab{a="{},=#"}\t6\nlab{} 7\nlab{a="unknown \\t escape"} 8\n'
              'lab{job="inner",instance="inner:1"} 9\nlab{job="a",exported_job="b"} 10\ncolon:name:rule 11\n_under 12\n')
    hist = ("# HELP h_seconds a \\\\ and \\n b\n# TYPE h_seconds histogram\n" +
            "".join('h_seconds_bucket{le="%s"} %d\n' % x for x in (("0.1", 2), ("0.5", 3), ("2.5", 7), ("+Inf", 9))) +
            "h_seconds_sum 12.25\nh_seconds_count 9\n# TYPE s_seconds summary\n" +
            's_seconds{quantile="0.5"} 0.25\ns_seconds{quantile="0.99"} NaN\ns_seconds_sum 3\ns_seconds_count 4\n')
    norm = '# TYPE norm_h histogram\nnorm_h_bucket{le="1"} 1\nnorm_h_bucket{le="+Inf"} 1\nnorm_h_sum 1\nnorm_h_count 1\n'
    t = now_ms - 60000
    om = ("# TYPE om_requests counter\n# HELP om_requests Requests.\nom_requests_total{c=\"a\"} 5 # {trace_id=\"abc\"} 0.5 1.5\n"
          "om_requests_created{c=\"a\"} 1.6e9\n# TYPE om_sec gauge\n# UNIT om_sec sec\nom_sec 1.5\n# TYPE om_h histogram\n"
          "om_h_bucket{le=\"1.0\"} 1 # {} 0.3\nom_h_bucket{le=\"+Inf\"} 2\nom_h_count 2\nom_h_sum 3\n"
          "# TYPE om_build info\nom_build_info{v=\"1\\\"2\"} 1\n# TYPE om_state stateset\nom_state{om_state=\"on\"} 1\nom_ts 7 %.3f\n" % ((t + 500) / 1000))
    big = "".join('big{i="%d",twice="%d"} %d.25\n' % (i, 2 * i, i * i) for i in range(2000))
    P = Page
    return [
        P("two counters", base(1)),
        P("edge values", base(2) + edge),
        P("label values", base(3) + edge + labels),
        P("series come and go", base(4) + labels),
        P("histogram and summary", base(5) + hist + norm),
        P("gzip", base(6) + hist + edge, gzip=True),
        P("500", "broken\n", status=500),
        P("after 500", base(8) + hist),
        P("syntax error in the middle", base(9) + 'fine 1\nbroken{a="1" 2\nalso_fine 3\n'),
        P("after the error", base(10) + "fine 1\n"),
        P("empty page", ""),
        P("after the empty page", base(12)),
        P("duplicates, equal and different", base(13) + "dup 1\ndup 1\ndup2 1\ndup2 2\ndup3 NaN\ndup3 NaN\n"),
        P("duplicates again", base(14) + "dup 2\ndup2 3\ndup2 4\n"),
        P("own timestamps", base(15) + "own{a=\"1\"} 1 %d\nown{a=\"2\"} 1 %d\n" % (t, t)),
        P("the same again, one newer, one other value", base(16) + "own{a=\"1\"} 1 %d\nown{a=\"2\"} 2 %d\nown{a=\"3\"} 1 %d\n" % (t, t, t + 1)),
        P("older, newer, far future, far past", base(17) + "own{a=\"1\"} 5 %d\nown{a=\"2\"} 5 %d\nown{a=\"4\"} 5 %d\nown{a=\"5\"} 5 %d\n" % (t - 1, t + 1000, now_ms + 3600000, now_ms - 5 * 3600000)),
        P("own timestamps vanish: no stale marker", base(18)),
        P("many series", base(19) + big),
        P("many series, one changed", base(20) + big.replace('i="7"', 'i="seven"')),
        P("OpenMetrics", om + "# EOF\n", type=OPENMETRICS),
        P("OpenMetrics without its end", om, type=OPENMETRICS),
        P("OpenMetrics again", om + "# EOF\n", type=OPENMETRICS),
        P("comments and blank lines", "# just a comment\n#\n\n#no blank\n# HELP steady_total\n# HELP other_total x\n" + base(24) + "\n\n# TYPE never_seen gauge\n"),
        P("unknown type word", "# TYPE steady_total thing\n" + base(25)),
        P("relabelled and dropped", base(26) + "drop_me 1\nrename_me{old=\"v\"} 2\nrename_me{old=\"w\"} 3\n"),
        P("not UTF-8", base(27).encode() + b'lab{a="\xff"} 1\n'),
        P("carriage return", base(28) + "cr 1\r\n"),
        P("no newline at the end", base(29) + "last 1"),
        P("body cut short", base(30) + hist, fault="cut"),
        P("gzip cut short", base(31) + hist, gzip=True, fault="cut-gzip"),
        P("connection closed", "", fault="close"),
        P("too slow", base(33), fault="slow"),
        P("value missing", base(34) + "novalue\n"),
        P("value not a number", base(35) + "x 1_000\n"),
        P("label name twice", base(36) + 'x{a="1",b="2"} 1 12 13\n'),
        P("hexadecimal and blanks", base(37) + "trail 1 \nmulti   2\n"),
        P("counter starts again", base(1)),
        P("the end", base(2)),
    ]


class Relay:
    """Serves the recorded pages at /pages/CLIENT, and node-exporter at /shared/CLIENT: there the n-th request of each
    client gets the same page, fetched for whoever asks first."""

    def __init__(self, pages, node_port):
        self.pages, self.node_port = pages, node_port
        self.lock, self.count, self.held = threading.Lock(), collections.Counter(), {}
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                relay.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # clients that gave up are part of the comparison

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, h):
        kind, client = h.path.split("?")[0].strip("/").split("/")
        with self.lock:
            n = self.count[kind, client]
            self.count[kind, client] += 1
        if kind == "pages":
            # Past the end the last page comes again; only the sequence is compared.
            return self.send(h, self.pages[min(n, len(self.pages) - 1)])
        with self.lock:
            page = self.held.pop(n, None)
            if page is None:
                with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.node_port, timeout=10) as r:
                    page = self.held[n] = Page("", r.read(), type=r.headers["Content-Type"])
        self.send(h, page)

    @staticmethod
    def send(h, page):
        if page.fault == "close":
            h.close_connection = True
            h.connection.shutdown(socket.SHUT_RDWR)
            return
        if page.fault == "slow":
            time.sleep(1.5)
        body = gzip.compress(page.body) if page.gzip else page.body
        h.send_response(page.status)
        h.send_header("Content-Type", page.type)
        if page.gzip:
            h.send_header("Content-Encoding", "gzip")
        if page.fault == "cut-gzip":
            body = body[:len(body) // 2]
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        if page.fault == "cut":
            body = body[:len(body) // 2]
            h.close_connection = True
        h.wfile.write(body)

#include "help.h"

namespace prom::cli {
namespace {

struct Help {
  std::string_view command, text;
};

constexpr Help kHelp[] = {
    {"",
     "usage: promql -d DATA [flags] EXPR           evaluate an expression, now\n"
     "       promql -d DATA --start=-1h EXPR       ... over a range\n"
     "       promql -d DATA                        read expressions one after another, \\help for help\n"
     "       promql COMMAND [flags] ...            see promql COMMAND --help\n"
     "\n"
     "  query EXPR         the same as without a command, for expressions named like one\n"
     "  labels | values NAME | series | metrics    what there is [MATCHER...]\n"
     "  buckets MATCHER... how many buckets of histograms are in use\n"
     "  fmt | check        lay out, or look for mistakes in, expressions\n"
     "  explain            the plan of a query; --analyze: what it costs\n"
     "  test FILE...       run PromQL test scripts\n"
     "  serve              HTTP API\n"
     "\n"
     "  -d, --data DIR             data directory, of a running store or not (data)\n"
     "      --url URL              ask a Prometheus server instead; --http.config.file F: how to reach it\n"
     "  -t, --time T               evaluate at T (now): Unix seconds, RFC 3339, -1h, now-5m\n"
     "      --start T --end T --step D   range query; the end is now, the step fits\n"
     "  -o, --output FORM          table json jsonl csv tsv prom graph (table on a terminal, else tsv)\n"
     "      --watch D              again every D, in place    --color auto|always|never\n"
     "      --stats                say how long it took and what was read\n"
     "      --lookback-delta D  --timeout D  --max-samples N    limits (5m, 2m, 50000000)\n"
     "      --max-memory SIZE  --threads N    (2GB, one a processor)\n"
     "      --enable-feature NAMES promql-experimental-functions, ... (see promql(1))\n"
     "  -h, --help  --version\n"
     "\n"
     "  promql -d data 'sum by (mode) (rate(node_cpu_seconds_total[1m]))'\n"
     "  promql -d data -o graph --start=-15m --watch 5s node_load1\n"
     "  promql -d data metrics '{job=\"node\"}'\n"
     "\n"
     "Exit codes: 0 done, 1 failed, 2 bad usage or expression, 3 corrupt data or findings of check.\n"},
    {"query",
     "usage: promql query -d DATA [flags] EXPR\n"
     "\n"
     "Evaluates EXPR at one time, or at every step of a range when --start is given.\n"
     "\n"
     "  -d, --data DIR             data directory, of a running store or not (data)\n"
     "      --url URL              ask a Prometheus server instead; --http.config.file F: how to reach it\n"
     "  -t, --time T               evaluate at T (now): Unix seconds, RFC 3339, -1h, now-5m\n"
     "      --start T --end T      range query; the end is now\n"
     "      --step D               30s, 5m, seconds; by default a round one that makes 250 steps at most\n"
     "  -o, --output FORM          table  graph  json (the API's data)  jsonl (a series a line)\n"
     "                             csv  tsv  prom (what promstore append takes)\n"
     "      --watch D              again every D, in place on a terminal, until Ctrl-C\n"
     "      --color WHEN           auto, always or never; NO_COLOR is honoured\n"
     "      --stats                timings and samples, on stderr or in the JSON\n"
     "      --lookback-delta D     how old a sample may be (5m)\n"
     "      --timeout D  --max-samples N  --max-memory SIZE   limits of a query (2m, 50000000, 2GB)\n"
     "      --threads N            of a query (one a processor)\n"
     "      --enable-feature NAMES promql-experimental-functions, promql-extended-range-selectors,\n"
     "                             promql-binop-fill-modifiers, promql-delayed-name-removal,\n"
     "                             use-start-timestamps, type-and-unit-labels\n"
     "\n"
     "  promql query -d data up\n"
     "  promql query -d data -o graph --start=-6h 'rate(node_cpu_seconds_total{mode=\"user\"}[5m])'\n"
     "  promql query -d old -o prom --start=-1d --step=15s up | promstore append -d new\n"},
    {"labels",
     "usage: promql labels -d DATA|--url URL [--start T] [--end T] [-o json] [MATCHER...]\n"
     "\n"
     "Names of labels, sorted, of series that match any MATCHER.\n"
     "\n"
     "  promql labels -d data '{job=\"node\"}'\n"},
    {"values",
     "usage: promql values -d DATA|--url URL [--start T] [--end T] [-o json] NAME [MATCHER...]\n"
     "\n"
     "Values of the label NAME, sorted, of series that match any MATCHER.\n"
     "\n"
     "  promql values -d data job up\n"
     "  promql values -d data __name__ --start=-1h\n"},
    {"series",
     "usage: promql series -d DATA|--url URL [--start T] [--end T] [-o json|jsonl] MATCHER...\n"
     "\n"
     "Series that match any MATCHER, sorted.\n"
     "\n"
     "  promql series -d data '{__name__=~\"node_disk_.*\",device=\"sda\"}'\n"},
    {"metrics",
     "usage: promql metrics -d DATA|--url URL [--start T] [--end T] [-o table|json|jsonl|tsv] [MATCHER...]\n"
     "\n"
     "Metrics with type, number of series and help.\n"
     "\n"
     "  promql metrics -d data\n"
     "  promql metrics -d data -o tsv '{job=\"node\"}' | sort -t '\t' -k 3 -nr | head\n"},
    {"buckets",
     "usage: promql buckets -d DATA|--url URL [--start T] [--end T] [-o table|tsv|json] MATCHER...\n"
     "\n"
     "How many buckets of each histogram, classic or native, were not empty at a time: least, average and most\n"
     "between --start (an hour before the end) and --end (now), and how many there are.\n"
     "\n"
     "  promql buckets -d data request_duration_seconds_bucket\n"
     "  promql buckets -d data --start=-1d '{__name__=~\".+_bucket\",job=\"api\"}'\n"},
    {"fmt",
     "usage: promql fmt [EXPR...] [-f FILE...]\n"
     "\n"
     "Lays expressions out, as format_query of the HTTP API. Without EXPR and FILE, or with -: standard input.\n"
     "\n"
     "  -f, --file FILE            an expression\n"
     "      --set MATCHER          in every selector, instead of what is there on this label\n"
     "      --delete LABEL         no matcher on it in any selector\n"
     "\n"
     "  promql fmt 'sum(rate(http_requests_total{job=\"api\"}[5m]))by(code)'\n"
     "  promql fmt --set 'cluster=\"eu\"' --delete instance 'up{instance=\"a\"}'\n"},
    {"check",
     "usage: promql check [-d DATA|--url URL] [--json] [EXPR...] [-f FILE...]\n"
     "\n"
     "Parses expressions and looks for what does not mean what it seems to: LINE:COLUMN: name: what, and how\n"
     "to mend it. Exit code 3 when something is found. With -d the data says which metrics are counters,\n"
     "otherwise their names do. Without EXPR and FILE, or with -: standard input.\n"
     "\n"
     "  rate-of-gauge  counter-without-rate  counter-not-total  gauge-function-of-counter\n"
     "  rate-after-aggregation  quantile-without-le  aggregated-quantile  missing-by  many-to-one\n"
     "  comparison-never-matches  selector-never-matches  matcher-without-effect  regex-anchored\n"
     "  regex-without-pattern  experimental-function  parse-error\n"
     "\n"
     "  promql check 'histogram_quantile(0.9, sum(rate(request_seconds_bucket[5m])))'\n"
     "  promql check -d data --json -f query.promql\n"},
    {"explain",
     "usage: promql explain [-d DATA] [--analyze] [--time T | --start T --end T --step D] [-o json] EXPR\n"
     "\n"
     "The plan of a query, a tree of operators. --analyze runs it and prints for each the time of it and all\n"
     "below it (TOTAL) and of itself (SELF), the SERIES and SAMPLES it gave to the one above and their BYTES,\n"
     "and the samples READ from storage.\n"
     "\n"
     "  promql explain 'sum(rate(x[5m]))'\n"
     "  promql explain -d data --analyze --start=-1h 'topk(5, rate(http_requests_total[5m]))'\n"},
    {"test",
     "usage: promql test FILE...\n"
     "\n"
     "Runs scripts in the language of Prometheus's own tests and prints \"N passed, M failed\".\n"
     "\n"
     "  load 1m\n"
     "    requests_total 0+60x10\n"
     "  eval instant at 10m rate(requests_total[5m])\n"
     "    {} 1\n"},
    {"serve",
     "usage: promql serve -d DATA [flags]\n"
     "\n"
     "Answers the HTTP API over a data directory, which may come into being later.\n"
     "\n"
     "      --web.listen-address HOST:PORT   (0.0.0.0:9090), may be repeated\n"
     "      --web.enable-lifecycle           POST /-/reload and /-/quit\n"
     "      --run-dir DIR                    (DATA/run)\n"
     "      --config.file FILE               prometheus.yml: global evaluation_interval, query_log_file\n"
     "      --query.lookback-delta D  --query.timeout D  --query.max-samples N\n"
     "      --query.max-memory SIZE  --query.threads N\n"
     "      --query.max-concurrency N        (20)\n"
     "      --enable-feature NAMES           as of promql query\n"
     "      --log.level LEVEL  --log.format FORMAT\n"
     "\n"
     "  promql serve -d data --web.listen-address=127.0.0.1:9090\n"},
};

}  // namespace

std::string_view HelpOf(std::string_view command) {
  for (const Help& h : kHelp)
    if (h.command == command) return h.text;
  return kHelp[0].text;
}

}  // namespace prom::cli

#include "api/query_api.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>

#include "api/params.h"
#include "base/json.h"
#include "base/number.h"
#include "base/strings.h"
#include "promql/parse.h"
#include "promql/print.h"
#include "promql/time_range.h"
#include "promql/result_json.h"

namespace prom::api {
namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr std::int64_t kMaxPoints = 11000;
constexpr std::size_t kMaxAnnotations = 10;

struct ErrorKind {
  std::string_view name;
  int status;
};
ErrorKind KindOf(Errc code) {
  switch (code) {
    case Errc::kInvalid: return {"bad_data", 400};
    case Errc::kNotFound: return {"not_found", 404};
    case Errc::kTimeout: return {"timeout", 503};
    case Errc::kCanceled: return {"canceled", 499};
    case Errc::kUnavailable: return {"unavailable", 503};
    case Errc::kLimit: return {"execution", 422};
    default: return {"internal", 500};
  }
}

HttpResponse Fail(ErrorKind kind, std::string_view message) {
  std::string out;
  JsonWriter(&out).BeginObject().Field("status", "error").Field("errorType", kind.name).Field("error", message).EndObject();
  return HttpResponse::Json(kind.status, std::move(out));
}
HttpResponse Fail(const Error& e) { return Fail(KindOf(e.code), e.message); }

void AppendAnnotations(std::string* out, std::string_view key, std::string_view noun, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  *out += ",\"";
  *out += key;
  *out += "\":[";
  for (std::size_t i = 0; i < texts.size() && i < kMaxAnnotations; ++i) {
    if (i > 0) out->push_back(',');
    AppendJsonString(out, texts[i]);
  }
  if (texts.size() > kMaxAnnotations) {
    out->push_back(',');
    AppendJsonString(out, std::to_string(texts.size() - kMaxAnnotations) + " more " + std::string(noun) + " annotations omitted");
  }
  out->push_back(']');
}

// An answer is built in one string: kSuccess, the data, and the end.
constexpr std::string_view kSuccess = "{\"status\":\"success\",\"data\":";
void AppendEnd(std::string* out, const std::vector<std::string>& warnings, const std::vector<std::string>& infos) {
  AppendAnnotations(out, "warnings", "warning", warnings);
  AppendAnnotations(out, "infos", "info", infos);
  out->push_back('}');
}
HttpResponse Succeed(std::string out, const std::vector<std::string>& warnings = {}) {
  AppendEnd(&out, warnings, {});
  return HttpResponse::Json(200, std::move(out));
}

std::string StringsAnswer(const std::vector<std::string>& strings) {
  std::string out(kSuccess);
  JsonWriter json(&out);
  json.BeginArray();
  for (const std::string& s : strings) json.String(s);
  json.EndArray();
  return out;
}

void OnceEach(std::vector<std::string>* warnings) {
  std::set<std::string_view> seen;
  std::vector<std::string> out;
  for (const std::string& w : *warnings) {
    if (seen.insert(w).second) out.push_back(w);
  }
  *warnings = std::move(out);
}

constexpr std::string_view kTruncated = "results truncated due to limit";

// A place among the running queries; the wait for one counts against the query's timeout.
class Slots {
 public:
  explicit Slots(std::int64_t n) : free_(n) {}
  bool Take(std::int64_t timeout_ms) {
    std::unique_lock lock(mutex_);
    if (!available_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return free_ > 0; })) return false;
    --free_;
    return true;
  }
  void Give() {
    {
      std::lock_guard lock(mutex_);
      ++free_;
    }
    available_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable available_;
  std::int64_t free_;
};

}  // namespace

class QueryApi::Impl {
 public:
  Impl(QueryableSource& source, QueryApiOptions options, Clock& clock, Metrics& metrics)
      : source_(source), options_(std::move(options)), clock_(clock), slots_(options_.max_concurrency),
        running_(metrics.AddGauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")),
        seconds_(metrics.AddHistogram("prometheus_engine_query_duration_histogram_seconds", "Query timings.", {0.001, 0.01, 0.1, 1, 10, 60})),
        samples_(metrics.AddCounter("prometheus_engine_query_samples_total", "The total number of samples loaded by all queries.")) {
    metrics.AddGauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.").Set(static_cast<double>(options_.max_concurrency));
  }

  HttpResponse Handle(const HttpRequest& request) {
    const std::string_view path = request.path;
    static constexpr std::string_view kPrefix = "/api/v1/";
    if (!path.starts_with(kPrefix)) return HttpResponse::Text(404, "404 page not found\n");
    const std::string_view rest = path.substr(kPrefix.size());
    const bool get = request.method == "GET" || request.method == "HEAD", post = request.method == "POST";
    if (request.method == "OPTIONS") return HttpResponse::Text(204, "");
    using Endpoint = HttpResponse (Impl::*)(const HttpRequest&, const RequestParams&);
    struct Route {
      std::string_view name;
      Endpoint run;
      bool post;
    };
    static constexpr Route kRoutes[] = {{"query", &Impl::Query, true},       {"query_range", &Impl::QueryRange, true},
                                        {"labels", &Impl::LabelNames, true}, {"series", &Impl::Series, true},
                                        {"metadata", &Impl::Metadata, false}, {"format_query", &Impl::FormatQuery, true},
                                        {"status/buildinfo", &Impl::BuildInfo, false}};
    Endpoint run = nullptr;
    bool allowed = get;
    for (const Route& r : kRoutes) {
      if (r.name != rest) continue;
      run = r.run;
      allowed = get || (post && r.post);
    }
    // /label/<name>/values: the name is taken from the raw path, so that an escaped slash stays in it.
    std::string_view raw = request.raw_path;
    if (run == nullptr && raw.starts_with("/api/v1/label/") && raw.ends_with("/values") && raw.size() > std::string_view("/api/v1/label//values").size()) {
      run = &Impl::LabelValues;
    }
    if (run == nullptr) return HttpResponse::Text(404, "404 page not found\n");
    if (!allowed) return HttpResponse::Text(405, "Method Not Allowed\n");
    auto form = request.ParseForm();
    if (!form) return Fail(Error{Errc::kInvalid, "error parsing form values: " + form.error().message});
    return (this->*run)(request, RequestParams(std::move(*form)));
  }

 private:
  // Runs `evaluate` on the parsed query, with an engine set up by the request, in one of the slots, canceled with its client.
  using Evaluate =
      std::function<Result<promql::QueryResult>(const promql::Engine&, const Queryable&, const promql::Expr&, std::string_view, promql::QueryControl&)>;
  HttpResponse RunQuery(const HttpRequest& request, const RequestParams& params, const promql::QueryTimes& times, std::size_t limit, const Evaluate& evaluate) {
    const std::int64_t start_ns = clock_.MonotonicNs();
    const auto elapsed_ms = [&] { return (clock_.MonotonicNs() - start_ns) / 1'000'000; };
    promql::EngineOptions engine_options = options_.engine;
    if (options_.subquery_step_ms != nullptr) engine_options.subquery_step_ms = options_.subquery_step_ms->load(std::memory_order_relaxed);
    if (!params.Get("timeout").empty()) {
      auto timeout = params.DurationMs("timeout");
      if (!timeout) return Fail(timeout.error());
      engine_options.timeout_ms = std::min(engine_options.timeout_ms, *timeout);
    }
    if (!params.Get("lookback_delta").empty()) {
      auto lookback = ParseApiDuration(params.Get("lookback_delta"));
      if (!lookback) return Fail(lookback.error().Wrap("error parsing lookback delta duration: "));
      if (*lookback > 0) engine_options.lookback_ms = *lookback;
    }
    const std::string_view text = params.Get("query");
    auto expr = promql::ParseExpr(text, engine_options.parse);
    if (!expr) return Fail(InvalidParameter("query", expr.error().message));
    const std::int64_t parse_ns = clock_.MonotonicNs() - start_ns;

    running_.Add(1);
    const bool got_slot = slots_.Take(engine_options.timeout_ms);
    const double queue_seconds = static_cast<double>(clock_.MonotonicNs() - start_ns - parse_ns) / 1e9;
    Result<promql::QueryResult> result = Error{Errc::kTimeout, "query timed out in query queue"};
    if (got_slot && engine_options.timeout_ms <= elapsed_ms()) {
      slots_.Give();
    } else if (got_slot) {
      engine_options.timeout_ms -= elapsed_ms();
      auto snapshot = source_.Snapshot();
      if (snapshot) {
        promql::QueryControl control;
        control.client_gone = request.canceled;
        result = evaluate(promql::Engine(engine_options), **snapshot, **expr, text, control);
      } else {
        result = Error{Errc::kUnavailable, snapshot.error().message};
      }
      slots_.Give();
    }
    running_.Add(-1);
    seconds_.Observe(static_cast<double>(clock_.MonotonicNs() - start_ns) / 1e9);
    if (options_.log != nullptr && options_.log->enabled()) {
      LoggedQuery logged{text, times.start_ms, times.end_ms, times.step_ms, {}, {}, queue_seconds, static_cast<double>(clock_.MonotonicNs() - start_ns) / 1e9, {}, request.method, request.path};
      if (result) logged.stats = result->stats;
      else logged.error = result.error().message;
      logged.stats.parse_us = parse_ns / 1000;
      logged.client = std::string_view(request.remote).substr(0, request.remote.rfind(':'));
      options_.log->Write(logged, clock_.NowMs());
    }
    if (!result) {
      const Error& e = result.error();
      // Errors of running, as opposed to reading the request, are "execution".
      if (e.message.starts_with("invalid expression type")) return Fail(InvalidParameter("query", e.message));
      if (e.code == Errc::kInvalid || e.code == Errc::kCorrupt || e.code == Errc::kIo) return Fail({"execution", 422}, e.message);
      return Fail(e);
    }
    samples_.Add(static_cast<double>(result->stats.samples_read));
    std::vector<std::string> warnings = std::move(result->warnings);
    if (limit > 0 && result->series.size() > limit && (result->type == promql::ValueType::kVector || result->type == promql::ValueType::kMatrix)) {
      result->series.resize(limit);
      warnings.insert(warnings.begin(), std::string(kTruncated));
    }
    const std::string_view stats = params.Get("stats");
    if (!stats.empty() && stats != "true" && stats != "all")
      warnings.push_back("value " + Quote(stats) + " for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\"");
    std::string fields, end;
    if (!stats.empty()) {
      result->stats.parse_us = parse_ns / 1000;
      fields = ",\"stats\":";
      promql::AppendStatsJson(&fields, result->stats, queue_seconds, static_cast<double>(clock_.MonotonicNs() - start_ns) / 1e9);
    }
    AppendEnd(&end, warnings, result->infos);
    promql::ResultJsonPieces pieces(std::move(*result), std::move(fields));
    HttpResponse response = HttpResponse::Json(200, std::string(kSuccess));
    if (!pieces.Append(&response.body)) {
      response.body += end;
      return response;
    }
    response.more = [pieces = std::make_shared<promql::ResultJsonPieces>(std::move(pieces)), end = std::move(end)](std::string* piece) {
      if (pieces->Append(piece)) return true;
      *piece += end;
      return false;
    };
    return response;
  }

  HttpResponse Query(const HttpRequest& request, const RequestParams& params) {
    auto limit = params.Limit();
    if (!limit) return Fail(limit.error());
    auto t = params.TimeOr("time", clock_.NowMs());
    if (!t) return Fail(t.error());
    return RunQuery(request, params, {false, *t, *t, 0}, *limit, [&](const promql::Engine& engine, const Queryable& q, const promql::Expr& expr, std::string_view text, promql::QueryControl& control) {
      return engine.InstantExpr(q, expr, text, *t, control);
    });
  }

  HttpResponse QueryRange(const HttpRequest& request, const RequestParams& params) {
    auto limit = params.Limit();
    if (!limit) return Fail(limit.error());
    auto start = params.Time("start");
    if (!start) return Fail(start.error());
    auto end = params.Time("end");
    if (!end) return Fail(end.error());
    if (*end < *start) return Fail(InvalidParameter("end", "end timestamp must not be before start time"));
    auto step = params.DurationMs("step");
    if (!step) return Fail(step.error());
    if (*step <= 0) return Fail(InvalidParameter("step", "zero or negative query resolution step widths are not accepted. Try a positive integer"));
    // Unsigned, so that far-apart times do not overflow.
    if ((static_cast<std::uint64_t>(*end) - static_cast<std::uint64_t>(*start)) / static_cast<std::uint64_t>(*step) > static_cast<std::uint64_t>(kMaxPoints))
      return Fail(Error{Errc::kInvalid, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"});
    return RunQuery(request, params, {true, *start, *end, *step}, *limit, [&](const promql::Engine& engine, const Queryable& q, const promql::Expr& expr, std::string_view text, promql::QueryControl& control) {
      return engine.RangeExpr(q, expr, text, *start, *end, *step, control);
    });
  }

  // Start, end, limit and match[] of the metadata endpoints, with one snapshot.
  struct Lookup {
    std::int64_t start = 0, end = 0;
    std::size_t limit = 0;
    std::vector<Matchers> sets;
    std::shared_ptr<const Queryable> snapshot;
  };
  Result<Lookup> StartLookup(const RequestParams& params, bool name_parameter) {
    Lookup out;
    PROM_ASSIGN(out.limit, params.Limit());
    PROM_ASSIGN(out.start, params.TimeOr("start", kApiMinTime));
    PROM_ASSIGN(out.end, params.TimeOr("end", kApiMaxTime));
    auto sets = params.MatcherSets();
    // Upstream names the parameter in errors of /series only.
    if (!sets) return name_parameter ? InvalidParameter("match[]", sets.error().message) : std::move(sets.error());
    out.sets = std::move(*sets);
    auto snapshot = source_.Snapshot();
    if (!snapshot) return Error{Errc::kUnavailable, snapshot.error().message};
    out.snapshot = std::move(*snapshot);
    return out;
  }

  // The union over the match[] sets of what `get` finds, cut at the limit.
  template <typename Get>
  HttpResponse StringUnion(const RequestParams& params, Get get) {
    auto lookup = StartLookup(params, false);
    if (!lookup) return Fail(lookup.error());
    if (lookup->sets.empty()) lookup->sets.emplace_back();
    std::set<std::string> all;
    std::vector<std::string> warnings;
    if (lookup->end < lookup->start) lookup->sets.clear();  // nothing lies between them, which is no error
    for (const Matchers& set : lookup->sets) {
      auto found = get(*lookup->snapshot, set, lookup->start, lookup->end, &warnings);
      if (!found) return Fail({"execution", 422}, found.error().message);
      all.insert(std::make_move_iterator(found->begin()), std::make_move_iterator(found->end()));
    }
    std::vector<std::string> out(all.begin(), all.end());
    OnceEach(&warnings);
    if (lookup->limit > 0 && out.size() > lookup->limit) {
      out.resize(lookup->limit);
      warnings.emplace_back(kTruncated);
    }
    return Succeed(StringsAnswer(out), warnings);
  }

  HttpResponse LabelNames(const HttpRequest&, const RequestParams& params) {
    return StringUnion(params, [](const Queryable& q, const Matchers& m, std::int64_t start, std::int64_t end, std::vector<std::string>* warnings) {
      return q.ReadableLabelNames(m, start, end, warnings);
    });
  }

  HttpResponse LabelValues(const HttpRequest& request, const RequestParams& params) {
    std::string_view raw = request.raw_path;
    raw.remove_prefix(std::string_view("/api/v1/label/").size());
    raw.remove_suffix(std::string_view("/values").size());
    auto decoded = net::PercentDecode(raw, false);
    if (!decoded) return Fail(decoded.error());
    const std::string name = UnescapeLabelName(*decoded);
    if (!IsValidLabelName(name)) return Fail(Error{Errc::kInvalid, "invalid label name: " + Quote(name)});
    return StringUnion(params, [&](const Queryable& q, const Matchers& m, std::int64_t start, std::int64_t end, std::vector<std::string>* warnings) {
      return q.ReadableLabelValues(name, m, start, end, warnings);
    });
  }

  HttpResponse Series(const HttpRequest&, const RequestParams& params) {
    if (params.GetAll("match[]").empty()) return Fail(Error{Errc::kInvalid, "no match[] parameter provided"});
    auto lookup = StartLookup(params, true);
    if (!lookup) return Fail(lookup.error());
    if (lookup->end < lookup->start) lookup->sets.clear();
    std::vector<std::unique_ptr<Selection>> selections;
    std::vector<const Labels*> all;
    std::vector<std::string> warnings;
    for (const Matchers& set : lookup->sets) {
      auto selection = lookup->snapshot->Select(set, lookup->start, lookup->end);
      if (!selection && selection.error().code == Errc::kCorrupt) {  // none of what can be read
        warnings.push_back(selection.error().message);
        continue;
      }
      if (!selection) return Fail({"execution", 422}, selection.error().message);
      for (std::string& w : (*selection)->warnings()) warnings.push_back(std::move(w));
      for (std::size_t i = 0; i < (*selection)->size(); ++i) all.push_back(&(*selection)->labels(i));
      selections.push_back(std::move(*selection));
    }
    if (selections.size() > 1) {
      std::sort(all.begin(), all.end(), [](const Labels* a, const Labels* b) { return *a < *b; });
      all.erase(std::unique(all.begin(), all.end(), [](const Labels* a, const Labels* b) { return *a == *b; }), all.end());
    }
    OnceEach(&warnings);
    if (lookup->limit > 0 && all.size() > lookup->limit) {
      all.resize(lookup->limit);
      warnings.emplace_back(kTruncated);
    }
    std::string out(kSuccess);
    out.push_back('[');
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i > 0) out.push_back(',');
      promql::AppendLabelsJson(&out, *all[i]);
    }
    out.push_back(']');
    return Succeed(std::move(out), warnings);
  }

  HttpResponse Metadata(const HttpRequest&, const RequestParams& params) {
    // Unlike elsewhere a limit of 0 means none at all here, and a negative one no limit.
    std::int64_t limit = -1;
    for (const char* name : {"limit", "limit_per_metric"}) {
      const std::string_view text = params.Get(name);
      if (text.empty()) continue;
      const auto n = ParseInt64(text);
      if (!n) return Fail(Error{Errc::kInvalid, std::string(name) + " must be a number"});
      if (name == std::string_view("limit")) limit = *n;  // there is never more than one entry a metric
    }
    auto snapshot = source_.Snapshot();
    if (!snapshot) return Fail(Error{Errc::kUnavailable, snapshot.error().message});
    auto all = (*snapshot)->ListMetadata();
    if (!all) return Fail({"execution", 422}, all.error().message);
    const std::string_view metric = params.Get("metric");
    std::string out(kSuccess);
    JsonWriter json(&out);
    json.BeginObject();
    std::int64_t n = 0;
    for (const auto& [name, m] : *all) {
      if (!metric.empty() && name != metric) continue;
      if (limit >= 0 && n++ == limit) break;
      json.Key(name).BeginArray().BeginObject().Field("type", MetricTypeName(m.type)).Field("unit", m.unit).Field("help", m.help).EndObject().EndArray();
    }
    json.EndObject();
    return Succeed(std::move(out));
  }

  HttpResponse FormatQuery(const HttpRequest&, const RequestParams& params) {
    auto expr = promql::ParseExpr(params.Get("query"), options_.engine.parse);
    if (!expr) return Fail(InvalidParameter("query", expr.error().message));
    std::string out(kSuccess);
    AppendJsonString(&out, promql::PrettyPrint(**expr));
    return Succeed(std::move(out));
  }

  HttpResponse BuildInfo(const HttpRequest&, const RequestParams&) {
    std::string out(kSuccess);
    // Clients (Grafana among them) decide by this number which features a Prometheus has: say which
    // upstream release the API follows.
    JsonWriter(&out).BeginObject().Field("version", "3.14.0").Field("revision", "").Field("branch", "").Field("buildUser", "").Field("buildDate", "")
        .Field("goVersion", "").Field("promkitVersion", kPromkitVersion).EndObject();
    return Succeed(std::move(out));
  }

  QueryableSource& source_;
  const QueryApiOptions options_;
  Clock& clock_;
  Slots slots_;
  Gauge& running_;
  HistogramMetric& seconds_;
  Counter& samples_;
};

QueryApi::QueryApi(QueryableSource& source, QueryApiOptions options, Clock& clock, Metrics& metrics)
    : impl_(std::make_unique<Impl>(source, std::move(options), clock, metrics)) {}
QueryApi::~QueryApi() = default;
HttpResponse QueryApi::Handle(const HttpRequest& request) { return impl_->Handle(request); }

}  // namespace prom::api

#include "api/remote_source.h"

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

#include "api/api_answer.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/strings.h"
#include "discovery/http_fetch.h"
#include "discovery/url.h"
#include "net/fetch_loop.h"
#include "net/http_server.h"

namespace prom::api {
namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

std::string Encode(const Form& form) {
  std::string out;
  for (const auto& [name, value] : form) out += (out.empty() ? "" : "&") + net::PercentEncode(name) + "=" + net::PercentEncode(value);
  return out;
}

std::string Seconds(std::int64_t ms) {
  char buffer[32];
  return {buffer, WriteMillisAsSeconds(buffer, ms)};
}

// A label name as part of a path: the U__ form when it is not a plain one (upstream's value escaping).
std::string PathName(std::string_view name) {
  if (IsLegacyLabelName(name)) return std::string(name);
  std::string out = "U__";
  for (std::size_t i = 0; i < name.size();) {
    const auto lead = static_cast<unsigned char>(name[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (n == 1 && ((lead >= '0' && lead <= '9') || ((lead | 32) >= 'a' && (lead | 32) <= 'z'))) {
      out += name[i];
    } else if (lead == '_') {
      out += "__";
    } else {
      std::uint32_t cp = n == 1 ? lead : lead & (0xffu >> (n + 1));
      for (std::size_t k = 1; k < n && i + k < name.size(); ++k) cp = cp << 6 | (static_cast<unsigned char>(name[i + k]) & 0x3f);
      out += StringPrintf("_%x_", cp);
    }
    i += n;
  }
  return out;
}

class RemoteSource : public QuerySource {
 public:
  RemoteSource(RemoteOptions options, net::FetchRequest base, std::string shown) : options_(std::move(options)), base_(std::move(base)), shown_(std::move(shown)) {}

  Result<void> Refresh() override { return {}; }

  Result<promql::QueryResult> Query(std::string_view expr, const promql::QueryTimes& times, promql::QueryControl& control) override {
    Form form = {{"query", std::string(expr)}};
    if (times.range) {
      form.insert(form.end(), {{"start", Seconds(times.start_ms)}, {"end", Seconds(times.end_ms)}, {"step", Seconds(times.step_ms)}});
    } else {
      form.emplace_back("time", Seconds(times.start_ms));
    }
    form.emplace_back("timeout", Seconds(options_.timeout_ms) + "s");
    if (options_.lookback_ms > 0) form.emplace_back("lookback_delta", Seconds(options_.lookback_ms));
    if (options_.stats) form.emplace_back("stats", "all");
    PROM_ASSIGN(const std::string body, Ask(times.range ? "query_range" : "query", form, true, &control.canceled));
    return Named(ReadQueryAnswer(body));
  }

  Result<std::vector<std::string>> LabelNames(const LookupRequest& request) override {
    PROM_ASSIGN(const std::string body, Ask("labels", LookupForm(request), true, nullptr));
    return Named(ReadStringsAnswer(body, request.warnings));
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const LookupRequest& request) override {
    PROM_ASSIGN(const std::string body, Ask("label/" + PathName(name) + "/values", LookupForm(request), false, nullptr));
    return Named(ReadStringsAnswer(body, request.warnings));
  }
  Result<std::vector<Labels>> Series(const LookupRequest& request) override {
    LookupRequest all = request;
    if (all.selectors.empty()) all.selectors.emplace_back("{__name__!=\"\"}");
    PROM_ASSIGN(const std::string body, Ask("series", LookupForm(all), true, nullptr));
    return Named(ReadSeriesAnswer(body, request.warnings));
  }

  Result<std::vector<MetricInfo>> Metrics(const LookupRequest& request) override {
    PROM_ASSIGN(const auto series, Series(request));
    PROM_ASSIGN(const auto metadata, ListMetadata());
    return CountMetrics(series, metadata);
  }

  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() override {
    PROM_ASSIGN(const std::string body, Ask("metadata", {}, false, nullptr));
    return Named(ReadMetadataAnswer(body));
  }

  std::string EmptyHint() override { return "asked " + shown_; }
  const Queryable* local() const override { return nullptr; }

 private:
  static Form LookupForm(const LookupRequest& request) {
    Form out;
    for (const std::string& s : request.selectors) out.emplace_back("match[]", s);
    if (request.min_ms != kMinTimeMs) out.emplace_back("start", Seconds(request.min_ms));
    if (request.max_ms != kMaxTimeMs) out.emplace_back("end", Seconds(request.max_ms));
    return out;
  }

  // An answer that cannot be read is the server's: say whose.
  template <typename T>
  Result<T> Named(Result<T> result) const {
    if (!result && result.error().code == Errc::kCorrupt) return Error{Errc::kUnavailable, shown_ + ": " + result.error().message};
    return result;
  }

  Result<std::string> Ask(const std::string& path, const Form& form, bool post, const std::atomic<bool>* canceled) {
    net::FetchRequest request = base_;
    request.url += "/api/v1/" + path;
    if (post) request.post_form = Encode(form);
    else if (!form.empty()) request.url += "?" + Encode(form);
    const std::string where = shown_ + "/api/v1/" + path;
    if (!loop_) loop_ = std::make_unique<net::FetchLoop>();
    // Shared with the callback, which may come after this has given up.
    struct Waiting {
      std::mutex mutex;
      std::condition_variable done;
      std::optional<net::FetchResult> result;
    };
    auto waiting = std::make_shared<Waiting>();
    loop_->Fetch(std::move(request), {}, [waiting](net::FetchResult r) {
      const std::lock_guard lock(waiting->mutex);
      waiting->result = std::move(r);
      waiting->done.notify_one();
    });
    std::unique_lock lock(waiting->mutex);
    while (!waiting->result) {
      waiting->done.wait_for(lock, std::chrono::milliseconds(50));
      if (!waiting->result && canceled != nullptr && *canceled) {
        lock.unlock();
        loop_.reset();  // closes the connection, which cancels the query there
        return Error{Errc::kCanceled, "query was canceled"};
      }
    }
    net::FetchResult result = std::move(*waiting->result);
    lock.unlock();
    if (!result.done) return result.done.error().Wrap(where + ": ");
    const bool json = result.body.find_first_not_of(" \t\r\n") != std::string::npos && result.body[result.body.find_first_not_of(" \t\r\n")] == '{';
    if (json && result.content_type.find("json") != std::string::npos) return std::move(result.body);  // also errors are told in JSON
    if (result.status / 100 == 2 && json) return std::move(result.body);
    std::string hint;
    if (result.status == 401 || result.status == 403) hint = " (see --http.config.file)";
    else if (result.status == 404 || result.status / 100 == 2) hint = " (is this the base URL of a Prometheus server?)";
    else if (const std::string_view text = TrimSpace(result.body); !text.empty() && text.size() < 300 && text[0] != '<') hint = ": " + std::string(text);
    if (result.status / 100 == 2) return Error{Errc::kUnavailable, where + ": the answer is no JSON but " + (result.content_type.empty() ? "something else" : result.content_type) + hint};
    return Error{Errc::kUnavailable, where + ": HTTP status " + std::to_string(result.status) + hint};
  }

  const RemoteOptions options_;
  const net::FetchRequest base_;
  const std::string shown_;  // the URL without a password
  std::unique_ptr<net::FetchLoop> loop_;
};

}  // namespace

Result<std::unique_ptr<QuerySource>> OpenRemoteSource(RemoteOptions options) {
  std::string url = options.url;
  if (url.find("://") == std::string::npos) url = "http://" + url;
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/api/v1")) url.resize(url.size() - 7);
  auto parsed = discovery::ParseUrl(url);
  if (!parsed) return parsed.error().Wrap("--url: ");
  if ((parsed->scheme != "http" && parsed->scheme != "https") || parsed->host.empty()) return Error{Errc::kInvalid, "--url " + Quote(parsed->Redacted()) + ": want http://HOST:PORT or https://..."};
  if (parsed->rest.find_first_of("?#") != std::string::npos) return Error{Errc::kInvalid, "--url " + Quote(parsed->Redacted()) + ": want the base URL, without a query"};
  net::FetchRequest base;
  base.url = url;
  base.timeout_ms = options.timeout_ms + 5'000;
  base.max_body_bytes = options.max_answer_bytes;
  base.headers = {{"Accept", "application/json"}, {"User-Agent", "promkit/" + std::string(kPromkitVersion)}};
  PROM_TRY(discovery::ApplyHttpClient(options.http, &base));
  return std::unique_ptr<QuerySource>(std::make_unique<RemoteSource>(std::move(options), std::move(base), parsed->Redacted()));
}

}  // namespace prom::api

#include "scrape/once.h"

#include <future>

#include "net/fetch_loop.h"
#include "scrape/fetch_request.h"
#include "scrape/scraper.h"

namespace prom::scrape {
namespace {

// The labels that a URL stands for.
Labels UrlLabels(std::string_view url) {
  LabelsBuilder out;
  if (const std::size_t at = url.find("://"); at != std::string_view::npos) {
    out.Set("__scheme__", url.substr(0, at));
    url.remove_prefix(at + 3);
  }
  const std::size_t slash = std::min(url.find_first_of("/?"), url.size());
  out.Set("__address__", url.substr(0, slash));
  const std::string_view path = url.substr(slash);
  if (path.starts_with('?')) {
    out.Set("__metrics_path__", "/" + std::string(path));
  } else if (!path.empty() && path != "/") {
    out.Set("__metrics_path__", path);
  }
  return out.Build();
}

}  // namespace

Result<std::vector<OnceFailure>> ScrapeOnce(const OnceOptions& options, StreamSink& sink, Clock& clock) {
  auto config = std::make_shared<config::ScrapeConfig>();
  config->job_name = options.job;
  config->scrape_interval_ms = config->scrape_timeout_ms = options.timeout_ms;
  config->scrape_protocols = {config::ScrapeProtocol::kOpenMetricsText100, config::ScrapeProtocol::kOpenMetricsText001, config::ScrapeProtocol::kPrometheusText100,
                              config::ScrapeProtocol::kPrometheusText004};
  if (options.accept_any_content_type) config->fallback_scrape_protocol = config::ScrapeProtocol::kPrometheusText004;
  LabelsBuilder group;
  for (const auto& [name, value] : options.labels) {
    if (!IsValidLabelName(name)) return Error{Errc::kInvalid, "\"" + name + "\" is not a valid label name"};
    group.Set(name, value);
  }

  std::vector<Target> targets;
  std::vector<net::FetchRequest> requests;
  for (const std::string& url : options.urls) {
    auto target = MakeTarget(*config, UrlLabels(url), group.Build(), nullptr);
    if (!target) return target.error().Wrap(url + ": ");
    PROM_ASSIGN(auto request, MakeFetchRequest(*config, **target));
    targets.push_back(std::move(**target));
    requests.push_back(std::move(request));
  }

  struct Page {
    std::int64_t t_ms;
    double seconds;
    net::FetchResult result;
  };
  net::FetchLoop loop;
  std::vector<std::future<Page>> pages;
  for (net::FetchRequest& request : requests) {
    auto done = std::make_shared<std::promise<Page>>();
    pages.push_back(done->get_future());
    const std::int64_t t_ms = clock.NowMs(), start_ns = clock.MonotonicNs();
    loop.Fetch(std::move(request), {}, [done, t_ms, start_ns, &clock](net::FetchResult result) {
      done->set_value({t_ms, static_cast<double>(clock.MonotonicNs() - start_ns) / 1e9, std::move(result)});
    });
  }

  Metrics ignored;
  ScrapeMetrics metrics(ignored);
  SinkOutput output(sink);
  std::vector<OnceFailure> failures;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    Page page = pages[i].get();
    if (page.result.done && page.result.status != 200) page.result.done = Error{Errc::kUnavailable, "server returned HTTP status " + std::to_string(page.result.status)};
    Scraper scraper(config, targets[i], output, metrics);
    const ScrapeReport report = scraper.Scrape(page.t_ms, page.seconds, page.result.done, page.result.content_type, &page.result.body, page.result.body_bytes);
    if (!report.error.empty()) failures.push_back({targets[i].url, report.error});
  }
  return failures;
}

}  // namespace prom::scrape

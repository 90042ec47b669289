// A scrape by hand: `promscrape URL...`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_sink.h"

namespace prom::scrape {

struct OnceOptions {
  std::vector<std::string> urls;  // "host:port", "http://host:port/path?query"
  std::string job = "promscrape";
  std::vector<std::pair<std::string, std::string>> labels;  // of every target
  std::int64_t timeout_ms = 10'000;
  bool accept_any_content_type = false;  // what does not say its type is read as text
};

struct OnceFailure {
  std::string url, error;
};

// Scrapes each URL once, all at the same time, and sends what a daemon would store:
// the series with job and instance, and the target's up and scrape_* series.
// kInvalid: a URL or label that makes no target; errors of the sink.
Result<std::vector<OnceFailure>> ScrapeOnce(const OnceOptions& options, StreamSink& sink, Clock& clock);

}  // namespace prom::scrape

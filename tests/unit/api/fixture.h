// What tests of the API share: samples in memory, a clock that stands still, requests by hand.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/test/unit_test.hpp>

#include "api/query_api.h"
#include "base/json.h"
#include "base/metrics.h"
#include "promql/memory_store.h"
#include "promql/series_notation.h"

namespace prom::testing {

// Wall clock at a given time; the monotonic clock runs.
class FixedClock : public Clock {
 public:
  explicit FixedClock(std::int64_t now_ms) : now_ms_(now_ms) {}
  std::int64_t NowMs() override { return now_ms_; }
  std::int64_t MonotonicNs() override { return SystemClock().MonotonicNs(); }

 private:
  std::int64_t now_ms_;
};

// A MemoryStore with metadata, as a source of snapshots; without one it is a store that is not there yet.
class MemorySource : public QueryableSource {
 public:
  class Store : public promql::MemoryStore {
   public:
    std::vector<std::pair<std::string, Metadata>> metadata;
    Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override { return metadata; }
  };
  // "name{labels} values" in the notation of test scripts, one value a minute from 0 on.
  void Load(std::string_view line) {
    auto series = promql::ParseSeriesDescription(line);
    BOOST_TEST_REQUIRE(bool(series), (series ? "" : series.error().message));
    for (std::size_t i = 0; i < series->values.size(); ++i) {
      const auto& v = series->values[i];
      const auto t = static_cast<std::int64_t>(i) * 60'000;
      if (v.omitted) continue;
      if (v.histogram) store->Append(series->labels, t, v.histogram);
      else store->Append(series->labels, t, v.value);
    }
  }
  Result<std::shared_ptr<const Queryable>> Snapshot() override {
    if (!store) return Error{Errc::kNotFound, "no data directory at data"};
    return std::shared_ptr<const Queryable>(store);
  }
  std::shared_ptr<Store> store = std::make_shared<Store>();
};

inline std::string Form(const net::Params& params) {
  std::string out;
  for (const auto& [name, value] : params) out += (out.empty() ? "" : "&") + net::PercentEncode(name) + "=" + net::PercentEncode(value);
  return out;
}

inline net::HttpRequest Get(std::string raw_path, const net::Params& params = {}) {
  net::HttpRequest r;
  r.method = "GET";
  r.raw_path = std::move(raw_path);
  r.path = *net::PercentDecode(r.raw_path, false);
  r.query = Form(params);
  return r;
}

inline net::HttpRequest Post(std::string raw_path, const net::Params& params = {}) {
  net::HttpRequest r = Get(std::move(raw_path));
  r.method = "POST";
  r.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  r.body = Form(params);
  return r;
}

inline JsonValue Json(const net::HttpResponse& response) {
  auto v = ParseJson(response.body);
  BOOST_TEST_REQUIRE(bool(v), response.body);
  return *v;
}

}  // namespace prom::testing

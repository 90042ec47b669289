// Requests to the query API: the first line is the path, the rest the form. Whatever comes,
// an answer below /api/v1/ that is not 404 or 405 is one JSON object with a status.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/metrics_page.h"
#include "api/query_api.h"
#include "base/json.h"
#include "promql/memory_store.h"

using namespace prom;

namespace {

class Source : public QueryableSource {
 public:
  Source() {
    for (int i = 0; i < 10; ++i) {
      store_->Append(Labels{{"__name__", "up"}, {"job", "a"}}, i * 60'000, i);
      store_->Append(Labels{{"__name__", "up"}, {"job", "caf\xc3\xa9"}}, i * 60'000, 1.0 / (i + 1));
    }
  }
  Result<std::shared_ptr<const Queryable>> Snapshot() override { return std::shared_ptr<const Queryable>(store_); }

 private:
  std::shared_ptr<promql::MemoryStore> store_ = std::make_shared<promql::MemoryStore>();
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Source source;
  static Metrics metrics;
  static api::QueryApi query_api(source,
                                 [] {
                                   api::QueryApiOptions options;
                                   options.engine.max_samples = 2000;
                                   options.engine.timeout_ms = 200;
                                   return options;
                                 }(),
                                 SystemClock(), metrics);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)api::MergeMetricPages({std::string(text), std::string(text)});
  const std::size_t line = text.find('\n');
  net::HttpRequest request;
  request.method = "GET";
  request.raw_path = text.substr(0, line);
  auto path = net::PercentDecode(request.raw_path, false);
  if (!path) return 0;
  request.path = *path;
  if (line != std::string_view::npos) request.query = text.substr(line + 1);
  const net::HttpResponse response = query_api.Handle(request);
  if (!request.path.starts_with("/api/v1/") || response.status == 404 || response.status == 405) return 0;
  const auto json = ParseJson(response.body);
  if (!json || json->StringOr("status", "") != (response.status == 200 ? "success" : "error")) std::abort();
  return 0;
}

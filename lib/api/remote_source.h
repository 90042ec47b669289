// A Prometheus-compatible server as a QuerySource: /api/v1/query, query_range, labels,
// label/<name>/values, series, metadata. Queries go as POST forms, so their length is
// not limited by a URL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "api/query_source.h"
#include "discovery/http_client_config.h"

namespace prom::api {

struct RemoteOptions {
  std::string url;  // "http://host:9090", with a path where the API lies below one; http:// may be left out
  std::int64_t timeout_ms = 120'000;   // of a query, and of a request a little more
  std::int64_t lookback_ms = 0;        // 0: the server's own
  bool stats = false;
  std::uint64_t max_answer_bytes = 1u << 30;
  discovery::HttpClientConfig http;
};

// kInvalid: the URL; kIo, kNotFound: a file of credentials. Connects at the first question.
// Of the answers, kUnavailable and kTimeout are the network's; a status other than success
// without an answer of the API is kUnavailable, with the status and the URL.
Result<std::unique_ptr<QuerySource>> OpenRemoteSource(RemoteOptions options);

}  // namespace prom::api

// The keys of http_client_config.h as a request that libcurl understands.
#pragma once

#include <string>

#include "base/result.h"
#include "discovery/http_client_config.h"
#include "net/fetch_loop.h"

namespace prom::discovery {

// Credentials, TLS, proxy and headers; files are read now. kUnsupported: oauth2.
Result<void> ApplyHttpClient(const HttpClientConfig& config, net::FetchRequest* request);

// A file of those keys (promtool's --http.config.file); relative paths in it are joined to its directory.
Result<HttpClientConfig> LoadHttpClient(const std::string& path);

}  // namespace prom::discovery

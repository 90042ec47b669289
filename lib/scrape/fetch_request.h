// What a scrape asks for: headers, credentials and limits of one fetch.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"
#include "net/fetch_loop.h"
#include "scrape/target.h"

namespace prom::scrape {

// The Accept header for the protocols, most wanted first: q=0.N falling by one, then */*.
// Protobuf is left out: promscrape does not read it.
std::string AcceptHeader(const std::vector<config::ScrapeProtocol>& protocols, config::NameEscaping escaping);

// Secrets in files are read now, as they may change. kInvalid: what cannot be done.
Result<net::FetchRequest> MakeFetchRequest(const config::ScrapeConfig& config, const Target& target);

}  // namespace prom::scrape

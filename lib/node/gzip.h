// Gzip of a whole page at the fastest level: what a scrape costs matters more
// than the last 10 % of its size. The tables (0.25 MB) live only for the call:
// between scrapes they would be a tenth of promnode's resident size.
#pragma once

#include <string>
#include <string_view>

namespace prom::node {

// False: out of memory; send it as it is. Thread-safe.
bool GzipPage(std::string_view page, std::string* out);

}  // namespace prom::node

// Which format a target sends, from its Content-Type header.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace prom {

enum class ScrapeFormat { kPrometheusText, kOpenMetricsText, kProtobuf };

struct FormatChoice {
  ScrapeFormat format = ScrapeFormat::kPrometheusText;
  std::string warning;  // not empty: the fallback was used, and why
};

// As upstream since 3.0: a missing, unreadable or unknown type is an error unless
// `fallback`, a media type such as "text/plain", is given (what fallback_scrape_protocol
// stands for). kInvalid, with upstream's text.
Result<FormatChoice> ChooseFormat(std::string_view content_type, std::string_view fallback);

}  // namespace prom

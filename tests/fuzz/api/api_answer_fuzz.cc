// Answers of any server: read, or refused; what is read is printed and read again alike.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/api_answer.h"
#include "promql/result_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)bool(prom::api::ReadStringsAnswer(text));
  (void)bool(prom::api::ReadSeriesAnswer(text));
  (void)bool(prom::api::ReadMetadataAnswer(text));
  const auto result = prom::api::ReadQueryAnswer(text);
  if (!result) return 0;
  std::string printed = "{\"status\":\"success\",\"data\":";
  prom::promql::AppendResultJson(&printed, *result);
  const auto again = prom::api::ReadQueryAnswer(printed + "}");
  // Histograms of odd bounds need not come back alike, floats must.
  if (!again) {
    for (const auto& s : result->series)
      if (!s.histograms.empty()) return 0;
    std::abort();
  }
  if (again->series.size() != result->series.size()) std::abort();
  return 0;
}

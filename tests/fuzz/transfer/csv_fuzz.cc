// CSV with a mapping of columns: the first line is the mapping and the separator, the rest the file. However it is cut,
// the same samples come out, and every line is either taken or refused.
#include "transfer/csv_reader.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "recording_sink.h"

using namespace prom;

namespace {

std::string Run(std::string_view text, const transfer::CsvOptions& options, std::size_t piece) {
  transfer_fuzz::RecordingSink sink;
  const auto reader = transfer::NewCsvReader(&sink, options, [](std::uint64_t, std::string_view) {});
  while (!text.empty()) {
    const auto part = text.substr(0, piece);
    text.remove_prefix(part.size());
    if (!reader->Feed(part)) return "ended: " + sink.text;
  }
  if (!reader->Finish()) return "ended: " + sink.text;
  if (reader->refused() > reader->lines() * 64 + 64) std::abort();
  return sink.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t newline = std::min(all.find('\n'), all.size());
  std::string_view mapping = all.substr(0, newline);
  all.remove_prefix(std::min(newline + 1, all.size()));
  transfer::CsvOptions options;
  if (mapping.starts_with("header ")) {
    options.header = true;
    mapping.remove_prefix(7);
  }
  if (!mapping.empty()) {
    auto columns = transfer::ParseCsvMapping(mapping);
    if (!columns) return 0;
    options.columns = std::move(*columns);
  } else {
    options.header = true;
  }
  const std::string whole = Run(all, options, all.size() + 1);
  if (Run(all, options, 1) != whole || Run(all, options, 5) != whole) std::abort();
  return 0;
}

// JSON lines as VictoriaMetrics exports them. However the input is cut, the same samples come out.
#include "transfer/jsonl_reader.h"

#include <cstdint>
#include <cstdlib>
#include <string>

#include "recording_sink.h"

using namespace prom;

namespace {

std::string Run(std::string_view text, std::size_t piece) {
  transfer_fuzz::RecordingSink sink;
  const auto reader = transfer::NewJsonLinesReader(&sink, [](std::uint64_t, std::string_view) {});
  while (!text.empty()) {
    const auto part = text.substr(0, piece);
    text.remove_prefix(part.size());
    if (!reader->Feed(part)) return "ended: " + sink.text;
  }
  if (!reader->Finish()) return "ended: " + sink.text;
  return sink.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = Run(text, size + 1);
  if (Run(text, 1) != whole || Run(text, 5) != whole) std::abort();
  return 0;
}

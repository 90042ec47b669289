// Text goes in, cut into pieces of a size that the first byte chooses. What a writer
// prints of it must be read again without refusals, and printed the same; and what is
// read must not depend on the pieces.
#include <cstddef>
#include <cstdint>
#include <string>

#include "both_ways.h"
#include "exposition/stream_text.h"

namespace {

class FixedClock : public prom::Clock {
 public:
  std::int64_t NowMs() override { return 1'700'000'000'000; }
  std::int64_t MonotonicNs() override { return 0; }
};

std::string Rewrite(std::string_view text, std::size_t step, prom::TextFormat format, std::uint64_t* refused) {
  std::string out;
  prom::StreamTextWriter writer([&](std::string_view bytes) { return out.append(bytes), prom::Result<void>(); });
  FixedClock clock;
  prom::StreamTextReader::Options options;
  options.format = format;
  options.max_line_bytes = 4096;
  options.max_batch_samples = 1000;
  prom::StreamTextReader reader(&writer, &clock, options, [](std::uint64_t line, std::string_view reason) { prom::testing::Require(line > 0 && !reason.empty(), "refusal"); });
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
    prom::testing::Require(bool(reader.Feed(text.substr(0, step))), "the writer takes all");
  }
  prom::testing::Require(bool(reader.Finish()) && bool(writer.Flush()), "the writer takes all");
  *refused = reader.refused();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto format = (data[0] & 1) != 0 ? prom::TextFormat::kOpenMetrics : prom::TextFormat::kPrometheus;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::uint64_t refused = 0;
  const std::string once = Rewrite(text, data[0] / 2 + 1u, format, &refused);
  // Cut into single bytes no line is predicted: that must make no difference.
  prom::testing::Require(Rewrite(text, 1, format, &refused) == Rewrite(text, text.size() + 1, format, &refused), "prediction changes nothing");
  const std::string twice = Rewrite(once, 1000, prom::TextFormat::kPrometheus, &refused);
  if (once.find('\n') == std::string::npos || once.size() < 4096) {  // a longer line may be over the limit
    prom::testing::Require(refused == 0, "what was printed is read again");
    prom::testing::Require(once == twice, "nothing is lost");
  }
  return 0;
}

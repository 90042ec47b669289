// Any bytes as a chunk (the first is the encoding); what decodes in the order of time is
// encoded again, and must decode to the same.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/number.h"
#include "tsdb/chunk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  using namespace prom::tsdb;
  if (size == 0) return 0;
  SeriesColumns c;
  if (!DecodeChunk(data[0], std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), &c)) {
    if (!c.t_buffer.empty() || !c.histograms.empty()) std::abort();
    return 0;
  }
  if (!c.t_buffer.empty()) {
    XorEncoder e;
    for (std::size_t i = 0; i < c.t_buffer.size(); ++i) e.Append(c.t_buffer[i], c.v_buffer[i]);
    SeriesColumns again;
    if (!DecodeChunk(1, e.Finish(), &again) || again.t_buffer != c.t_buffer) std::abort();
    for (std::size_t i = 0; i < c.v_buffer.size(); ++i)
      if (std::bit_cast<std::uint64_t>(again.v_buffer[i]) != std::bit_cast<std::uint64_t>(c.v_buffer[i])) std::abort();
  }
  HistogramEncoder e;
  std::size_t n = 0;
  for (const auto& s : c.histograms) {
    // Counts beyond 2^53 are rounded, and no counts at all.
    if (!s.h->is_float && !(s.h->count < 9e15 && s.h->zero_count < 9e15)) break;
    bool plain = true;
    for (const double v : s.h->positive_buckets) plain = plain && (s.h->is_float || (v >= 0 && v < 9e15));
    for (const double v : s.h->negative_buckets) plain = plain && (s.h->is_float || (v >= 0 && v < 9e15));
    if (!plain || !e.Fits(*s.h)) break;
    e.Append(s.t_ms, *s.h);
    ++n;
  }
  if (n == 0) return 0;
  SeriesColumns again;
  if (!DecodeChunk(static_cast<std::uint8_t>(e.encoding()), e.Finish(), &again) || again.histograms.size() != n) std::abort();
  for (std::size_t i = 0; i < n; ++i)
    if (again.histograms[i].t_ms != c.histograms[i].t_ms || !(*again.histograms[i].h == *c.histograms[i].h)) std::abort();
  return 0;
}

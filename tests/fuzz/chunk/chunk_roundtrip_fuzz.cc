// Any doubles, encoded and decoded, are the same bits again; likewise as times.
// Input: two bytes for the hint, one that says how to read the rest (raw doubles,
// small integers, hundredths, running sums), then the values.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "chunk/time_column.h"
#include "chunk/value_chunk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  prom::chunk::EncoderHint hint{data[0], data[1]};
  const unsigned shape = data[2] % 5;
  data += 3;
  size -= 3;
  std::vector<double> values;
  double sum = 0;
  const std::size_t step = shape == 0 || shape == 4 ? 8 : 1;
  for (std::size_t i = 0; i + step <= size && values.size() < prom::chunk::kMaxValues; i += step) {
    double v = data[i];
    if (step == 8) std::memcpy(&v, data + i, 8);
    if (shape == 2) v = (v - 100) / 100;
    if (shape == 3) v = sum += v * 1e-7 / 3;
    if (shape == 4 && std::isfinite(v)) v = std::nearbyint(v * 1000) / 1000;
    values.push_back(v);
  }
  if (values.empty()) return 0;
  for (prom::chunk::EncoderHint* h : {static_cast<prom::chunk::EncoderHint*>(nullptr), &hint, &hint}) {
    std::string bytes;
    prom::chunk::EncodeValues(values, &bytes, h);
    if (bytes.size() > values.size() * 11 + 16) std::abort();
    std::vector<double> got(values.size());
    if (!prom::chunk::DecodeValues(bytes, got)) std::abort();
    if (std::memcmp(got.data(), values.data(), values.size() * 8) != 0) std::abort();
  }
  std::vector<std::int64_t> times(values.size()), got(values.size());
  std::memcpy(times.data(), values.data(), values.size() * 8);
  std::string bytes;
  prom::chunk::EncodeStartTimes(times, &bytes);
  if (!prom::chunk::DecodeStartTimes(bytes, got) || got != times) std::abort();
  return 0;
}

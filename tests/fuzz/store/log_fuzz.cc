// Records of the log, tile slots, homes, series, layouts, extras and histograms, from bytes of any origin.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "store/head_extras.h"
#include "store/head_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom::store;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  // As it is, and with the checksum made right, so that the checks behind it are reached.
  for (int fixed = 0; fixed < 2; ++fixed) {
    if (const auto r = ParseRecord(bytes)) {
      if (r->type == RecordType::kRow) {
        const RowView row = ParseRow(*r);
        std::uint32_t present = 0;
        double sum = 0;
        for (std::uint32_t slot = 0; slot < row.columns && slot < 4096; ++slot) {
          if (!row.Present(slot)) continue;
          ++present;
          sum += row.Value(slot);
        }
        if (present > row.value_count) std::abort();
        if (sum == 0.123456789) std::abort();  // keeps the reads
      } else {
        std::vector<LooseSample> samples;
        Position prev;
        (void)ParseLoose(*r, &samples, &prev);
      }
    }
    if (size >= kRecordHead) {
      prom::StoreLe<std::uint32_t>(bytes.data(), kRecordMagic);
      prom::StoreLe<std::uint32_t>(bytes.data() + kRecordLenAt, static_cast<std::uint32_t>(size));
      FinishRecord(bytes.data(), prom::LoadLe<std::uint64_t>(bytes.data() + kRecordSeqAt));
    }
  }
  (void)ParseSeriesRecord(bytes);
  (void)ParseLayoutRecord(bytes);
  (void)ParseExtras(bytes);
  if (size >= kTileSlotBytes) {
    (void)DecodeTileSlot(bytes.data(), 3);
    (void)DecodeExtentSlot(bytes.data(), kExtentEntry);
  }
  if (size >= kHomeBytes) (void)DecodeHome(bytes.data(), 1);
  if (const auto h = ParseHistogram(bytes)) {
    std::string again;
    AppendHistogram(*h, &again);
    const auto same = ParseHistogram(again);
    if (!same || !(*same == *h)) std::abort();
  }
  return 0;
}

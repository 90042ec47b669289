// The bytes of a head's files, prom-data(5) "Head": records, tile slots, homes.
// Internal to lib/store. Everything is little-endian and CRC-checked before use.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "model/histogram.h"
#include "store/file_header.h"

namespace prom::store {

inline constexpr std::string_view kSeriesMagic = "PKSERI";
inline constexpr std::string_view kHomesMagic = "PKHOME";
inline constexpr std::string_view kHomesMoreMagic = "PKHOMX";
inline constexpr std::string_view kLayoutsMagic = "PKLAYO";
inline constexpr std::string_view kTilesMagic = "PKTILE";
inline constexpr std::string_view kLogMagic = "PKLOG";
inline constexpr std::string_view kChunksMagic = "PKCHNK";
inline constexpr std::string_view kExtrasMagic = "PKXTRA";

// Files that grow by number are mapped with this much room, and closed once they are longer.
inline constexpr std::uint64_t kSegmentBytes = 64u << 20;

// A record in a numbered file. Offset 0 is the file header: no position.
struct Position {
  std::uint64_t offset = 0;
  std::uint32_t file = 0;
  bool valid() const { return offset != 0; }
  friend bool operator==(const Position&, const Position&) = default;
};

inline constexpr std::uint64_t Pad8(std::uint64_t n) { return (n + 7) & ~std::uint64_t{7}; }
inline constexpr std::uint64_t Pad4(std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; }

// ---- Tile table -----------------------------------------------------------
// Entries of 128 bytes: two slots of 64, the older one is overwritten. Entry 0 is
// the chain of loose samples, entry 1 the extents of the other files, entry 2 + n layout n.
inline constexpr std::size_t kTileSlotBytes = 64;
inline constexpr std::size_t kTileEntryBytes = 2 * kTileSlotBytes;
inline constexpr std::uint32_t kLooseEntry = 0, kExtentEntry = 1, kFirstLayoutEntry = 2;
inline std::uint64_t TileEntryOffset(std::uint64_t entry) { return kFileHeaderSize + 112 + entry * kTileEntryBytes; }  // slots do not cross a page

struct TileState {
  std::uint64_t seq = 0;
  Position row;               // newest open row (entry 0: newest pending loose record)
  std::uint32_t rows = 0;     // open rows (entry 0: pending samples)
  Position group;             // newest sealed group
  std::uint32_t columns = 0;  // columns the newest row had
  std::int64_t min_t = 0, max_t = 0;  // of all samples; min > max: none
};
inline constexpr TileState kNoSamples{0, {}, 0, {}, 0, 1, 0};
struct ExtentState {
  std::uint64_t seq = 0;
  std::uint64_t series_bytes = 0, layouts_bytes = 0, extras_bytes = 0;
  std::uint32_t series = 0, layouts = 0;
  std::uint32_t first_log = 0, last_log = 0;  // segments that may be needed
  std::uint32_t extras = 0;                   // number of the extras file
  std::uint32_t homes_more = 0;               // entries
};
// `entry` goes into the checksum, so that a slot at a wrong place does not pass.
void EncodeTileSlot(const TileState& s, std::uint32_t entry, char out[kTileSlotBytes]);
void EncodeTileSlot(const ExtentState& s, std::uint32_t entry, char out[kTileSlotBytes]);
// Empty: damaged. A slot of zeros is a state of sequence 0. An entry that is published
// has one slot at least that is not zeros: two are damage.
std::optional<TileState> DecodeTileSlot(const char* in, std::uint32_t entry);
std::optional<ExtentState> DecodeExtentSlot(const char* in, std::uint32_t entry);
bool BlankTileEntry(const char* entry);

// ---- Homes ----------------------------------------------------------------
inline constexpr std::uint32_t kNoLayout = 0xffffffff;
inline constexpr std::size_t kHomeBytes = 16;
struct Home {
  std::uint32_t layout = kNoLayout;
  std::uint32_t slot = 0;
  std::uint32_t more = 0;  // entry of homes_more + 1; 0: no further one
};
inline std::uint64_t HomeOffset(std::uint64_t i) { return kFileHeaderSize + i * kHomeBytes; }
void EncodeHome(const Home& h, std::uint32_t index, char out[kHomeBytes]);
// Empty: damaged. Zeros: a series in no layout.
std::optional<Home> DecodeHome(const char* in, std::uint32_t index);

// ---- Series and layouts ---------------------------------------------------
// u32 crc of the rest, u32 size, u32 id, label bytes, zeros to a multiple of 4.
inline constexpr std::size_t kSeriesHeaderBytes = 12;
void AppendSeriesRecord(std::uint32_t id, std::string_view labels, std::string* out);
struct SeriesRecord {
  std::uint32_t id = 0;
  std::string_view labels;
  std::uint64_t size = 0;  // whole record
};
// The record at the front of `bytes`; empty when there is none that holds.
std::optional<SeriesRecord> ParseSeriesRecord(std::string_view bytes);

// u32 crc of the rest, u32 layout, u32 first slot, u32 count, series ids.
inline constexpr std::size_t kLayoutHeaderBytes = 16;
void AppendLayoutRecord(std::uint32_t layout, std::uint32_t first_slot, const std::uint32_t* series, std::uint32_t count, std::string* out);
struct LayoutRecord {
  std::uint32_t layout = 0, first_slot = 0, count = 0;
  const char* series = nullptr;  // count u32
  std::uint64_t size = 0;
};
std::optional<LayoutRecord> ParseLayoutRecord(std::string_view bytes);

// ---- Log records ----------------------------------------------------------
inline constexpr std::uint32_t kRecordMagic = 0x524c4b50;  // "PKLR"
enum class RecordType : std::uint8_t { kSegment = 1, kRow = 2, kLoose = 3, kHistogram = 4, kCommit = 5 };
inline constexpr std::uint8_t kRecordBitmap = 1;  // row: presence words follow the head
inline constexpr std::uint8_t kRecordStart = 2;   // loose: entries carry start timestamps

// Offsets in a record.
inline constexpr std::size_t kRecordCrcAt = 4, kRecordLenAt = 8, kRecordTypeAt = 12, kRecordFlagsAt = 13, kRecordSeqAt = 16;
inline constexpr std::size_t kRecordHead = 24;
inline constexpr std::size_t kRowLayoutAt = 24, kRowColumnsAt = 28, kRowTimeAt = 32, kRowPrevAt = 40, kRowPrevFileAt = 48, kRowValuesAt = 52;
inline constexpr std::size_t kRowHead = 56;
inline constexpr std::size_t kLoosePrevAt = 24, kLoosePrevFileAt = 32, kLooseCountAt = 36;
inline constexpr std::size_t kLooseHead = 40;
inline constexpr std::size_t kHistSeriesAt = 36, kHistTimeAt = 40, kHistStartAt = 48, kHistSizeAt = 56;
inline constexpr std::size_t kHistHead = 64;
inline constexpr std::size_t kSegmentRecordBytes = 32;  // + u64: batches of older segments above this are void
// + u32 records of the batch before this one, u32 their bytes, u64 sequence of the
// commit record before (0: not known), u64 sequence up to which all is synced
inline constexpr std::size_t kCommitRecordBytes = 48;
inline constexpr std::size_t kCommitPrevAt = 32, kCommitDurableAt = 40;
inline constexpr std::uint32_t kMaxColumns = 1u << 24;

void InitRecord(char* record, RecordType type, std::uint8_t flags, std::uint32_t size);
// Sequence and checksum, once all else is in place.
void FinishRecord(char* record, std::uint64_t seq);

struct RecordView {
  const char* p = nullptr;
  std::uint32_t size = 0;
  RecordType type = RecordType::kSegment;
  std::uint8_t flags = 0;
  std::uint64_t seq = 0;
};
// The record at the front of `bytes`, checksum and inner lengths checked; empty when there is none.
std::optional<RecordView> ParseRecord(std::string_view bytes);

// A row, as it stands in a record that ParseRecord passed.
struct RowView {
  std::int64_t t = 0;
  std::uint32_t layout = 0, columns = 0;
  std::uint32_t value_count = 0;
  const char* bitmap = nullptr;  // (columns + 63) / 64 words; null: all present
  const char* values = nullptr;  // value_count doubles
  Position prev;
  bool Present(std::uint32_t slot) const {
    return slot < columns && (bitmap == nullptr || ((LoadLe<std::uint64_t>(bitmap + slot / 64 * 8) >> (slot % 64)) & 1) != 0);
  }
  // Of a present slot.
  double Value(std::uint32_t slot) const;
};
RowView ParseRow(const RecordView& r);

struct LooseSample {
  std::uint32_t series = 0;
  std::int64_t t = 0, st = 0;
  double v = 0;
  std::string histogram;  // encoded; empty: a float
};
// Appends the samples of a kLoose or kHistogram record in their order; false: inner lengths do not fit.
bool ParseLoose(const RecordView& r, std::vector<LooseSample>* out, Position* prev);

// ---- Histograms -----------------------------------------------------------
void AppendHistogram(const Histogram& h, std::string* out);
Result<Histogram> ParseHistogram(std::string_view bytes);

}  // namespace prom::store

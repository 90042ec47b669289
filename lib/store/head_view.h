// HeadFiles: the open files of one epoch that its snapshots share, and what can be
// cached between them because it never changes: sealed groups, label sets.
// LayoutView: the rows of one layout as one snapshot sees them.
// Thread-safe. Internal to lib/store.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "base/result.h"
#include "model/labels.h"
#include "model/matcher.h"
#include "store/head_extras.h"
#include "store/head_format.h"
#include "store/head_group.h"
#include "store/index_reader.h"
#include "store/mapped_file.h"
#include "store/recovery.h"

namespace prom::store {

// A range of series ids that is not in an index segment yet.
struct TailPart {
  std::uint32_t first = 0, end = 0;  // ids
  std::vector<std::pair<Labels, std::uint32_t>> series;  // sorted by labels
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> by_name;  // metric name -> places in series
  std::uint64_t damaged_at = 0;  // offset in the series file of bytes that are no record, or of its end when it is too short; 0: none
  std::uint64_t end_offset = 0;  // in the series file
};

struct IndexSegment {
  std::uint32_t first = 0, end = 0;
  std::shared_ptr<const IndexReader> index;
};
// "index-<first>-<end>"; false: another name.
bool ParseIndexName(std::string_view name, std::uint32_t* first, std::uint32_t* end);
std::string IndexName(std::uint32_t first, std::uint32_t end);

// The series of an epoch as far as some snapshot knows them.
struct SeriesView {
  std::vector<IndexSegment> segments;
  std::vector<std::shared_ptr<const TailPart>> tail;
  std::vector<std::string> warnings;  // damage that costs time only
  std::vector<std::string> losses;    // series that are left out
};

// Sealed groups of one layout, oldest first. Immutable; extended by copying.
struct GroupList {
  struct Item {
    RowGroup group;
    std::size_t start = 0;  // of its rows in t
  };
  Position newest;
  std::vector<Item> items;
  std::vector<std::int64_t> t;
  std::vector<std::string> warnings;
  std::vector<std::shared_ptr<MappedFile>> pins;
};

class HeadFiles {
 public:
  static Result<std::shared_ptr<HeadFiles>> Open(Io& io, std::string dir);
  const std::string& dir() const { return dir_; }
  Io& io() const { return io_; }
  const File& tiles() const { return *tiles_; }

  // Null when there is no such file, or it is of a newer format: then newer_format() tells.
  std::optional<Error> newer_format();
  std::shared_ptr<MappedFile> Log(std::uint32_t n);
  std::shared_ptr<MappedFile> Chunks(std::uint32_t n);
  void ForgetLogsBelow(std::uint32_t n);
  NumberedFiles AllChunks();
  const MappedFile& series() const { return *series_; }
  const MappedFile& layouts() const { return *layouts_; }

  // A series' memberships in the layouts of `extents`; false: its entry is damaged or
  // missing, and the memberships were found in the layouts file instead.
  bool Homes(std::uint32_t series, const ExtentState& extents, std::vector<std::pair<std::uint32_t, std::uint32_t>>* out);
  SeriesView Series(const ExtentState& extents);
  std::shared_ptr<const GroupList> Groups(std::uint32_t layout, Position newest);
  // Loose groups up to `newest`, oldest first.
  struct LooseList {
    Position newest;
    std::vector<LooseGroup> groups;
    std::vector<std::string> warnings;
    std::vector<std::shared_ptr<MappedFile>> pins;
  };
  std::shared_ptr<const LooseList> LooseGroups(Position newest);
  // Null when it is gone; a snapshot holds it, since the writer may remove it.
  std::shared_ptr<MappedFile> ExtrasFile(std::uint32_t number);
  std::shared_ptr<const ExtrasContent> Extras(const MappedFile& file, std::uint32_t number, std::uint64_t bytes);

 private:
  HeadFiles(Io& io, std::string dir) : io_(io), dir_(std::move(dir)) {}
  std::shared_ptr<MappedFile> Numbered(NumberedFiles* files, std::string_view stem, std::string_view magic, std::uint32_t n) REQUIRES(files_mutex_);
  bool InSomeLayout(std::uint32_t series, std::uint64_t layouts_bytes);
  void LoadSegments(std::uint32_t series) REQUIRES(series_mutex_);

  Io& io_;
  std::string dir_;
  std::unique_ptr<File> tiles_;
  std::shared_ptr<MappedFile> series_, homes_, homes_more_, layouts_;

  Mutex files_mutex_;  // taken alone or under one of those below
  std::optional<Error> newer_format_ GUARDED_BY(files_mutex_);
  NumberedFiles logs_ GUARDED_BY(files_mutex_), chunks_ GUARDED_BY(files_mutex_), extras_files_ GUARDED_BY(files_mutex_);
  Mutex series_mutex_;
  std::vector<IndexSegment> segments_ GUARDED_BY(series_mutex_);
  std::uint32_t listed_at_ GUARDED_BY(series_mutex_) = 0;  // series when the directory was last listed
  std::vector<std::shared_ptr<const TailPart>> tail_ GUARDED_BY(series_mutex_);
  std::vector<std::string> index_warnings_ GUARDED_BY(series_mutex_);
  Mutex groups_mutex_;
  std::unordered_map<std::uint32_t, std::shared_ptr<const GroupList>> groups_ GUARDED_BY(groups_mutex_);
  std::shared_ptr<const LooseList> loose_ GUARDED_BY(groups_mutex_);
  Mutex extras_mutex_;
  std::uint32_t extras_number_ GUARDED_BY(extras_mutex_) = 0;
  std::uint64_t extras_bytes_ GUARDED_BY(extras_mutex_) = 0;
  std::shared_ptr<const ExtrasContent> extras_ GUARDED_BY(extras_mutex_);
  Mutex members_mutex_;
  std::uint64_t members_bytes_ GUARDED_BY(members_mutex_) = 0;  // of the layouts file that have been looked at
  std::uint32_t members_end_ GUARDED_BY(members_mutex_) = 0;    // the highest series in a layout there, + 1
  Mutex fallback_mutex_;
  bool fallback_loaded_ GUARDED_BY(fallback_mutex_) = false;
  std::unordered_map<std::uint32_t, std::vector<std::pair<std::uint32_t, std::uint32_t>>> fallback_homes_ GUARDED_BY(fallback_mutex_);
};

// All rows of a layout in time order: sealed groups, then open rows.
struct LayoutView {
  std::shared_ptr<const GroupList> sealed;
  std::vector<RowView> open;
  // When some open row lacks columns: for each 64 columns, which of them each open row has.
  struct OpenWord {
    std::uint64_t bits = 0;
    std::uint32_t before = 0;  // values of the row before these columns
  };
  std::vector<OpenWord> open_words;  // of 64 columns after the other, open.size() each
  // Rows that have columns of a word: [first, second); none: empty.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> open_spans;
  void IndexOpen();  // fills these from `open`
  // Or, for who reads all columns: what they have one after the other, the rows of each
  // ascending, so that a column is a few cache lines and not one for each row.
  struct OpenColumn {
    std::array<std::uint64_t, kMaxTileRows / 64> rows{};  // which of them have it
    std::uint64_t start = 0;                              // in open_values
  };
  std::vector<OpenColumn> open_columns;
  std::vector<double> open_values;
  void TransposeOpen();  // fills these from `open`, when some row lacks columns
  bool transposed() const { return !open_columns.empty(); }
  std::vector<std::int64_t> t;  // of sealed and open rows
  std::vector<std::string> warnings;
  NumberedFiles logs;  // pins
};

}  // namespace prom::store

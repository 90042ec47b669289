// How a series is read: slices that overlap the range -> the group with its number
// (binary search in the directory) -> entries -> rows of each chunk inside the range.
// Values are decoded right into the caller's buffer. Times are not copied: they are
// a part of a cached column, or, over several chunks, a joined column that is made
// once for all series with the same sequence of (column, rows).
#include "store/block_selection.h"

#include <algorithm>

#include "base/lost_pages.h"
#include "base/strings.h"
#include "base/time.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_chunk.h"
#include "store/index_series.h"

namespace prom::store {

struct BlockSelection::Part {
  std::shared_ptr<const Group> group;
  std::shared_ptr<const Times> column;
  BlockEntry entry;          // count filled in
  std::uint32_t group_index = 0;
  std::size_t begin = 0, rows = 0;  // wanted, from the start of the chunk
  const std::int64_t* times() const { return column->data() + entry.first + begin; }
};

Result<std::shared_ptr<const BlockSeries>> BlockSelection::SeriesOf(const BlockReader& block, const std::vector<std::uint32_t>& ranks) {
  auto out = std::make_shared<BlockSeries>();
  out->labels.reserve(ranks.size());
  out->numbers.reserve(ranks.size());
  IndexReader::SeriesReader series(block.index());
  for (const std::uint32_t rank : ranks) {
    std::uint64_t skipped = 0;
    PROM_TRY(series.Read(rank, &out->labels.emplace_back(), &skipped));
    out->numbers.push_back(static_cast<std::uint32_t>(rank + skipped));
  }
  return std::shared_ptr<const BlockSeries>(std::move(out));
}

Result<std::unique_ptr<Selection>> BlockSelection::Make(std::shared_ptr<const BlockReader> block, const std::vector<std::uint32_t>& ranks) {
  PROM_ASSIGN(auto series, SeriesOf(*block, ranks));
  return Make(std::move(block), std::move(series));
}

std::unique_ptr<Selection> BlockSelection::Make(std::shared_ptr<const BlockReader> block, std::shared_ptr<const BlockSeries> series) {
  return std::unique_ptr<Selection>(new BlockSelection(std::move(block), std::move(series)));
}

Result<std::shared_ptr<const BlockSelection::Group>> BlockSelection::LoadGroup(std::uint32_t i) const {
  {
    MutexLock lock(mutex_);
    if (const auto it = groups_.find(i); it != groups_.end()) {
      if (it->second != recent_.begin()) recent_.splice(recent_.begin(), recent_, it->second);
      return it->second->second;
    }
  }
  auto group = std::make_shared<Group>();
  PROM_ASSIGN(group->raw, block_->ReadValues(i, &group->buffer, &group->entries));
  MutexLock lock(mutex_);
  if (const auto it = groups_.find(i); it != groups_.end()) return it->second->second;
  recent_.emplace_front(i, group);
  groups_[i] = recent_.begin();
  if (recent_.size() > kMaxGroups) {
    groups_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return std::shared_ptr<const Group>(std::move(group));
}

Result<std::shared_ptr<const BlockSelection::Times>> BlockSelection::LoadColumn(std::uint32_t column) const {
  {
    MutexLock lock(mutex_);
    if (const auto it = columns_.find(column); it != columns_.end()) return it->second;
  }
  const std::uint32_t i = block_->GroupOfColumn(column);
  if (i == block_->head().first_exemplars) {
    return Error{Errc::kCorrupt, block_->index().path() + ": no time column " + std::to_string(column)};
  }
  const BlockGroup group = block_->group(i);
  std::string buffer;
  PROM_ASSIGN(const std::string_view raw, block_->ReadGroup(i, BlockGroupKind::kTimes, &buffer));
  const auto fail = [&](const std::string& what) { return Error{Errc::kCorrupt, block_->chunks_path() + ": byte " + std::to_string(group.offset) + ": " + what}; };
  std::vector<std::string_view> encoded;
  if (group.last < group.first || !BlockReader::ParseTimes(raw, group.last - group.first + 1, &encoded)) return fail("damaged group of times");
  // The whole group at once: its columns are of one slice, and neighbours will ask for them.
  std::shared_ptr<const Times> wanted;
  std::vector<std::pair<std::uint32_t, std::shared_ptr<const Times>>> decoded;
  for (std::uint32_t n = 0; n < encoded.size(); ++n) {
    const auto count = chunk::CountTimes(encoded[n]);
    auto times = std::make_shared<Times>(count ? *count : 0);
    if (!count || *count == 0 || !chunk::DecodeTimes(encoded[n], *times)) {
      if (group.first + n == column) return fail("damaged time column " + std::to_string(column));
      continue;
    }
    if (group.first + n == column) wanted = times;
    decoded.emplace_back(group.first + n, std::move(times));
  }
  MutexLock lock(mutex_);
  if (cached_rows_ > kMaxColumnRows) {
    columns_.clear();
    for (auto& [key, joined] : joined_) joined.times.reset();
    cached_rows_ = 0;
  }
  for (auto& [id, times] : decoded) {
    cached_rows_ += times->size();
    columns_.emplace(id, std::move(times));
  }
  return wanted;
}

void BlockSelection::Warn(std::size_t i, const std::string& what, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
  out->warnings.push_back(what + "; " + labels(i).ToSeries() + " lacks samples of " + FormatTimeRfc3339(min_ms) + " to " + FormatTimeRfc3339(max_ms));
}

void BlockSelection::FindParts(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, std::vector<Part>* floats, std::vector<Part>* histograms,
                               SeriesColumns* out) const {
  const std::uint32_t number = series_->numbers[i];
  const std::uint32_t slices = block_->head().slices;
  for (std::uint32_t s = 0; s < slices; ++s) {
    const BlockSlice slice = block_->slice(s);
    if (slice.max_ms < min_ms || slice.min_ms > max_ms) continue;
    std::uint32_t low = slice.first_group, high = slice.first_group + slice.groups;
    const std::uint32_t end = high;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (block_->group(middle).last < number) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (std::uint32_t g = low; g < end && block_->group(g).first <= number; ++g) {
      auto group = LoadGroup(g);
      if (!group) {
        Warn(i, group.error().message, std::max(min_ms, slice.min_ms), std::min(max_ms, slice.max_ms), out);
        continue;
      }
      const auto& entries = (*group)->entries;
      auto entry = std::lower_bound(entries.begin(), entries.end(), number, [](const BlockEntry& e, std::uint32_t n) { return e.series < n; });
      for (; entry != entries.end() && entry->series == number; ++entry) {
        auto column = LoadColumn(entry->column);
        if (!column) {
          Warn(i, column.error().message, std::max(min_ms, slice.min_ms), std::min(max_ms, slice.max_ms), out);
          continue;
        }
        const std::size_t rows = (*column)->size();
        Part part{*group, *column, *entry, g, 0, 0};
        if (part.entry.count == 0) part.entry.count = static_cast<std::uint32_t>(rows);
        if (part.entry.first > rows || part.entry.count > rows - part.entry.first || part.entry.count > chunk::kMaxValues) {
          Warn(i, block_->chunks_path() + ": byte " + std::to_string(block_->group(g).offset) + ": chunk of rows that its times do not have", slice.min_ms, slice.max_ms, out);
          continue;
        }
        const std::int64_t* first = (*column)->data() + part.entry.first;
        const std::int64_t* last = first + part.entry.count;
        if (*first > max_ms || last[-1] < min_ms) continue;
        const std::int64_t* from = *first >= min_ms ? first : std::lower_bound(first, last, min_ms);
        const std::int64_t* to = last[-1] <= max_ms ? last : std::upper_bound(from, last, max_ms);
        part.begin = static_cast<std::size_t>(from - first);
        part.rows = static_cast<std::size_t>(to - from);
        if (part.rows > 0) (part.entry.histogram ? histograms : floats)->push_back(std::move(part));
      }
    }
  }
}

void BlockSelection::JoinTimes(const std::vector<Part>& parts, std::size_t total, SeriesColumns* out) const {
  if (parts.size() == 1) {
    const Part& part = parts[0];
    out->t = {part.times(), total};
    out->pin = part.column;
    // A whole column is its own identity; a Read of the same range takes the same rows of it.
    if (part.entry.first == 0 && part.entry.count == part.column->size()) {
      out->time_column = std::uint64_t{part.entry.column} + 1;
      return;
    }
  }
  std::string key;
  for (const Part& part : parts) {
    AppendLe<std::uint32_t>(&key, part.entry.column);
    AppendLe<std::uint32_t>(&key, part.entry.first + static_cast<std::uint32_t>(part.begin));
    AppendLe<std::uint32_t>(&key, static_cast<std::uint32_t>(part.rows));
  }
  {
    MutexLock lock(mutex_);
    Joined& joined = joined_[key];
    if (joined.id == 0) joined.id = (std::uint64_t{1} << 32) + joined_.size();
    out->time_column = joined.id;
    if (parts.size() == 1) return;
    if (joined.times != nullptr) {
      out->t = *joined.times;
      out->pin = joined.times;
      return;
    }
  }
  auto times = std::make_shared<Times>();
  times->reserve(total);
  for (const Part& part : parts) times->insert(times->end(), part.times(), part.times() + part.rows);
  out->t = *times;
  out->pin = times;
  MutexLock lock(mutex_);
  cached_rows_ += total;
  joined_[key].times = std::move(times);
}

void BlockSelection::ReadFloats(std::size_t i, std::vector<Part>* parts, SeriesColumns* out) const {
  std::size_t room = 0;
  bool starts = false;
  for (const Part& part : *parts) {
    room += part.rows;
    starts = starts || part.entry.start_size > 0;
  }
  if (out->v_buffer.size() < room) out->v_buffer.resize(room);
  if (starts) out->st_buffer.assign(room, 0);
  std::size_t total = 0, kept = 0;
  bool no_resets = true;
  for (Part& part : *parts) {
    const std::span<double> values(out->v_buffer.data() + total, part.rows);
    const auto never_falls = DecodeEntry(part.entry, part.group->raw, part.begin, values);
    std::string bad;
    if (!never_falls) {
      bad = never_falls.error().message;
    } else if (kept > 0 && part.times()[0] <= (*parts)[kept - 1].times()[(*parts)[kept - 1].rows - 1]) {
      bad = "chunks out of order";
    }
    if (bad.empty() && part.entry.start_size > 0) {
      std::vector<std::int64_t> st(part.entry.count);
      if (chunk::DecodeStartTimes(part.group->raw.substr(part.entry.offset + part.entry.size, part.entry.start_size), st)) {
        std::copy_n(st.begin() + static_cast<std::ptrdiff_t>(part.begin), part.rows, out->st_buffer.begin() + static_cast<std::ptrdiff_t>(total));
      } else {
        bad = "damaged start timestamps";
      }
    }
    if (!bad.empty()) {
      Warn(i, block_->chunks_path() + ": byte " + std::to_string(block_->group(part.group_index).offset) + ": " + bad, part.times()[0], part.times()[part.rows - 1], out);
      continue;
    }
    no_resets = no_resets && *never_falls && (total == 0 || values[0] >= out->v_buffer[total - 1]);
    total += part.rows;
    if (&part != &(*parts)[kept]) (*parts)[kept] = std::move(part);
    ++kept;
  }
  parts->resize(kept);
  if (total == 0) return;
  out->v = {out->v_buffer.data(), total};
  out->no_resets = no_resets;
  if (starts) out->st = {out->st_buffer.data(), total};
  JoinTimes(*parts, total, out);
}

void BlockSelection::ReadHistograms(std::size_t i, const std::vector<Part>& parts, SeriesColumns* out) const {
  bool starts = false;
  for (const Part& part : parts) {
    const std::string_view bytes = part.group->raw.substr(part.entry.offset, part.entry.size);
    const std::int64_t* times = part.times();
    auto decoded = std::make_shared<std::vector<Histogram>>();
    std::vector<std::int64_t> st(part.entry.count);
    std::string bad;
    const auto count = chunk::CountHistograms(bytes);
    if (!count) {
      bad = count.error().message;
    } else if (*count != part.entry.count) {
      bad = "chunk of " + std::to_string(*count) + " histograms for " + std::to_string(part.entry.count) + " times";
    } else if (!out->histograms.empty() && times[0] <= out->histograms.back().t_ms) {
      bad = "chunks out of order";
    } else if (const auto done = chunk::DecodeHistograms(bytes, decoded.get()); !done) {
      bad = done.error().message;
    } else if (part.entry.start_size > 0 &&
               !chunk::DecodeStartTimes(part.group->raw.substr(part.entry.offset + part.entry.size, part.entry.start_size), st)) {
      bad = "damaged start timestamps";
    }
    if (!bad.empty() || decoded->size() != part.entry.count) {
      Warn(i, block_->chunks_path() + ": byte " + std::to_string(block_->group(part.group_index).offset) + ": " + bad, times[0], times[part.rows - 1], out);
      continue;
    }
    for (std::size_t n = 0; n < part.rows; ++n) {
      // One allocation a chunk: the samples share the vector.
      out->histograms.push_back({times[n], std::shared_ptr<const Histogram>(decoded, &(*decoded)[part.begin + n])});
      out->histogram_st.push_back(part.entry.start_size > 0 ? st[part.begin + n] : 0);
    }
    starts = starts || part.entry.start_size > 0;
  }
  if (!starts) out->histogram_st.clear();
}

Result<void> BlockSelection::Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
  out->Clear();
  std::vector<Part> floats, histograms;
  FindParts(i, min_ms, max_ms, &floats, &histograms, out);
  if (!floats.empty()) ReadFloats(i, &floats, out);
  if (!histograms.empty()) ReadHistograms(i, histograms, out);
  // What this selection has verified may be what was lost: the next one looks anew.
  if (LostPageCount() != lost_before_) return LostPageError();
  return {};
}

}  // namespace prom::store

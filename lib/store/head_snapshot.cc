#include "store/head_snapshot.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <set>

#include "base/lost_pages.h"
#include "base/number.h"
#include "model/sort_labels.h"
#include "store/index_series.h"

namespace prom::store {

namespace {

// Rows turned to columns by a snapshot, at most.
constexpr std::size_t kMaxTransposedBytes = 64 << 20;

std::string RecordAt(const std::string& dir, Position p) { return dir + "/log-" + std::to_string(p.file) + ": byte " + std::to_string(p.offset); }

bool MatchesAll(const Matchers& matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(labels.Get(m.name())); });
}

class HeadSelection : public Selection {
 public:
  HeadSelection(std::shared_ptr<const HeadSnapshotImpl> snapshot, std::vector<std::pair<Labels, std::uint32_t>> series, std::vector<HeadHome> homes)
      : snapshot_(std::move(snapshot)), series_(std::move(series)), homes_(std::move(homes)) {}
  std::size_t size() const override { return series_.size(); }
  const Labels& labels(std::size_t i) const override { return series_[i].first; }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
    return snapshot_->Read(series_[i].second, min_ms, max_ms, out);
  }
  Result<void> ReadLatest(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
    if (homes_[i].only && snapshot_->ReadNewestRow(homes_[i], min_ms, max_ms, out)) return {};
    return Read(i, min_ms, max_ms, out);
  }

 private:
  std::shared_ptr<const HeadSnapshotImpl> snapshot_;
  std::vector<std::pair<Labels, std::uint32_t>> series_;
  std::vector<HeadHome> homes_;
};

void TailSelect(const TailPart& part, const Matchers& matchers, std::vector<std::pair<Labels, std::uint32_t>>* out) {
  for (const Matcher& m : matchers) {
    if (m.type() != Matcher::Type::kEqual || m.name() != kMetricName || m.value().empty()) continue;
    const auto it = part.by_name.find(m.value());
    if (it == part.by_name.end()) return;
    for (const std::uint32_t i : it->second)
      if (MatchesAll(matchers, part.series[i].first)) out->push_back(part.series[i]);
    return;
  }
  for (const auto& entry : part.series)
    if (MatchesAll(matchers, entry.first)) out->push_back(entry);
}

}  // namespace

HeadSnapshotImpl::HeadSnapshotImpl(std::shared_ptr<HeadFiles> files, HeadState state, SeriesView series, bool whole)
    : files_(std::move(files)), state_(std::move(state)), series_(std::move(series)), whole_(whole), views_(new ViewSlot[state_.layouts.size()]) {
  const auto add = [&](const TileState& s) {
    if (s.min_t > s.max_t) return;
    min_t_ = std::min(min_t_, s.min_t);
    max_t_ = std::max(max_t_, s.max_t);
  };
  add(state_.loose);
  for (const TileState& s : state_.layouts) add(s);
}

HeadSnapshot::Stats HeadSnapshotImpl::stats() const {
  Stats s;
  s.committed_seq = state_.seq;
  s.series = state_.extents.series;
  s.layouts = state_.extents.layouts;
  for (const TileState& layout : state_.layouts) s.open_rows += layout.rows;
  s.pending_loose_samples = state_.loose.rows;
  return s;
}

std::vector<std::string> HeadSnapshotImpl::warnings() const {
  std::vector<std::string> out = losses();
  out.insert(out.end(), series_.warnings.begin(), series_.warnings.end());
  if (state_.extras != nullptr) {
    const auto content = files_->Extras(*state_.extras, state_.extents.extras, state_.extents.extras_bytes);
    if (content->damaged != 0)
      out.push_back(state_.extras->path() + ": byte " + std::to_string(content->end) + ": " + std::to_string(content->damaged) + " damaged exemplars or metadata");
  }
  return out;
}

std::vector<std::string> HeadSnapshotImpl::losses() const {
  std::vector<std::string> out = state_.warnings;
  out.insert(out.end(), series_.losses.begin(), series_.losses.end());
  return out;
}

// ---- Finding series -------------------------------------------------------

Result<std::vector<HeadSnapshotImpl::Match>> HeadSnapshotImpl::Find(const Matchers& matchers) const {
  std::vector<Match> out;
  for (const IndexSegment& segment : series_.segments) {
    PROM_ASSIGN(const auto ranks, segment.index->Select(matchers));
    out.reserve(out.size() + ranks.size());
    IndexReader::SeriesReader series(*segment.index);
    for (const std::uint32_t rank : ranks) {
      Labels labels;
      std::uint64_t id = 0;
      PROM_TRY(series.Read(rank, &labels, &id));
      out.emplace_back(std::move(labels), static_cast<std::uint32_t>(id));
    }
  }
  std::size_t runs = out.empty() ? 0 : series_.segments.size();  // each is sorted
  for (const auto& part : series_.tail) {
    const std::size_t before = out.size();
    TailSelect(*part, matchers, &out);
    runs += out.size() != before ? 1 : 0;
  }
  if (runs > 1) SortByLabels(&out);
  return out;
}

bool HeadSnapshotImpl::MayHaveSamples(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, HeadHome* home) const {
  const auto overlaps = [&](const TileState& s) { return s.min_t <= s.max_t && s.min_t <= max_ms && s.max_t >= min_ms; };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> homes;
  if (!files_->Homes(series, state_.extents, &homes)) return true;
  if (home != nullptr && homes.size() == 1 && !overlaps(state_.loose)) *home = {homes[0].first, homes[0].second, true};
  for (const auto& [layout, slot] : homes)
    if (overlaps(state_.layouts[layout])) return true;
  if (!overlaps(state_.loose)) return false;
  std::vector<LooseSample> samples;
  std::vector<std::string> warnings;
  ReadLoose(series, &samples, &warnings);
  return !warnings.empty() || std::any_of(samples.begin(), samples.end(), [&](const LooseSample& s) { return s.t >= min_ms && s.t <= max_ms; });
}

Result<std::unique_ptr<Selection>> HeadSnapshotImpl::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  PROM_ASSIGN(auto found, Find(matchers));
  std::vector<HeadHome> homes;
  homes.reserve(found.size());
  std::erase_if(found, [&](const Match& m) {
    HeadHome home;
    if (!MayHaveSamples(m.second, min_ms, max_ms, &home)) return true;
    homes.push_back(home);
    return false;
  });
  if (LostPageCount() != lost_before_) return LostPageError();
  return std::unique_ptr<Selection>(std::make_unique<HeadSelection>(shared_from_this(), std::move(found), std::move(homes)));
}

Result<std::vector<std::string>> HeadSnapshotImpl::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::set<std::string, std::less<>> names;
  PROM_ASSIGN(const auto found, Find(matchers));
  for (const auto& [labels, id] : found) {
    if (!MayHaveSamples(id, min_ms, max_ms, nullptr)) continue;
    for (const Label label : labels)
      if (names.find(label.name) == names.end()) names.emplace(label.name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> HeadSnapshotImpl::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::set<std::string, std::less<>> values;
  PROM_ASSIGN(const auto found, Find(matchers));
  for (const auto& [labels, id] : found) {
    const std::string_view value = labels.Get(name);
    if (value.empty() || values.find(value) != values.end() || !MayHaveSamples(id, min_ms, max_ms, nullptr)) continue;
    values.emplace(value);
  }
  return std::vector<std::string>(values.begin(), values.end());
}

Result<std::vector<std::pair<std::string, Metadata>>> HeadSnapshotImpl::ListMetadata() const {
  std::vector<std::pair<std::string, Metadata>> out;
  if (state_.extras == nullptr) return out;
  const auto content = files_->Extras(*state_.extras, state_.extents.extras, state_.extents.extras_bytes);
  out.assign(content->metadata.begin(), content->metadata.end());
  return out;
}

Result<std::vector<Queryable::SeriesExemplars>> HeadSnapshotImpl::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<SeriesExemplars> out;
  if (state_.extras == nullptr) return out;
  const auto content = files_->Extras(*state_.extras, state_.extents.extras, state_.extents.extras_bytes);
  std::unordered_map<std::uint32_t, std::vector<const Exemplar*>> by_series;
  for (const SeriesExemplar& e : content->exemplars)
    if (e.exemplar.t_ms >= min_ms && e.exemplar.t_ms <= max_ms) by_series[e.series].push_back(&e.exemplar);
  if (by_series.empty()) return out;
  std::unordered_map<std::uint32_t, Labels> selected;
  for (const Matchers& matchers : any_of) {
    PROM_ASSIGN(auto found, Find(matchers));
    for (auto& [labels, id] : found)
      if (by_series.contains(id)) selected.emplace(id, std::move(labels));
  }
  for (auto& [id, labels] : selected) {
    SeriesExemplars s;
    s.series = labels;
    for (const Exemplar* e : by_series[id]) s.exemplars.push_back(*e);
    out.push_back(std::move(s));
  }
  std::sort(out.begin(), out.end(), [](const SeriesExemplars& a, const SeriesExemplars& b) { return a.series < b.series; });
  return out;
}

std::string_view HeadSnapshotImpl::SeriesRecords() const {
  return files_->series().At(kFileHeaderSize, state_.extents.series_bytes < kFileHeaderSize ? 0 : state_.extents.series_bytes - kFileHeaderSize);
}

std::shared_ptr<const ExtrasContent> HeadSnapshotImpl::AllExemplars() const {
  return state_.extras == nullptr ? nullptr : files_->Extras(*state_.extras, state_.extents.extras, state_.extents.extras_bytes);
}

// ---- Reading samples ------------------------------------------------------

const std::shared_ptr<const LayoutView>& HeadSnapshotImpl::View(std::uint32_t id) const {
  ViewSlot& slot = views_[id];
  std::call_once(slot.once, [&] {
    const TileState& state = state_.layouts[id];
    auto view = std::make_shared<LayoutView>();
    view->sealed = files_->Groups(id, state.group);
    view->warnings = view->sealed->warnings;
    view->logs = state_.logs;
    std::vector<RowView> rows;  // newest first
    Position at = state.row;
    bool broken = false;
    for (std::uint32_t i = 0; i < state.rows; ++i) {
      const auto file = state_.logs.find(at.file);
      const std::string_view head = file != state_.logs.end() && file->second != nullptr ? file->second->At(at.offset, kRecordHead) : std::string_view();
      const auto size = head.empty() ? 0 : LoadLe<std::uint32_t>(head.data() + kRecordLenAt);
      const auto r = head.empty() ? std::nullopt : ParseRecord(file->second->At(at.offset, size));
      if (!r || r->type != RecordType::kRow || ParseRow(*r).layout != id || (!rows.empty() && ParseRow(*r).t >= rows.back().t)) {
        view->warnings.push_back(RecordAt(files_->dir(), at) + ": damaged row; others were searched for");
        broken = true;
        break;
      }
      rows.push_back(ParseRow(*r));
      at = rows.back().prev;
    }
    if (broken) {
      // The rest of the chain, by reading the log front to back.
      const LogScan scan = ScanLogs(state_.logs, state_.seq, state_.seq);
      const std::int64_t before = rows.empty() ? kMaxTimeMs : rows.back().t;
      const std::int64_t after = view->sealed->t.empty() ? kMinTimeMs : view->sealed->t.back();
      for (auto it = scan.rows.rbegin(); it != scan.rows.rend(); ++it) {
        if (it->layout != id || it->t >= before || it->t <= after || rows.size() >= state.rows) continue;
        if (!rows.empty() && it->t >= rows.back().t) continue;
        const auto& file = state_.logs.at(it->at.file);
        const std::string_view head = file->At(it->at.offset, kRecordHead);
        if (const auto r = ParseRecord(file->At(it->at.offset, LoadLe<std::uint32_t>(head.data() + kRecordLenAt)))) rows.push_back(ParseRow(*r));
      }
    }
    std::reverse(rows.begin(), rows.end());
    view->open = std::move(rows);
    view->IndexOpen();
    std::size_t bytes = 0;
    for (const RowView& row : view->open) bytes += std::size_t{8} * row.columns;
    if (whole_ && !view->open_words.empty() && transposed_bytes_.fetch_add(bytes) + bytes <= kMaxTransposedBytes) view->TransposeOpen();
    view->t = view->sealed->t;
    for (const RowView& row : view->open) view->t.push_back(row.t);
    slot.view = std::move(view);
  });
  return slot.view;
}

void HeadSnapshotImpl::LoadLoose() const {
  std::call_once(loose_once_, [&] {
    loose_groups_ = files_->LooseGroups(state_.loose.group);
    loose_warnings_ = loose_groups_->warnings;
    std::vector<std::vector<LooseSample>> records;  // newest first
    std::uint64_t have = 0;
    Position good;  // the oldest one reached by the chain
    for (Position at = state_.loose.row; have < state_.loose.rows;) {
      const auto file = state_.logs.find(at.file);
      const std::string_view head = file != state_.logs.end() && file->second != nullptr ? file->second->At(at.offset, kRecordHead) : std::string_view();
      const auto r = head.empty() ? std::nullopt : ParseRecord(file->second->At(at.offset, LoadLe<std::uint32_t>(head.data() + kRecordLenAt)));
      records.emplace_back();
      Position prev;
      if (!r || !ParseLoose(*r, &records.back(), &prev) || records.back().empty()) {
        loose_warnings_.push_back(RecordAt(files_->dir(), at) + ": damaged loose samples; others were searched for");
        records.pop_back();
        // Records of commits behind the newest group are pending; the chain found so far is the end of them.
        std::uint64_t sealed = 0;
        if (!loose_groups_->groups.empty()) sealed = loose_groups_->groups.back().header().seq;
        const LogScan scan = ScanLogs(state_.logs, state_.seq, state_.seq);
        bool below = records.empty();
        for (auto it = scan.loose.rbegin(); it != scan.loose.rend(); ++it) {
          if (it->seq <= sealed) break;
          if (!below) {
            below = it->at == good;
            continue;
          }
          const auto& log = state_.logs.at(it->at.file);
          const std::string_view start = log->At(it->at.offset, kRecordHead);
          const auto record = ParseRecord(log->At(it->at.offset, LoadLe<std::uint32_t>(start.data() + kRecordLenAt)));
          records.emplace_back();
          if (!record || !ParseLoose(*record, &records.back(), &prev)) records.pop_back();
        }
        break;
      }
      have += records.back().size();
      good = at;
      at = prev;
    }
    std::uint64_t skip = have > state_.loose.rows ? have - state_.loose.rows : 0;  // sealed already
    for (auto it = records.rbegin(); it != records.rend(); ++it) {
      for (LooseSample& s : *it) {
        if (skip != 0) {
          --skip;
          continue;
        }
        pending_[s.series].push_back(std::move(s));
      }
    }
    for (auto& [series, samples] : pending_)
      std::stable_sort(samples.begin(), samples.end(), [](const LooseSample& a, const LooseSample& b) { return a.t < b.t; });
  });
}

std::uint64_t HeadSnapshotImpl::LooseSamples() const {
  LoadLoose();
  std::uint64_t n = 0;
  for (const auto& [series, samples] : pending_) n += samples.size();
  for (const LooseGroup& group : loose_groups_->groups) n += group.CountSamples();
  return n;
}

void HeadSnapshotImpl::ReadLoose(std::uint32_t series, std::vector<LooseSample>* out, std::vector<std::string>* warnings) const {
  if (state_.loose.min_t > state_.loose.max_t) return;
  LoadLoose();
  warnings->insert(warnings->end(), loose_warnings_.begin(), loose_warnings_.end());
  for (const LooseGroup& group : loose_groups_->groups)
    if (auto done = group.Read(series, out); !done) warnings->push_back(files_->dir() + ": loose group: " + done.error().message);
  if (const auto it = pending_.find(series); it != pending_.end()) out->insert(out->end(), it->second.begin(), it->second.end());
  std::stable_sort(out->begin(), out->end(), [](const LooseSample& a, const LooseSample& b) { return a.t < b.t; });
}

// Appends to out->warnings and sets the rest of what a layout alone can say.
void HeadSnapshotImpl::ReadColumns(std::uint32_t layout, std::uint32_t slot, std::int64_t min_ms, std::int64_t max_ms, bool behind, SeriesColumns* out) const {
  const auto& view = View(layout);
  out->warnings.insert(out->warnings.end(), view->warnings.begin(), view->warnings.end());
  const std::vector<std::int64_t>& t = view->t;
  const auto lo = static_cast<std::size_t>(std::lower_bound(t.begin(), t.end(), min_ms) - t.begin());
  const auto hi = static_cast<std::size_t>(std::upper_bound(t.begin(), t.end(), max_ms) - t.begin());
  if (lo >= hi) return;
  if (!behind) out->t_buffer.clear();
  const std::size_t before = behind ? out->v_buffer.size() : 0;
  out->v_buffer.resize(before + (hi - lo));
  double* v = out->v_buffer.data() + before;
  std::size_t n = 0;               // values so far
  std::size_t first = lo;          // of the rows they come from, as long as these are one stretch
  bool stretch = true;             // rows [first, first + n) have been taken, and no other
  bool no_resets = true;
  const auto leave_stretch = [&] {
    stretch = false;
    out->t_buffer.insert(out->t_buffer.end(), t.begin() + static_cast<std::ptrdiff_t>(first), t.begin() + static_cast<std::ptrdiff_t>(first + n));
  };
  // Takes `count` rows from `row` on, whose values have been put behind the others.
  const auto take = [&](std::size_t row, std::size_t count) {
    if (n != 0 && !(v[n] >= v[n - 1])) no_resets = false;
    if (stretch) {
      if (n == 0) first = row;
      else if (row != first + n) leave_stretch();
    }
    if (!stretch)
      for (std::size_t i = 0; i < count; ++i) out->t_buffer.push_back(t[row + i]);
    n += count;
  };

  const auto& items = view->sealed->items;
  auto item = std::upper_bound(items.begin(), items.end(), lo, [](std::size_t at, const GroupList::Item& g) { return at < g.start; });
  if (item != items.begin()) --item;
  std::array<double, kMaxTileRows> values;
  std::array<std::uint8_t, kMaxTileRows / 8> mask;
  const auto has = [&mask](std::size_t row) { return ((mask[row / 8] >> (row % 8)) & 1) != 0; };
  for (; item != items.end() && item->start < hi; ++item) {
    const std::size_t rows = item->group.header().rows;
    const std::size_t from = std::max(lo, item->start) - item->start, to = std::min(hi, item->start + rows) - item->start;
    if (from >= to || !item->group.HasColumn(slot)) continue;
    const auto full = item->group.FullColumn(slot, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to - from), v + n, &no_resets);
    if (full && *full) {
      take(item->start + from, to - from);
      continue;
    }
    std::uint32_t count = 0;
    const bool all = from == 0 && to == rows;  // its values go where they belong at once
    const auto column = full ? item->group.Column(slot, all ? v + n : values.data(), &count, mask.data(), &no_resets) : Result<void>(full.error());
    if (!column) {  // a damaged chunk costs its samples, not the query
      out->warnings.push_back(files_->dir() + ": layout " + std::to_string(layout) + ": column " + std::to_string(slot) + ": " + column.error().message);
      no_resets = false;
      continue;
    }
    std::size_t next = 0;
    for (std::size_t r = 0; r < to && next < count;) {
      if (!has(r)) {
        ++r;
        continue;
      }
      std::size_t end = r + 1;
      while (end < rows && has(end)) ++end;
      const std::size_t begin = std::max(r, from), stop = std::min(end, to);
      if (begin < stop) {
        if (!all) std::copy_n(values.data() + next + (begin - r), stop - begin, v + n);
        take(item->start + begin, stop - begin);
      }
      next += end - r;
      r = end;
    }
  }
  const std::size_t sealed = view->sealed->t.size();
  std::size_t r = std::max(lo, sealed) - sealed, end = std::max(hi, sealed) - sealed;
  const std::size_t word = slot / 64;
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  if (view->transposed() && r < end) {
    if (slot < view->open_columns.size()) {
      const auto& [rows, start] = view->open_columns[slot];
      const double* from = view->open_values.data() + start;
      std::size_t at = 0;  // rows of the column before r
      for (std::size_t w = 0; w < rows.size(); ++w)
        if (r > w * 64) at += static_cast<unsigned>(std::popcount(r - w * 64 >= 64 ? rows[w] : rows[w] & ((std::uint64_t{1} << (r % 64)) - 1)));
      while (r < end) {
        // The next stretch of rows, within 64 of them.
        const std::uint64_t bits = rows[r / 64] >> (r % 64);
        if (bits == 0) {
          r = (r / 64 + 1) * 64;
          continue;
        }
        r += static_cast<unsigned>(std::countr_zero(bits));
        const std::size_t stop = std::min({end, r + static_cast<unsigned>(std::countr_one(rows[r / 64] >> (r % 64))), (r / 64 + 1) * 64});
        if (r >= stop) break;
        const std::size_t count = stop - r;
        std::copy_n(from + at, count, v + n);
        for (std::size_t i = n + 1; i < n + count; ++i) no_resets &= v[i] >= v[i - 1];
        no_resets &= !std::isnan(v[n]);
        at += count;
        take(sealed + r, count);
        r = stop;
      }
    }
    r = end;
  } else if (!view->open_words.empty()) {
    if (word >= view->open_spans.size()) r = end;
    else r = std::max<std::size_t>(r, view->open_spans[word].first), end = std::min<std::size_t>(end, view->open_spans[word].second);
  } else if (!view->open.empty() && slot >= view->open.front().columns) {
    r = end;
  }
  while (r < end) {
    const std::size_t begin = r, old = n;
    if (view->open_words.empty()) {
      for (; r < end; ++r) v[n + (r - begin)] = LoadLe<double>(view->open[r].values + std::size_t{8} * slot);
    } else {
      const LayoutView::OpenWord* const words = view->open_words.data() + word * view->open.size();
      for (; r < end && (words[r].bits & bit) != 0; ++r)
        v[n + (r - begin)] = LoadLe<double>(view->open[r].values + 8 * (words[r].before + static_cast<std::size_t>(std::popcount(words[r].bits & (bit - 1)))));
    }
    if (r == begin) {
      ++r;
      continue;
    }
    for (std::size_t i = old + 1; i < old + (r - begin); ++i) no_resets &= v[i] >= v[i - 1];
    no_resets &= !std::isnan(v[old]);
    take(sealed + begin, r - begin);
  }
  out->v_buffer.resize(before + n);
  if (behind) {
    if (stretch) leave_stretch();
    return;
  }
  out->v = out->v_buffer;
  out->no_resets = no_resets && n != 0;
  if (stretch) {
    out->t = {t.data() + first, n};
    out->pin = view;
    // The same stretch of the same layout: the same times. Too long ones get no number.
    if (n != 0 && first + n < (1u << 20) && layout < (1u << 24)) out->time_column = (std::uint64_t{layout} + 1) << 40 | (first << 20) | (first + n);
  } else {
    out->t = out->t_buffer;
  }
}

bool HeadSnapshotImpl::ReadNewestRow(const HeadHome& home, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const {
  const auto& view = View(home.layout);
  if (!view->warnings.empty()) return false;
  const std::size_t sealed = view->sealed->t.size(), word = home.slot / 64;
  const std::uint64_t bit = std::uint64_t{1} << (home.slot % 64);
  std::size_t row = view->open.size();
  while (row > 0 && view->open[row - 1].t > max_ms) --row;
  for (; row > 0; --row) {
    const RowView& r = view->open[row - 1];
    if (r.t < min_ms) return false;
    std::size_t at = home.slot;
    if (home.slot >= r.columns) continue;
    if (!view->open_words.empty()) {
      const LayoutView::OpenWord& w = view->open_words[word * view->open.size() + row - 1];
      if ((w.bits & bit) == 0) continue;
      at = w.before + static_cast<std::size_t>(std::popcount(w.bits & (bit - 1)));
    }
    out->Clear();
    out->v_buffer.assign(1, LoadLe<double>(r.values + std::size_t{8} * at));
    out->v = out->v_buffer;
    const std::size_t first = sealed + row - 1;
    out->t = {view->t.data() + first, 1};
    if (first + 1 < (1u << 20) && home.layout < (1u << 24)) out->time_column = (std::uint64_t{home.layout} + 1) << 40 | first << 20 | (first + 1);
    out->pin = view;
    return LostPageCount() == lost_before_;
  }
  return false;
}

Result<void> HeadSnapshotImpl::Read(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, Room* room, SeriesColumns* out) const {
  PROM_TRY(ReadUnguarded(series, min_ms, max_ms, room, out));
  // What this snapshot has verified may be what was lost: the next one looks anew.
  if (LostPageCount() != lost_before_) return LostPageError();
  return {};
}

Result<void> HeadSnapshotImpl::ReadUnguarded(std::uint32_t series, std::int64_t min_ms, std::int64_t max_ms, Room* room, SeriesColumns* out) const {
  out->Clear();
  auto& homes = room->homes;
  if (!files_->Homes(series, state_.extents, &homes))
    out->warnings.push_back(files_->dir() + "/homes: byte " + std::to_string(HomeOffset(series)) + ": damaged entry; the layouts file was searched instead");
  std::erase_if(homes, [&](const auto& h) {
    const TileState& s = state_.layouts[h.first];
    return s.min_t > s.max_t || s.min_t > max_ms || s.max_t < min_ms;
  });
  std::vector<LooseSample>& loose = room->loose;
  loose.clear();
  if (state_.loose.min_t <= max_ms && state_.loose.max_t >= min_ms) {
    ReadLoose(series, &loose, &out->warnings);
    std::erase_if(loose, [&](const LooseSample& s) { return s.t < min_ms || s.t > max_ms; });
  }
  if (homes.size() == 1 && loose.empty()) {
    ReadColumns(homes[0].first, homes[0].second, min_ms, max_ms, false, out);
    return {};
  }
  if (homes.empty() && loose.empty()) return {};
  // One layout after the other, as a target has them whose series come and go.
  std::sort(homes.begin(), homes.end(), [&](const auto& a, const auto& b) { return state_.layouts[a.first].min_t < state_.layouts[b.first].min_t; });
  bool in_turn = loose.empty();
  for (std::size_t i = 1; i < homes.size(); ++i) in_turn &= state_.layouts[homes[i - 1].first].max_t < state_.layouts[homes[i].first].min_t;
  if (in_turn) {
    out->t_buffer.clear();
    out->v_buffer.clear();
    for (const auto& home : homes) ReadColumns(home.first, home.second, min_ms, max_ms, true, out);
    out->t = out->t_buffer;
    out->v = out->v_buffer;
    return {};
  }

  struct Sample {
    std::int64_t t, st;
    double v;
    const std::string* histogram;
  };
  std::vector<Sample> all;
  SeriesColumns one;
  for (const auto& home : homes) {
    one.Clear();
    ReadColumns(home.first, home.second, min_ms, max_ms, false, &one);
    for (std::size_t i = 0; i < one.t.size(); ++i) all.push_back({one.t[i], 0, one.v[i], nullptr});
    out->warnings.insert(out->warnings.end(), one.warnings.begin(), one.warnings.end());
  }
  for (const LooseSample& s : loose) all.push_back({s.t, s.st, s.v, s.histogram.empty() ? nullptr : &s.histogram});
  std::stable_sort(all.begin(), all.end(), [](const Sample& a, const Sample& b) { return a.t < b.t; });
  out->t_buffer.clear();
  out->v_buffer.clear();
  out->st_buffer.clear();
  bool any_start = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + 1 < all.size() && all[i + 1].t == all[i].t) continue;  // the later one counts
    const Sample& s = all[i];
    if (s.histogram != nullptr) {
      auto h = ParseHistogram(*s.histogram);
      if (!h) {
        out->warnings.push_back(files_->dir() + ": " + h.error().message);
        continue;
      }
      out->histograms.push_back({s.t, std::make_shared<const Histogram>(std::move(*h))});
      out->histogram_st.push_back(s.st);
      continue;
    }
    out->t_buffer.push_back(s.t);
    out->v_buffer.push_back(s.v);
    out->st_buffer.push_back(s.st);
    any_start |= s.st != 0;
  }
  if (std::all_of(out->histogram_st.begin(), out->histogram_st.end(), [](std::int64_t st) { return st == 0; })) out->histogram_st.clear();
  out->t = out->t_buffer;
  out->v = out->v_buffer;
  if (any_start) out->st = out->st_buffer;
  return {};
}

}  // namespace prom::store

// Label sets come in order, so neighbours share most labels: a label that equals the
// one at the same place of the set before costs a comparison, the others a look-up in
// their name's table. Values keep the number of their first appearance until Finish
// sorts them; ranks are then dealt out to (name, value) pairs by counting.
#include "store/index_writer.h"

#include <algorithm>
#include <deque>
#include <numeric>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/file_header.h"
#include "store/index_format.h"
#include "store/postings.h"

namespace prom::store {
namespace {

constexpr std::uint64_t kMaxSection = 0xffffffffull;

}  // namespace

struct IndexWriter::State {
  struct Name {
    std::string name;
    std::deque<std::string> values;  // stable addresses
    std::unordered_map<std::string_view, std::uint32_t> ids;
    // Set by Finish: index of value id among the name's sorted values, and back.
    std::vector<std::uint32_t> order, sorted;
  };
  struct Seen {
    std::uint32_t name = 0, value = 0;
  };

  std::deque<Name> names;
  std::unordered_map<std::string_view, std::uint32_t> name_ids;
  std::vector<Seen> previous, current;
  Labels last;
  std::unordered_map<std::string, std::uint32_t> shape_ids;
  std::vector<std::vector<std::uint32_t>> shapes;  // name ids
  std::uint32_t last_shape = 0;

  std::vector<std::uint32_t> series_shape;
  std::vector<std::uint64_t> payloads;
  std::vector<std::uint32_t> values;  // of all series, one a label
  std::string extra;

  Seen Intern(const Label& label, std::size_t place);
};

IndexWriter::State::Seen IndexWriter::State::Intern(const Label& label, std::size_t place) {
  Seen seen;
  bool same_name = false;
  if (place < previous.size() && names[previous[place].name].name == label.name) {
    seen = previous[place];
    if (names[seen.name].values[seen.value] == label.value) return seen;
    same_name = true;
  }
  if (!same_name) {
    const auto it = name_ids.find(label.name);
    if (it != name_ids.end()) {
      seen.name = it->second;
    } else {
      seen.name = static_cast<std::uint32_t>(names.size());
      names.emplace_back().name = label.name;
      name_ids.emplace(names.back().name, seen.name);
    }
  }
  Name& name = names[seen.name];
  const auto it = name.ids.find(label.value);
  if (it != name.ids.end()) {
    seen.value = it->second;
  } else {
    seen.value = static_cast<std::uint32_t>(name.values.size());
    name.values.emplace_back(label.value);
    name.ids.emplace(name.values.back(), seen.value);
  }
  return seen;
}

IndexWriter::IndexWriter() : state_(std::make_unique<State>()) {}
IndexWriter::~IndexWriter() = default;

std::uint32_t IndexWriter::series_count() const { return static_cast<std::uint32_t>(state_->payloads.size()); }
void IndexWriter::SetExtra(std::string extra) { state_->extra = std::move(extra); }

Result<void> IndexWriter::Add(const Labels& labels, std::uint64_t payload) {
  State& s = *state_;
  if (!s.payloads.empty() && !(s.last < labels)) {
    return Error{Errc::kInvalid, "index: label sets out of order: " + labels.ToString() + " after " + s.last.ToString()};
  }
  if (s.payloads.size() >= kMaxIndexSeries) return Error{Errc::kLimit, "index: more than " + std::to_string(kMaxIndexSeries) + " series"};
  s.current.clear();
  for (const Label& label : labels) s.current.push_back(s.Intern(label, s.current.size()));

  bool same_shape = !s.payloads.empty() && s.current.size() == s.previous.size();
  for (std::size_t i = 0; same_shape && i < s.current.size(); ++i) same_shape = s.current[i].name == s.previous[i].name;
  if (!same_shape) {
    std::string key;
    for (const auto& seen : s.current) AppendLe<std::uint32_t>(&key, seen.name);
    const auto [it, added] = s.shape_ids.emplace(std::move(key), static_cast<std::uint32_t>(s.shapes.size()));
    if (added) {
      s.shapes.emplace_back();
      for (const auto& seen : s.current) s.shapes.back().push_back(seen.name);
    }
    s.last_shape = it->second;
  }
  s.series_shape.push_back(s.last_shape);
  s.payloads.push_back(payload);
  for (const auto& seen : s.current) s.values.push_back(seen.value);
  std::swap(s.previous, s.current);
  s.last = labels;
  return {};
}

Result<std::string> IndexWriter::Finish() {
  State& s = *state_;
  SectionRange sections[kIndexSections];
  std::string out = FileHeader(kIndexMagic);
  const auto begin = [&](IndexSection section) {
    out.resize((out.size() + 7) / 8 * 8);
    sections[static_cast<std::size_t>(section)].offset = out.size();
  };
  const auto end = [&](IndexSection section) {
    auto& range = sections[static_cast<std::size_t>(section)];
    range.size = out.size() - range.offset;
    return range.size <= kMaxSection;
  };
  const auto too_big = [] { return Error{Errc::kLimit, "index: a section is over 4 GiB; split the block"}; };
  const auto count = static_cast<std::uint32_t>(s.payloads.size());

  // Names and each name's values in order.
  std::vector<std::uint32_t> names_sorted(s.names.size()), name_order(s.names.size());
  std::iota(names_sorted.begin(), names_sorted.end(), 0);
  std::sort(names_sorted.begin(), names_sorted.end(), [&](auto a, auto b) { return s.names[a].name < s.names[b].name; });
  for (std::uint32_t i = 0; i < names_sorted.size(); ++i) name_order[names_sorted[i]] = i;
  std::vector<std::string_view> symbols;
  for (auto& name : s.names) {
    std::vector<std::string_view> views(name.values.begin(), name.values.end());
    name.sorted.resize(views.size());
    std::iota(name.sorted.begin(), name.sorted.end(), 0);
    std::sort(name.sorted.begin(), name.sorted.end(), [&](auto a, auto b) { return views[a] < views[b]; });
    name.order.resize(views.size());
    for (std::uint32_t i = 0; i < views.size(); ++i) name.order[name.sorted[i]] = i;
    symbols.push_back(name.name);
    symbols.insert(symbols.end(), views.begin(), views.end());
  }
  std::sort(symbols.begin(), symbols.end());
  symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
  // Asked in ascending order mostly, so search on from the last answer.
  const auto symbol_id = [&](std::string_view text, std::size_t from) {
    return static_cast<std::uint32_t>(std::lower_bound(symbols.begin() + static_cast<std::ptrdiff_t>(from), symbols.end(), text) - symbols.begin());
  };

  begin(IndexSection::kSymbolOffsets);
  std::uint64_t at = 0;
  for (const auto symbol : symbols) {
    AppendLe<std::uint32_t>(&out, static_cast<std::uint32_t>(at));
    at += symbol.size();
  }
  AppendLe<std::uint32_t>(&out, static_cast<std::uint32_t>(at));
  if (!end(IndexSection::kSymbolOffsets)) return too_big();
  begin(IndexSection::kSymbolBytes);
  for (const auto symbol : symbols) out += symbol;
  if (!end(IndexSection::kSymbolBytes)) return too_big();

  // Series records; ranks counted by (name, value).
  std::vector<std::uint32_t> first_value(s.names.size() + 1, 0);  // by sorted name
  for (std::uint32_t i = 0; i < names_sorted.size(); ++i) {
    const std::uint64_t next = std::uint64_t{first_value[i]} + s.names[names_sorted[i]].values.size();
    if (next > kMaxSection / 4) return too_big();
    first_value[i + 1] = static_cast<std::uint32_t>(next);
  }
  const std::uint32_t pairs = first_value.back();
  std::vector<std::uint64_t> starts(std::size_t{pairs} + 1, 0);
  std::string offsets;
  begin(IndexSection::kSeries);
  {
    const std::uint32_t* value = s.values.data();
    const std::size_t start = out.size();
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      AppendLe<std::uint32_t>(&offsets, static_cast<std::uint32_t>(out.size() - start));
      AppendVarint(&out, s.payloads[rank]);
      AppendVarint(&out, s.series_shape[rank]);
      for (const std::uint32_t name : s.shapes[s.series_shape[rank]]) {
        const std::uint32_t index = s.names[name].order[*value++];
        AppendVarint(&out, index);
        ++starts[first_value[name_order[name]] + index + 1];
      }
      if (out.size() - start > kMaxSection) return too_big();
    }
    AppendLe<std::uint32_t>(&offsets, static_cast<std::uint32_t>(out.size() - start));
  }
  (void)end(IndexSection::kSeries);
  begin(IndexSection::kSeriesOffsets);
  out += offsets;
  offsets = {};
  if (!end(IndexSection::kSeriesOffsets)) return too_big();

  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> ranks(starts.back());
  {
    std::vector<std::uint64_t> next(starts.begin(), starts.end() - 1);
    const std::uint32_t* value = s.values.data();
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      for (const std::uint32_t name : s.shapes[s.series_shape[rank]]) {
        ranks[next[first_value[name_order[name]] + s.names[name].order[*value++]]++] = rank;
      }
    }
  }
  s.values = {};
  s.payloads = {};

  // Postings: of each pair, then of each name.
  begin(IndexSection::kPostings);
  const std::size_t postings_start = out.size();
  std::string references;
  bool fits = true;
  const auto add = [&](std::span<const std::uint32_t> list) -> std::uint32_t {
    if (list.size() == 1) return kSinglePosting | list[0];
    out.resize((out.size() + 7) / 8 * 8);
    const std::uint64_t unit = (out.size() - postings_start) / 8;
    fits = fits && unit < kSinglePosting;
    AppendPostings(list, &out);
    return static_cast<std::uint32_t>(unit);
  };
  for (std::uint32_t pair = 0; pair < pairs; ++pair) {
    AppendLe<std::uint32_t>(&references, add(std::span(ranks).subspan(starts[pair], starts[pair + 1] - starts[pair])));
  }
  std::vector<std::uint32_t> presence;
  std::vector<std::uint8_t> has(s.shapes.size());
  for (std::uint32_t i = 0; i < names_sorted.size(); ++i) {
    for (std::size_t shape = 0; shape < s.shapes.size(); ++shape) {
      has[shape] = std::find(s.shapes[shape].begin(), s.shapes[shape].end(), names_sorted[i]) != s.shapes[shape].end();
    }
    std::vector<std::uint32_t> list;
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      if (has[s.series_shape[rank]] != 0) list.push_back(rank);
    }
    presence.push_back(add(list));
  }
  (void)end(IndexSection::kPostings);
  if (!fits) return Error{Errc::kLimit, "index: postings are over 16 GiB; split the block"};
  ranks = {};
  starts = {};

  begin(IndexSection::kValuePostings);
  out += references;
  if (!end(IndexSection::kValuePostings)) return too_big();
  begin(IndexSection::kValueSymbols);
  for (const std::uint32_t id : names_sorted) {
    std::size_t from = 0;
    for (const std::uint32_t value : s.names[id].sorted) {
      from = symbol_id(s.names[id].values[value], from);
      AppendLe<std::uint32_t>(&out, static_cast<std::uint32_t>(from));
    }
  }
  (void)end(IndexSection::kValueSymbols);
  begin(IndexSection::kNames);
  for (std::uint32_t i = 0; i < names_sorted.size(); ++i) {
    AppendLe<std::uint32_t>(&out, symbol_id(s.names[names_sorted[i]].name, 0));
    AppendLe<std::uint32_t>(&out, first_value[i]);
    AppendLe<std::uint32_t>(&out, first_value[i + 1] - first_value[i]);
    AppendLe<std::uint32_t>(&out, presence[i]);
  }
  if (!end(IndexSection::kNames)) return too_big();
  std::string shapes;
  begin(IndexSection::kShapeOffsets);
  for (const auto& shape : s.shapes) {
    AppendLe<std::uint32_t>(&out, static_cast<std::uint32_t>(shapes.size()));
    for (const std::uint32_t name : shape) AppendVarint(&shapes, name_order[name]);
    if (shapes.size() > kMaxSection) return too_big();
  }
  AppendLe<std::uint32_t>(&out, static_cast<std::uint32_t>(shapes.size()));
  if (!end(IndexSection::kShapeOffsets)) return too_big();
  begin(IndexSection::kShapes);
  out += shapes;
  (void)end(IndexSection::kShapes);
  begin(IndexSection::kExtra);
  out += s.extra;
  (void)end(IndexSection::kExtra);

  const std::size_t covered = out.size();
  for (std::size_t page = 0; page < covered; page += kIndexPageBytes) {
    AppendLe<std::uint32_t>(&out, Crc32c(std::string_view(out).substr(page, std::min(kIndexPageBytes, covered - page))));
  }
  for (const auto& range : sections) {
    AppendLe<std::uint64_t>(&out, range.offset);
    AppendLe<std::uint64_t>(&out, range.size);
  }
  AppendLe<std::uint64_t>(&out, covered);
  AppendLe<std::uint32_t>(&out, count);
  AppendLe<std::uint32_t>(&out, Crc32c(std::string_view(out).substr(covered)));
  state_ = std::make_unique<State>();
  return out;
}

}  // namespace prom::store

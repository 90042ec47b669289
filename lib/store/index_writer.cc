// A label set is kept as its shape (which names) and a number for each value. Until Sort
// these count the name's values as they first came; then they are the place of (name,
// value) among all pairs in order, so that two label sets compare as two lists of numbers
// do, and the postings of a pair are those series that have its number.
//
// Label sets that come one after the other share most labels: a label that equals the one
// at the same place of the set before costs a comparison, the others a look-up in their
// name's table.
#include "store/index_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <span>
#include <unordered_map>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/hash.h"
#include "base/sort_by_words.h"
#include "store/file_header.h"
#include "store/index_format.h"
#include "store/postings.h"

namespace prom::store {
namespace {

constexpr std::uint64_t kMaxSection = 0xffffffffull;
constexpr std::size_t kArenaBytes = 64 << 10;
constexpr std::size_t kWriteBytes = 16 * kIndexPageBytes;
// Ranks that are dealt out to pairs at a time.
constexpr std::uint64_t kRanksAtATime = 4u << 20;
constexpr std::uint32_t kNone = 0xffffffffu;

Error TooBig() { return {Errc::kLimit, "index: a section is over 4 GiB; split the block"}; }

// Texts kept once each, numbered as they come.
class Texts {
 public:
  std::uint32_t Intern(std::string_view text) {
    if ((texts_.size() + 1) * 4 > slots_.size() * 3) Grow();
    const std::uint64_t hash = Xxh3(text);
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = hash & mask;
    for (; slots_[i] != 0; i = (i + 1) & mask) {
      const auto id = static_cast<std::uint32_t>(slots_[i]) - 1;
      if ((slots_[i] ^ hash) >> 32 == 0 && texts_[id] == text) return id;
    }
    slots_[i] = (hash >> 32 << 32) | (texts_.size() + 1);
    texts_.push_back(Keep(text));
    return static_cast<std::uint32_t>(texts_.size() - 1);
  }
  std::string_view operator[](std::uint32_t id) const { return texts_[id]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(texts_.size()); }

  // Numbers them by their order instead; the new number of each old one.
  std::vector<std::uint32_t> Sort() {
    struct Item {
      std::uint64_t word;  // eight bytes behind what all have in common
      std::uint32_t id;
    };
    std::size_t common = texts_.empty() ? 0 : texts_[0].size();
    for (const std::string_view text : texts_) {
      common = std::min(common, text.size());
      while (text.compare(0, common, texts_[0], 0, common) != 0) --common;
    }
    std::vector<Item> items;
    for (std::uint32_t id = 0; id < texts_.size(); ++id) {
      std::uint64_t word = 0;
      std::memcpy(&word, texts_[id].data() + common, std::min<std::size_t>(8, texts_[id].size() - common));
      items.push_back({std::endian::native == std::endian::little ? __builtin_bswap64(word) : word, id});
    }
    std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) { return a.word != b.word ? a.word < b.word : texts_[a.id] < texts_[b.id]; });
    std::vector<std::uint32_t> numbers(texts_.size());
    std::vector<std::string_view> sorted;
    sorted.reserve(items.size());
    for (const Item& item : items) {
      numbers[item.id] = static_cast<std::uint32_t>(sorted.size());
      sorted.push_back(texts_[item.id]);
    }
    texts_ = std::move(sorted);
    slots_ = {};
    return numbers;
  }

 private:
  void Grow() {
    std::vector<std::uint64_t> slots(std::max<std::size_t>(8, slots_.size() * 2), 0);
    const std::size_t mask = slots.size() - 1;
    for (std::uint32_t id = 0; id < texts_.size(); ++id) {
      const std::uint64_t hash = Xxh3(texts_[id]);
      std::size_t i = hash & mask;
      while (slots[i] != 0) i = (i + 1) & mask;
      slots[i] = (hash >> 32 << 32) | (std::uint64_t{id} + 1);
    }
    slots_ = std::move(slots);
  }
  std::string_view Keep(std::string_view text) {
    if (arena_.empty() || arena_.back().capacity() - arena_.back().size() < text.size()) {
      // Names of few values, which most are, take little.
      const std::size_t room = arena_.empty() ? 64 : std::min(kArenaBytes, arena_.back().capacity() * 2);
      arena_.emplace_back().reserve(std::max(room, text.size()));
    }
    const std::size_t at = arena_.back().size();
    arena_.back().insert(arena_.back().end(), text.begin(), text.end());
    return {arena_.back().data() + at, text.size()};
  }

  std::vector<std::string_view> texts_;
  std::vector<std::uint64_t> slots_;  // half of the hash, number + 1; 0: free
  std::vector<std::vector<char>> arena_;
};

// A length and its bytes, as in Labels::bytes(). False: beyond the end.
bool Take(const char** p, const char* end, std::string_view* out) {
  if (*p == end) return false;
  const auto* u = reinterpret_cast<const unsigned char*>(*p);
  std::size_t n = *u, head = 1;
  if (n == 255) {
    if (end - *p < 4) return false;
    n = u[1] | std::size_t{u[2]} << 8 | std::size_t{u[3]} << 16;
    head = 4;
  }
  if (static_cast<std::size_t>(end - *p) - head < n) return false;
  *out = {*p + head, n};
  *p += head + n;
  return true;
}

}  // namespace

struct IndexWriter::State {
  struct Seen {
    std::uint32_t name = 0, value = 0;
    std::string_view name_text, value_text;
  };
  Texts names;
  std::vector<Texts> name_values;  // by name
  std::vector<Seen> previous;      // labels of the set added last
  std::unordered_map<std::string, std::uint32_t> shape_ids;
  std::vector<std::vector<std::uint32_t>> shapes;  // names
  std::uint32_t last_shape = kNone;

  // Of a series, as they were added.
  std::vector<std::uint32_t> series_shape, payloads, starts;
  std::vector<std::uint32_t> values;  // from starts[i] on, one a label

  bool sorted = false;
  std::vector<std::uint32_t> order;        // series by place
  std::vector<std::uint32_t> first_pair;   // by name, and the number of pairs

  Result<void> AddLabels(const char* p, const char* end);
  // By pointers, as all of these are looked at again and again for every series.
  std::span<const std::uint32_t> Pairs(std::uint32_t series) const {
    return {values.data() + starts.data()[series], shapes.data()[series_shape.data()[series]].size()};
  }
  bool Less(std::uint32_t a, std::uint32_t b) const {
    const auto x = Pairs(a), y = Pairs(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  }
  void SortSeries();
};

IndexWriter::IndexWriter() : state_(std::make_unique<State>()) {}
IndexWriter::~IndexWriter() = default;

std::uint32_t IndexWriter::series_count() const { return static_cast<std::uint32_t>(state_->payloads.size()); }

Result<void> IndexWriter::State::AddLabels(const char* p, const char* end) {
  const auto bad = [] { return Error{Errc::kInvalid, "index: not a label set"}; };
  std::size_t place = 0;
  bool same_shape = true;
  for (std::string_view name, value; p != end; ++place) {
    if (!Take(&p, end, &name) || !Take(&p, end, &value)) return bad();
    if (place == previous.size()) {
      previous.emplace_back();
      previous.back().name = kNone;
    }
    Seen& seen = previous[place];
    if (seen.name == kNone || seen.name_text != name) {
      same_shape = false;
      seen.name = names.Intern(name);
      seen.name_text = names[seen.name];
      if (seen.name == name_values.size()) name_values.emplace_back();
      seen.value_text = {};
      seen.value = kNone;
    }
    if (seen.value == kNone || seen.value_text != value) {
      seen.value = name_values[seen.name].Intern(value);
      seen.value_text = name_values[seen.name][seen.value];
    }
    values.push_back(seen.value);
  }
  same_shape &= place == previous.size() && last_shape != kNone;
  previous.resize(place);
  if (same_shape) return {};
  std::string key;
  for (std::size_t i = 0; i < place; ++i) {
    if (i > 0 && !(previous[i - 1].name_text < previous[i].name_text)) return bad();
    AppendLe<std::uint32_t>(&key, previous[i].name);
  }
  const auto [it, added] = shape_ids.emplace(std::move(key), static_cast<std::uint32_t>(shapes.size()));
  if (added) {
    shapes.emplace_back();
    for (const Seen& seen : previous) shapes.back().push_back(seen.name);
  }
  last_shape = it->second;
  return {};
}

Result<void> IndexWriter::Add(std::string_view label_bytes, std::uint32_t payload) {
  State& s = *state_;
  if (s.payloads.size() >= kMaxIndexSeries) return Error{Errc::kLimit, "index: more than " + std::to_string(kMaxIndexSeries) + " series"};
  const std::size_t start = s.values.size();
  if (start > kNone) return Error{Errc::kLimit, "index: too many labels; split the block"};
  if (auto done = s.AddLabels(label_bytes.data(), label_bytes.data() + label_bytes.size()); !done) {
    s.values.resize(start);
    s.previous.clear();
    s.last_shape = kNone;
    return done;
  }
  s.starts.push_back(static_cast<std::uint32_t>(start));
  s.series_shape.push_back(s.last_shape);
  s.payloads.push_back(payload);
  return {};
}

// By two pairs at a time.
void IndexWriter::State::SortSeries() {
  struct Item {
    std::uint64_t word;
    std::uint32_t series;
  };
  std::vector<Item> items(order.size());
  for (std::size_t i = 0; i < items.size(); ++i) items[i].series = order[i];
  SortByWords(
      &items,
      [this](const Item& item, std::size_t n) {
        const auto pairs = Pairs(item.series);
        const auto at = [&](std::size_t i) { return i < pairs.size() ? std::uint64_t{pairs[i]} + 1 : 0; };
        return at(2 * n) << 32 | at(2 * n + 1);
      },
      [this](const Item& item, std::size_t n) { return Pairs(item.series).size() <= 2 * n; });
  for (std::size_t i = 0; i < items.size(); ++i) order[i] = items[i].series;
}

Result<std::vector<std::uint32_t>> IndexWriter::Sort() {
  State& s = *state_;
  if (!s.sorted) {
    s.sorted = true;
    s.shape_ids = {};
    s.previous = {};
    const std::vector<std::uint32_t> name_order = s.names.Sort();
    std::vector<Texts> by_name(s.name_values.size());
    for (std::uint32_t i = 0; i < name_order.size(); ++i) by_name[name_order[i]] = std::move(s.name_values[i]);
    s.name_values = std::move(by_name);
    for (auto& shape : s.shapes)
      for (std::uint32_t& name : shape) name = name_order[name];
    std::uint64_t pairs = 0;
    std::vector<std::vector<std::uint32_t>> pair_of;
    for (Texts& values : s.name_values) {
      s.first_pair.push_back(static_cast<std::uint32_t>(pairs));
      pair_of.push_back(values.Sort());
      for (std::uint32_t& number : pair_of.back()) number += static_cast<std::uint32_t>(pairs);
      pairs += values.size();
      if (pairs > kMaxSection / 4) return TooBig();
    }
    s.first_pair.push_back(static_cast<std::uint32_t>(pairs));
    std::uint32_t* value = s.values.data();
    for (const std::uint32_t shape : s.series_shape)
      for (const std::uint32_t name : s.shapes[shape]) {
        *value = pair_of[name][*value];
        ++value;
      }
    s.order.resize(s.payloads.size());
    std::iota(s.order.begin(), s.order.end(), 0);
    if (!std::is_sorted(s.order.begin(), s.order.end(), [&s](std::uint32_t a, std::uint32_t b) { return s.Less(a, b); })) s.SortSeries();
  }
  std::vector<std::uint32_t> out;
  out.reserve(s.order.size());
  for (std::size_t i = 0; i < s.order.size(); ++i) {
    if (i > 0 && !s.Less(s.order[i - 1], s.order[i])) {
      std::string text;
      for (std::size_t label = 0; const std::uint32_t name : s.shapes[s.series_shape[s.order[i]]]) {
        const std::uint32_t pair = s.Pairs(s.order[i])[label++];
        text += (text.empty() ? "" : ", ") + std::string(s.names[name]) + "=\"" + std::string(s.name_values[name][pair - s.first_pair[name]]) + "\"";
      }
      return Error{Errc::kInvalid, "index: the label set {" + text + "} comes twice"};
    }
    out.push_back(s.payloads[s.order[i]]);
  }
  return out;
}

// The file as it grows: pieces of whole pages go to the sink, with their checksums noted.
class IndexWriter::File {
 public:
  explicit File(const Sink& sink) : buffer(FileHeader(kIndexMagic)), sink_(sink) {}

  std::string buffer;  // what comes next; begins at a multiple of the page size
  std::uint64_t size() const { return written_ + buffer.size(); }

  void Begin(IndexSection section) {
    buffer.resize((buffer.size() + 7) / 8 * 8);
    range_ = &sections_[static_cast<std::size_t>(section)];
    range_->offset = size();
  }
  std::uint64_t section_bytes() const { return size() - range_->offset; }
  // False: the section is too big for its references.
  bool End() {
    range_->size = section_bytes();
    return range_->size <= kMaxSection;
  }
  // Of what is in the buffer, when it is enough.
  Result<void> Flush() { return buffer.size() < kWriteBytes ? Result<void>() : Write(buffer.size() / kIndexPageBytes * kIndexPageBytes); }

  Result<void> Finish(std::uint32_t series) {
    const std::uint64_t covered = size();
    PROM_TRY(Write(buffer.size()));
    std::string& tail = checksums_;
    for (const SectionRange& range : sections_) {
      AppendLe<std::uint64_t>(&tail, range.offset);
      AppendLe<std::uint64_t>(&tail, range.size);
    }
    AppendLe<std::uint64_t>(&tail, covered);
    AppendLe<std::uint32_t>(&tail, series);
    AppendLe<std::uint32_t>(&tail, Crc32c(tail));
    return sink_(tail);
  }

 private:
  Result<void> Write(std::size_t bytes) {
    const std::string_view piece = std::string_view(buffer).substr(0, bytes);
    for (std::size_t page = 0; page < bytes; page += kIndexPageBytes) AppendLe<std::uint32_t>(&checksums_, Crc32c(piece.substr(page, kIndexPageBytes)));
    PROM_TRY(sink_(piece));
    written_ += bytes;
    buffer.erase(0, bytes);
    return {};
  }

  const Sink& sink_;
  std::uint64_t written_ = 0;
  std::string checksums_;
  SectionRange sections_[kIndexSections];
  SectionRange* range_ = nullptr;
};

Result<void> IndexWriter::Write(const std::vector<bool>& keep, std::string_view extra, const Sink& sink) { return WriteSeries(&keep, extra, sink); }

Result<void> IndexWriter::Write(std::string_view extra, const Sink& sink) { return WriteSeries(nullptr, extra, sink); }

Result<std::string> IndexWriter::Finish(std::string_view extra) {
  std::string out;
  PROM_TRY(Write(extra, [&out](std::string_view piece) -> Result<void> {
    out += piece;
    return {};
  }));
  return out;
}

Result<void> IndexWriter::WriteSeries(const std::vector<bool>* keep, std::string_view extra, const Sink& sink) {
  PROM_TRY(Sort());
  const State& s = *state_;
  File file(sink);
  const std::uint32_t names = s.names.size(), all_pairs = s.first_pair.back();

  // The series by rank; how many have each pair. What none of them has is left out.
  std::vector<std::uint32_t> ranked, gaps;  // series; their places less their ranks, when there is a choice
  std::vector<std::uint32_t> number(all_pairs, 0);
  for (std::uint32_t place = 0; place < s.order.size(); ++place) {
    if (keep != nullptr && !(*keep)[place]) continue;
    if (keep != nullptr) gaps.push_back(place - static_cast<std::uint32_t>(ranked.size()));
    ranked.push_back(s.order[place]);
    for (const std::uint32_t pair : s.Pairs(s.order[place])) ++number.data()[pair];
  }
  const auto count = static_cast<std::uint32_t>(ranked.size());
  // From here on `number` is that of the pair in the file.
  std::vector<std::uint32_t> counts, name_number(names, kNone), name_first;
  std::vector<std::uint32_t> used_names;
  for (std::uint32_t name = 0; name < names; ++name) {
    const auto first = static_cast<std::uint32_t>(counts.size());
    for (std::uint32_t pair = s.first_pair[name]; pair < s.first_pair[name + 1]; ++pair) {
      if (number[pair] == 0) {
        number[pair] = kNone;
        continue;
      }
      counts.push_back(number[pair]);
      number[pair] = static_cast<std::uint32_t>(counts.size() - 1);
    }
    if (counts.size() == first) continue;
    name_number[name] = static_cast<std::uint32_t>(used_names.size());
    used_names.push_back(name);
    name_first.push_back(first);
  }
  const auto pairs = static_cast<std::uint32_t>(counts.size());
  name_first.push_back(pairs);
  std::vector<std::uint32_t> name_base(names, 0);  // number of a name's first value
  for (std::uint32_t i = 0; i < used_names.size(); ++i) name_base[used_names[i]] = name_first[i];

  // Symbols: the names, and each name's values, are in order; merged.
  std::vector<std::uint32_t> name_symbols(used_names.size()), value_symbols(pairs);
  {
    struct Next {
      std::string_view text;
      std::uint32_t run;   // 0: names; else a used name + 1
      std::uint32_t item;  // a used name, or a pair
    };
    const auto after = [](const Next& a, const Next& b) { return a.text > b.text; };
    std::vector<Next> heap;
    const auto push = [&](std::uint32_t run, std::uint32_t item) {
      if (run == 0) {
        if (item == used_names.size()) return;
        heap.push_back({s.names[used_names[item]], run, item});
      } else {
        const std::uint32_t name = used_names[run - 1];
        while (item < s.first_pair[name + 1] && number[item] == kNone) ++item;
        if (item == s.first_pair[name + 1]) return;
        heap.push_back({s.name_values[name][item - s.first_pair[name]], run, item});
      }
      std::push_heap(heap.begin(), heap.end(), after);
    };
    push(0, 0);
    for (std::uint32_t i = 0; i < used_names.size(); ++i) push(i + 1, s.first_pair[used_names[i]]);
    std::string bytes;
    std::string_view last;
    std::uint32_t symbols = 0;
    file.Begin(IndexSection::kSymbolOffsets);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), after);
      const Next next = heap.back();
      heap.pop_back();
      if (symbols == 0 || next.text != last) {
        AppendLe<std::uint32_t>(&file.buffer, static_cast<std::uint32_t>(bytes.size()));
        PROM_TRY(file.Flush());
        bytes += next.text;
        last = next.text;
        if (bytes.size() > kMaxSection) return TooBig();
        ++symbols;
      }
      (next.run == 0 ? name_symbols[next.item] : value_symbols[number[next.item]]) = symbols - 1;
      push(next.run, next.item + 1);
    }
    AppendLe<std::uint32_t>(&file.buffer, static_cast<std::uint32_t>(bytes.size()));
    if (!file.End()) return TooBig();
    file.Begin(IndexSection::kSymbolBytes);
    file.buffer += bytes;
    (void)file.End();
    PROM_TRY(file.Flush());
  }

  std::vector<std::uint32_t> shape_number(s.shapes.size(), kNone), used_shapes;
  {
    std::vector<std::uint32_t> offsets;
    offsets.reserve(std::size_t{count} + 1);
    file.Begin(IndexSection::kSeries);
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      const std::uint32_t series = ranked[rank], shape = s.series_shape[series];
      if (shape_number[shape] == kNone) {
        shape_number[shape] = static_cast<std::uint32_t>(used_shapes.size());
        used_shapes.push_back(shape);
      }
      offsets.push_back(static_cast<std::uint32_t>(file.section_bytes()));
      AppendVarint(&file.buffer, keep != nullptr ? gaps[rank] : s.payloads[series]);
      AppendVarint(&file.buffer, shape_number[shape]);
      const std::uint32_t* name = s.shapes[shape].data();
      for (const std::uint32_t pair : s.Pairs(series)) AppendVarint(&file.buffer, number.data()[pair] - name_base.data()[*name++]);
      PROM_TRY(file.Flush());
      if (file.section_bytes() > kMaxSection) return TooBig();
    }
    offsets.push_back(static_cast<std::uint32_t>(file.section_bytes()));
    (void)file.End();
    file.Begin(IndexSection::kSeriesOffsets);
    for (const std::uint32_t offset : offsets) {
      AppendLe<std::uint32_t>(&file.buffer, offset);
      PROM_TRY(file.Flush());
    }
    if (!file.End()) return TooBig();
  }

  // Postings: of each pair, some at a time; then of each name.
  std::vector<std::uint32_t> references, presence;
  bool fits = true;
  file.Begin(IndexSection::kPostings);
  const auto add = [&](std::span<const std::uint32_t> list) -> std::uint32_t {
    if (list.size() == 1) return kSinglePosting | list[0];
    file.buffer.resize((file.buffer.size() + 7) / 8 * 8);
    const std::uint64_t unit = file.section_bytes() / 8;
    fits = fits && unit < kSinglePosting;
    AppendPostings(list, &file.buffer);
    return static_cast<std::uint32_t>(unit);
  };
  {
    std::vector<std::uint32_t> ranks, next;
    for (std::uint32_t first = 0, end = 0; first < pairs; first = end) {
      std::uint64_t room = 0;
      next.clear();
      while (end < pairs && (end == first || room + counts[end] <= kRanksAtATime)) {
        next.push_back(static_cast<std::uint32_t>(room));
        room += counts[end++];
      }
      ranks.resize(room);
      const std::uint32_t* numbers = number.data();
      std::uint32_t* at = next.data();
      for (std::uint32_t rank = 0; rank < count; ++rank)
        for (const std::uint32_t pair : s.Pairs(ranked.data()[rank]))
          if (numbers[pair] - first < end - first) ranks.data()[at[numbers[pair] - first]++] = rank;
      for (std::uint32_t pair = first; pair < end; ++pair) {
        references.push_back(add(std::span(ranks).subspan(next[pair - first] - counts[pair], counts[pair])));
        PROM_TRY(file.Flush());
      }
    }
    std::vector<std::uint8_t> has(s.shapes.size());
    for (const std::uint32_t name : used_names) {
      for (const std::uint32_t shape : used_shapes) has[shape] = std::find(s.shapes[shape].begin(), s.shapes[shape].end(), name) != s.shapes[shape].end();
      ranks.clear();
      for (std::uint32_t rank = 0; rank < count; ++rank)
        if (has[s.series_shape[ranked[rank]]] != 0) ranks.push_back(rank);
      presence.push_back(add(ranks));
      PROM_TRY(file.Flush());
    }
  }
  (void)file.End();
  if (!fits) return Error{Errc::kLimit, "index: postings are over 16 GiB; split the block"};

  file.Begin(IndexSection::kValuePostings);
  for (const std::uint32_t reference : references) AppendLe<std::uint32_t>(&file.buffer, reference);
  if (!file.End()) return TooBig();
  file.Begin(IndexSection::kValueSymbols);
  for (const std::uint32_t symbol : value_symbols) AppendLe<std::uint32_t>(&file.buffer, symbol);
  (void)file.End();
  file.Begin(IndexSection::kNames);
  for (std::uint32_t i = 0; i < used_names.size(); ++i) {
    AppendLe<std::uint32_t>(&file.buffer, name_symbols[i]);
    AppendLe<std::uint32_t>(&file.buffer, name_first[i]);
    AppendLe<std::uint32_t>(&file.buffer, name_first[i + 1] - name_first[i]);
    AppendLe<std::uint32_t>(&file.buffer, presence[i]);
  }
  if (!file.End()) return TooBig();
  std::string shapes;
  file.Begin(IndexSection::kShapeOffsets);
  for (const std::uint32_t shape : used_shapes) {
    AppendLe<std::uint32_t>(&file.buffer, static_cast<std::uint32_t>(shapes.size()));
    for (const std::uint32_t name : s.shapes[shape]) AppendVarint(&shapes, name_number[name]);
    if (shapes.size() > kMaxSection) return TooBig();
  }
  AppendLe<std::uint32_t>(&file.buffer, static_cast<std::uint32_t>(shapes.size()));
  if (!file.End()) return TooBig();
  file.Begin(IndexSection::kShapes);
  file.buffer += shapes;
  (void)file.End();
  file.Begin(IndexSection::kExtra);
  file.buffer += extra;
  (void)file.End();
  return file.Finish(count);
}

}  // namespace prom::store

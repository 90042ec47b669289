// Matchers -> ids of series. Each matcher becomes a set of values of its label, whose
// lists are joined; what may be absent becomes the set of values it must not have. The
// smallest set begins, the others only filter it.
#include <algorithm>

#include "tsdb/index.h"

namespace prom::tsdb {
namespace {

bool IsPositive(const Matcher& m) { return m.type() == Matcher::Type::kEqual || m.type() == Matcher::Type::kRegex; }
bool IsRegex(const Matcher& m) { return m.type() == Matcher::Type::kRegex || m.type() == Matcher::Type::kNotRegex; }

}  // namespace

struct Index::Condition {
  bool exclude = false;                // series in the lists are left out, all others stay
  std::vector<std::uint32_t> entries;  // whose lists are joined
  std::uint64_t total = 0;             // ids in these lists
};

// A matcher that accepts the empty string also accepts series without the label: then the
// values it does not accept are excluded.
Result<Index::Condition> Index::Resolve(const Matcher& m) const {
  Condition c;
  c.exclude = m.MatchesEmpty();
  const Name* name = FindName(m.name());
  if (name == nullptr) return c;
  const bool listed = c.exclude != IsPositive(m);  // the set wanted is that of the positive form
  const auto add = [&](std::string_view value) {
    const std::uint32_t i = LowerBound(*name, value);
    if (!value.empty() && i < name->first + name->count && EntryAt(i).value == value) c.entries.push_back(i);
  };
  if (listed && !IsRegex(m)) {
    add(m.value());
  } else if (listed && !m.set_matches().empty()) {
    for (const auto& value : m.set_matches()) add(value);
  } else {
    const std::uint32_t end = name->first + name->count;
    const std::string_view prefix = listed ? m.prefix() : std::string_view();
    const bool all = IsRegex(m) && listed && (m.value() == ".*" || m.value() == ".+");
    for (std::uint32_t i = prefix.empty() ? name->first : LowerBound(*name, prefix); i < end; ++i) {
      if (all) {
        c.entries.push_back(i);
        continue;
      }
      const std::string_view value = EntryAt(i).value;
      if (!value.starts_with(prefix)) break;
      if (m.Matches(value) != c.exclude) c.entries.push_back(i);
    }
  }
  for (const std::uint32_t i : c.entries) {
    PROM_ASSIGN(const List list, ListAt(EntryAt(i).offset));
    c.total += list.size;
  }
  return c;
}

Result<void> Index::AppendUnion(const std::vector<std::uint32_t>& entries, Ids* out) const {
  for (const std::uint32_t i : entries) {
    const std::uint64_t offset = EntryAt(i).offset;
    PROM_ASSIGN(const List list, ListAt(offset));
    const std::size_t before = out->size();
    out->resize(before + list.size);
    std::uint32_t last = 0;
    for (std::size_t k = 0; k < list.size; ++k) {
      const std::uint32_t id = list[k];
      if (k > 0 && id <= last) return Corrupt(offset, "postings list is not ascending");
      (*out)[before + k] = last = id;
    }
  }
  // One series has one value of a label, so the lists of a name share no ids.
  if (entries.size() > 1) {
    std::sort(out->begin(), out->end());
    out->erase(std::unique(out->begin(), out->end()), out->end());
  }
  return {};
}

// Keeps the ids that are in the list: both ascending, the list may be far longer.
void Index::Intersect(const List& list, Ids* ids) {
  std::size_t kept = 0, at = 0;
  for (const std::uint32_t id : *ids) {
    std::size_t step = 1;
    while (at + step < list.size && list[at + step] < id) step *= 2;
    std::size_t low = at + step / 2, high = std::min(at + step, list.size);
    if (step == 1) low = at;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (list[middle] < id) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    at = low;
    if (at == list.size) break;
    if (list[at] == id) (*ids)[kept++] = id;
  }
  ids->resize(kept);
}

Result<std::vector<std::uint32_t>> Index::Select(const Matchers& matchers) const {
  std::vector<Condition> conditions;
  for (const Matcher& m : matchers) {
    PROM_ASSIGN(Condition c, Resolve(m));
    if (!c.exclude && c.entries.empty()) return Ids{};
    if (c.exclude && c.entries.empty()) continue;
    conditions.push_back(std::move(c));
  }
  std::stable_sort(conditions.begin(), conditions.end(),
                   [](const Condition& a, const Condition& b) { return a.exclude != b.exclude ? !a.exclude : a.total < b.total; });
  Ids ids;
  std::size_t next = 0;
  if (!conditions.empty() && !conditions[0].exclude) {
    PROM_TRY(AppendUnion(conditions[0].entries, &ids));
    next = 1;
  } else if (all_postings_ != 0) {
    PROM_ASSIGN(const List list, ListAt(all_postings_));
    ids.resize(list.size);
    for (std::size_t i = 0; i < list.size; ++i) {
      ids[i] = list[i];
      if (i > 0 && ids[i] <= ids[i - 1]) return Corrupt(all_postings_, "postings list is not ascending");
    }
  }
  for (; next < conditions.size() && !ids.empty(); ++next) {
    const Condition& c = conditions[next];
    if (!c.exclude && c.entries.size() == 1) {
      PROM_ASSIGN(const List list, ListAt(EntryAt(c.entries[0]).offset));
      Intersect(list, &ids);
      continue;
    }
    Ids set, out;
    PROM_TRY(AppendUnion(c.entries, &set));
    out.reserve(ids.size());
    if (c.exclude) {
      std::set_difference(ids.begin(), ids.end(), set.begin(), set.end(), std::back_inserter(out));
    } else {
      std::set_intersection(ids.begin(), ids.end(), set.begin(), set.end(), std::back_inserter(out));
    }
    ids = std::move(out);
  }
  return ids;
}

}  // namespace prom::tsdb

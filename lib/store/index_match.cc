// Matchers against an index. Each matcher becomes a set of values of its label and
// whether series with one of them are kept or dropped:
//
//   matches "" (the label may be absent)   drop the series whose value does not match
//   does not match ""                      keep the series whose value matches
//
// so that absent labels never need a list of their own. The rarest "keep" gives the
// candidates, the others filter them: by their lists, or, when there are fewer
// candidates than that is worth, by the value in each candidate's record. A regex
// without a finite set of values is postponed, in the hope of few candidates.
#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

#include "store/index_reader.h"
#include "store/index_record.h"

namespace prom::store {

// Values of one name by index.
class IndexReader::ValueSet {
 public:
  bool all = false;                // every value
  std::vector<std::uint32_t> ids;  // else these, ascending
  std::uint64_t size(const Name& name) const { return all ? name.value_count : ids.size(); }
  bool Has(std::uint32_t id) const { return all || std::binary_search(ids.begin(), ids.end(), id); }
};

struct IndexReader::Condition {
  const Matcher* matcher = nullptr;
  std::uint32_t name_index = 0;
  Name name;
  bool known = true;    // false: no series has the label
  bool keep = false;    // keep or drop the series with a value of the set
  bool invert = false;  // the set is the values that the positive form does not accept
  bool resolved = false;
  ValueSet accepted;    // by the positive form; once resolved
  std::uint64_t estimate = 0;  // series in the set
  std::uint64_t size() const { return invert ? name.value_count - accepted.size(name) : accepted.size(name); }
  bool Has(std::uint32_t value) const { return accepted.Has(value) != invert; }
};

namespace {

constexpr std::uint64_t kFewValues = 256;  // regex over so many values is not worth postponing

bool IsPositive(const Matcher& m) { return m.type() == Matcher::Type::kEqual || m.type() == Matcher::Type::kRegex; }
bool IsRegex(const Matcher& m) { return m.type() == Matcher::Type::kRegex || m.type() == Matcher::Type::kNotRegex; }
bool MatchesAllValues(const Matcher& m) { return IsRegex(m) && (m.value() == ".*" || m.value() == ".+"); }
bool IsFinite(const Matcher& m) { return !IsRegex(m) || !m.set_matches().empty() || MatchesAllValues(m); }

}  // namespace

Result<void> IndexReader::Accepted(const Matcher& m, const Name& name, ValueSet* out) const {
  const auto add = [&](std::string_view value) -> Result<void> {
    if (value.empty()) return {};
    PROM_ASSIGN(const std::uint32_t i, LowerBound(name, value));
    if (i == name.value_count) return {};
    PROM_ASSIGN(const std::string_view found, ValueAt(name, i));
    if (found == value) out->ids.push_back(i);
    return {};
  };
  if (!IsRegex(m)) return add(m.value());
  if (MatchesAllValues(m)) {
    out->all = true;
    return {};
  }
  if (!m.set_matches().empty()) {
    for (const auto& value : m.set_matches()) PROM_TRY(add(value));
    return {};
  }
  const std::string_view prefix = m.prefix();
  std::uint32_t i = 0;
  if (!prefix.empty()) {
    PROM_ASSIGN(i, LowerBound(name, prefix));
  }
  for (; i < name.value_count; ++i) {
    PROM_ASSIGN(const std::string_view value, ValueAt(name, i));
    if (!value.starts_with(prefix)) break;
    if (m.Matches(value) == IsPositive(m)) out->ids.push_back(i);
  }
  out->all = out->ids.size() == name.value_count;
  return {};
}

Result<IndexReader::Condition> IndexReader::Resolve(const Matcher& m) const {
  Condition c;
  c.matcher = &m;
  c.keep = !m.MatchesEmpty();
  c.invert = IsPositive(m) != c.keep;
  PROM_ASSIGN(c.name_index, FindName(m.name()));
  if (c.name_index == name_count_) {
    c.known = false;
    c.resolved = true;
    return c;
  }
  PROM_ASSIGN(c.name, NameAt(c.name_index));
  PROM_ASSIGN(const Postings presence, PostingsAt(c.name.presence));
  c.estimate = presence.count();
  if (!IsFinite(m) && c.name.value_count > kFewValues) return c;
  PROM_TRY(Accepted(m, c.name, &c.accepted));
  c.resolved = true;
  if (c.size() > kFewValues) {
    c.estimate = c.estimate * c.size() / c.name.value_count;
  } else if (!c.invert && !c.accepted.all) {
    c.estimate = 0;
    for (const std::uint32_t id : c.accepted.ids) {
      PROM_ASSIGN(const Postings list, ValuePostings(c.name, id));
      c.estimate += list.count();
    }
  }
  return c;
}

// Ranks of series whose value is in the set (which `accepted` and `invert` describe).
Result<std::vector<std::uint32_t>> IndexReader::Union(const Name& name, const ValueSet& values) const {
  std::vector<std::uint32_t> out;
  const auto bad = [&] { return Error{Errc::kCorrupt, path_ + ": postings are damaged"}; };
  if (values.all) {
    PROM_ASSIGN(const Postings list, PostingsAt(name.presence));
    if (!list.AppendTo(&out)) return bad();
    return out;
  }
  std::vector<Postings> lists;
  lists.reserve(values.ids.size());
  std::uint64_t total = 0;
  for (const std::uint32_t id : values.ids) {
    PROM_ASSIGN(lists.emplace_back(), ValuePostings(name, id));
    total += lists.back().count();
  }
  if (lists.size() == 1 || total < series_count_ / 32) {
    for (const auto& list : lists) {
      std::vector<std::uint32_t> part;
      if (!list.AppendTo(&part)) return bad();
      out.insert(out.end(), part.begin(), part.end());
    }
    if (lists.size() > 1) {
      std::sort(out.begin(), out.end());
      out.erase(std::unique(out.begin(), out.end()), out.end());
    }
    return out;
  }
  std::vector<std::uint64_t> bitmap(series_count_ / 64 + 1);
  for (const auto& list : lists) {
    if (!list.SetIn(bitmap.data())) return bad();
  }
  out.reserve(std::min<std::uint64_t>(total, series_count_));
  for (std::size_t w = 0; w < bitmap.size(); ++w) {
    for (std::uint64_t word = bitmap[w]; word != 0; word &= word - 1) {
      out.push_back(static_cast<std::uint32_t>(w * 64) + static_cast<std::uint32_t>(std::countr_zero(word)));
    }
  }
  return out;
}

// Keeps the candidates that fulfil the condition, going by their own records.
Result<void> IndexReader::FilterByValue(const Condition& c, std::vector<std::uint32_t>* ranks) const {
  std::unordered_map<std::uint32_t, bool> known;  // postponed regex: verdicts so far
  std::size_t out = 0;
  for (const std::uint32_t rank : *ranks) {
    RecordReader record;
    PROM_TRY(record.Open(*this, rank));
    std::uint32_t value = 0;
    bool in_set = false;
    if (record.Find(c.name_index, &value)) {
      if (c.resolved) {
        in_set = c.Has(value);
      } else {
        const auto [it, added] = known.try_emplace(value, false);
        if (added) {
          PROM_ASSIGN(const std::string_view text, ValueAt(c.name, value));
          // A matching series is one that is kept, or one that is not dropped.
          it->second = c.matcher->Matches(text) == c.keep;
        }
        in_set = it->second;
      }
    }
    PROM_TRY(record.Check(*this, rank));
    if (in_set == c.keep) (*ranks)[out++] = rank;
  }
  ranks->resize(out);
  return {};
}

Result<std::vector<std::uint32_t>> IndexReader::Select(const Matchers& matchers) const {
  std::vector<Condition> conditions;
  for (const Matcher& m : matchers) {
    PROM_ASSIGN(Condition c, Resolve(m));
    if (!c.known) {
      if (c.keep) return std::vector<std::uint32_t>{};
      continue;  // absent everywhere, and may be absent
    }
    if (c.resolved && c.size() == 0) {
      if (c.keep) return std::vector<std::uint32_t>{};
      continue;
    }
    conditions.push_back(std::move(c));
  }
  // Candidates from the rarest; filters that need no regex first.
  std::stable_sort(conditions.begin(), conditions.end(), [](const Condition& a, const Condition& b) {
    if (a.keep != b.keep) return a.keep;
    if (a.resolved != b.resolved) return a.resolved;
    return a.estimate < b.estimate;
  });

  const auto bad = [&] { return Error{Errc::kCorrupt, path_ + ": postings are damaged"}; };
  const auto resolve = [&](Condition* c) -> Result<void> {
    if (c->resolved) return {};
    PROM_TRY(Accepted(*c->matcher, c->name, &c->accepted));
    c->resolved = true;
    return {};
  };
  // The set of a condition as ranks: directly, or all that have the label less the rest.
  const auto ranks_of = [&](const Condition& c) -> Result<std::vector<std::uint32_t>> {
    if (!c.invert) return Union(c.name, c.accepted);
    if (c.size() <= c.accepted.size(c.name)) {
      ValueSet rest;
      for (std::uint32_t i = 0; i < c.name.value_count; ++i) {
        if (!c.accepted.Has(i)) rest.ids.push_back(i);
      }
      return Union(c.name, rest);
    }
    ValueSet everything;
    everything.all = true;
    PROM_ASSIGN(auto have, Union(c.name, everything));
    PROM_ASSIGN(const auto without, Union(c.name, c.accepted));
    std::vector<std::uint32_t> out;
    out.reserve(have.size());
    std::set_difference(have.begin(), have.end(), without.begin(), without.end(), std::back_inserter(out));
    return out;
  };

  std::vector<std::uint32_t> ranks;
  std::size_t next = 0;
  if (!conditions.empty() && conditions[0].keep) {
    PROM_TRY(resolve(&conditions[0]));
    PROM_ASSIGN(ranks, ranks_of(conditions[0]));
    next = 1;
  } else {
    ranks.resize(series_count_);
    std::iota(ranks.begin(), ranks.end(), 0);
  }
  for (; next < conditions.size() && !ranks.empty(); ++next) {
    Condition& c = conditions[next];
    // A record costs about as much as 32 entries of a list, a regex as much as one record.
    const std::uint64_t list_cost = c.resolved ? std::min(c.size(), c.name.value_count - c.size() + 1) + c.estimate / 32 : c.name.value_count;
    if (ranks.size() < list_cost) {
      PROM_TRY(FilterByValue(c, &ranks));
      continue;
    }
    PROM_TRY(resolve(&c));
    if (!c.invert && !c.accepted.all && c.accepted.ids.size() == 1) {
      PROM_ASSIGN(const Postings list, ValuePostings(c.name, c.accepted.ids[0]));
      if (!list.Filter(&ranks, c.keep)) return bad();
      continue;
    }
    if (c.size() == c.name.value_count) {
      PROM_ASSIGN(const Postings list, PostingsAt(c.name.presence));
      if (!list.Filter(&ranks, c.keep)) return bad();
      continue;
    }
    PROM_ASSIGN(const auto set, ranks_of(c));
    std::vector<std::uint32_t> out;
    if (c.keep) {
      std::set_intersection(ranks.begin(), ranks.end(), set.begin(), set.end(), std::back_inserter(out));
    } else {
      std::set_difference(ranks.begin(), ranks.end(), set.begin(), set.end(), std::back_inserter(out));
    }
    ranks = std::move(out);
  }
  return ranks;
}

}  // namespace prom::store

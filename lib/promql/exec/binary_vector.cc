#include "promql/exec/binary_vector.h"

#include <algorithm>
#include <unordered_set>

#include "promql/exec/map_function.h"
#include "promql/exec/parallel.h"

namespace prom::promql {

namespace {

// Series without a partner are not read, but what upstream has to say of their metrics is said: one of each name is.
Result<void> ReadOneOfEachName(QueryContext& context, Operator& op, const std::vector<bool>& matched) {
  std::unordered_set<std::string_view> names;
  const auto name_of = [&](std::size_t i) { return op.series()[i].labels.metric_name(); };
  for (std::size_t i = 0; i < matched.size(); ++i) {
    if (matched[i]) names.insert(name_of(i));
  }
  StepColumn column;
  for (std::size_t i = 0; i < matched.size(); ++i) {
    if (matched[i] || !names.insert(name_of(i)).second) continue;
    PROM_TRY(op.Read(context, i, 0, &column));
  }
  return {};
}

std::vector<std::string> NamesToMatch(const VectorMatching& matching) {
  std::vector<std::string> names = matching.labels;
  if (!matching.on) names.emplace_back(kMetricName);
  return names;
}

}  // namespace

MatchGroups::MatchGroups(const VectorMatching& matching)
    : subset_(NamesToMatch(matching), matching.on ? LabelSubset::Names::kKept : LabelSubset::Names::kRemoved) {}

Result<std::vector<std::uint32_t>> MatchGroups::Number(QueryContext& context, const std::vector<SeriesMeta>& series) {
  std::vector<std::uint32_t> out;
  out.reserve(series.size());
  Pacer pacer(context);
  for (const SeriesMeta& meta : series) {
    if (!pacer.Spend(200)) return pacer.status().error();
    out.push_back(numbers_.Add(subset_.Of(meta.labels)).number);
  }
  return out;
}

VectorBinaryOperator::VectorBinaryOperator(const BinaryExpr& expr, OperatorPtr lhs, OperatorPtr rhs)
    : Operator(lhs->grid()),
      op_(expr.op),
      return_bool_(expr.return_bool),
      matching_(*expr.matching),
      pos_(expr.pos),
      lhs_(std::move(lhs)),
      rhs_(std::move(rhs)) {
  const bool swap = matching_.card == Cardinality::kOneToMany;
  many_ = swap ? rhs_.get() : lhs_.get();
  one_ = swap ? lhs_.get() : rhs_.get();
}

Labels VectorBinaryOperator::ResultLabels(const Labels& many, const Labels& one, bool delayed) const {
  LabelsBuilder builder((ChangesMetric(op_) || (return_bool_ && !delayed)) ? DropMetadataLabels(many) : many);
  if (matching_.card == Cardinality::kOneToOne) {
    if (matching_.on) {
      builder.Keep(matching_.labels);
    } else {
      for (const std::string& name : matching_.labels) builder.Del(name);
    }
  }
  for (const std::string& name : matching_.include) builder.Set(name, one.Get(name));  // an empty value removes it
  return builder.Build();
}

Result<bool> VectorBinaryOperator::FindPairs(QueryContext& context, const std::vector<std::uint32_t>& many_groups,
                                             const std::vector<std::uint32_t>& one_groups, std::size_t groups) {
  const bool delayed = context.options().delayed_name_removal;
  if (matching_.fill_left || matching_.fill_right) return false;
  constexpr std::uint32_t kNone = ~std::uint32_t{0};
  std::vector<std::uint32_t> one_of(groups, kNone);
  for (std::uint32_t i = 0; i < one_groups.size(); ++i) {
    if (one_of[one_groups[i]] != kNone) return false;
    one_of[one_groups[i]] = i;
  }
  if (matching_.card == Cardinality::kOneToOne) {
    std::vector<bool> seen(groups, false);
    for (std::uint32_t group : many_groups) {
      if (seen[group]) return false;
      seen[group] = true;
    }
  }
  LabelNumbers unique;
  Pacer pacer(context);
  for (std::uint32_t i = 0; i < many_groups.size(); ++i) {
    if (!pacer.Spend(500)) return pacer.status().error();
    const std::uint32_t one = one_of[many_groups[i]];
    if (one == kNone) continue;
    Labels labels = ResultLabels(many_->series()[i].labels, one_->series()[one].labels, delayed);
    if (!unique.Add(labels.bytes()).fresh) {
      pairs_.clear();
      series_.clear();
      return false;
    }
    pairs_.push_back({i, one});
    series_.push_back({std::move(labels), return_bool_});
  }
  return true;
}

Result<void> VectorBinaryOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(lhs_->Prepare(context));
  PROM_TRY(rhs_->Prepare(context));
  MatchGroups groups(matching_);
  PROM_ASSIGN(const std::vector<std::uint32_t> many_groups, groups.Number(context, many_->series()));
  PROM_ASSIGN(const std::vector<std::uint32_t> one_groups, groups.Number(context, one_->series()));
  PROM_ASSIGN(paired_, FindPairs(context, many_groups, one_groups, groups.size()));
  if (!paired_) return ByStep(context, groups, many_groups, one_groups);

  std::vector<bool> many_used(many_groups.size(), false), one_used(one_groups.size(), false);
  for (const Pair& pair : pairs_) many_used[pair.many] = one_used[pair.one] = true;
  PROM_TRY(ReadOneOfEachName(context, *many_, many_used));
  PROM_TRY(ReadOneOfEachName(context, *one_, one_used));

  std::vector<std::uint32_t> uses(one_->series().size(), 0);
  for (const Pair& pair : pairs_) ++uses[pair.one];
  if (std::any_of(uses.begin(), uses.end(), [](std::uint32_t n) { return n > 1; })) {
    PROM_ASSIGN(one_columns_, ReadAll(context, *one_, &held_));
  }
  return {};
}

BinaryOutcome VectorBinaryOperator::Element(double many_f, double one_f, const HistogramPtr& many_h, const HistogramPtr& one_h) const {
  return matching_.card == Cardinality::kOneToMany ? BinaryValue(op_, one_f, many_f, one_h, many_h, pos_)
                                                   : BinaryValue(op_, many_f, one_f, many_h, one_h, pos_);
}

Result<void> VectorBinaryOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  if (!paired_) {
    *out = columns_[i];
    return {};
  }
  const Pair pair = pairs_[i];
  PROM_TRY(many_->Read(context, pair.many, worker, out));
  const StepColumn* one = nullptr;
  if (one_columns_.empty()) {
    PROM_TRY(one_->Read(context, pair.one, worker, &scratch_[worker]));
    one = &scratch_[worker];
  } else {
    one = &one_columns_[pair.one];
  }

  if (!out->histograms.empty() || !one->histograms.empty() || op_ == BinaryOp::kTrimLower || op_ == BinaryOp::kTrimUpper) {
    const StepColumn many = std::move(*out);
    out->Reset(grid_.steps);
    const std::vector<std::uint64_t> many_any = many.AnyPresent(), one_any = one->AnyPresent();
    for (std::size_t k = 0; k < grid_.steps; ++k) {
      if (((many_any[k / 64] & one_any[k / 64]) >> (k % 64) & 1) == 0) continue;
      const HistogramPtr* mh = many.HistogramAtStep(k);
      const HistogramPtr* oh = one->HistogramAtStep(k);
      BinaryOutcome r = Element(many.values[k], one->values[k], mh ? *mh : nullptr, oh ? *oh : nullptr);
      Annotate(context, r, pos_, op_);
      if (r.failed) continue;
      if (return_bool_) {
        out->Set(k, r.keep);
      } else if (r.keep && r.histogram) {
        out->histograms.push_back({static_cast<std::uint32_t>(k), std::move(r.histogram)});
      } else if (r.keep) {
        out->Set(k, r.value);
      }
    }
    return {};
  }

  for (std::size_t w = 0; w < out->present.size(); ++w) out->present[w] &= one->present[w];
  const bool swap = matching_.card == Cardinality::kOneToMany;
  double* v = out->values.data();
  const double* left = swap ? one->values.data() : v;
  const double* right = swap ? v : one->values.data();
  auto arithmetic = [&](auto&& fn) { ForEachBit(out->present, [&](std::size_t k) { v[k] = fn(left[k], right[k]); }); };
  switch (op_) {
    case BinaryOp::kAdd: arithmetic([](double a, double b) { return a + b; }); break;
    case BinaryOp::kSub: arithmetic([](double a, double b) { return a - b; }); break;
    case BinaryOp::kMul: arithmetic([](double a, double b) { return a * b; }); break;
    case BinaryOp::kDiv: arithmetic([](double a, double b) { return a / b; }); break;
    default:
      if (!IsComparison(op_)) {
        arithmetic([this](double a, double b) { return ScalarBinary(op_, a, b); });
        break;
      }
      for (std::size_t k = 0; k < grid_.steps; ++k) {
        if (!out->Has(k)) continue;
        const bool keep = ScalarBinary(op_, left[k], right[k]) != 0;
        if (return_bool_) {
          v[k] = keep;
        } else if (keep) {
          v[k] = left[k];
        } else {
          out->Unset(k);
        }
      }
  }
  return {};
}

Result<void> VectorBinaryOperator::ByStep(QueryContext& context, const MatchGroups& groups, const std::vector<std::uint32_t>& many_groups,
                                          const std::vector<std::uint32_t>& one_groups) {
  PROM_ASSIGN(const std::vector<StepColumn> many, ReadAll(context, *many_, &held_));
  PROM_ASSIGN(const std::vector<StepColumn> one, ReadAll(context, *one_, &held_));
  const bool delayed = context.options().delayed_name_removal;
  const bool one_to_one = matching_.card == Cardinality::kOneToOne;
  const bool swapped = matching_.card == Cardinality::kOneToMany;
  // fill_right() stands in for a missing "one" side and fill_left() for a missing "many" side, also under group_right,
  // where they are the other way round: upstream swaps the sides but not these.
  const std::optional<double>& fill_one = matching_.fill_right;
  const std::optional<double>& fill_many = matching_.fill_left;
  constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::vector<std::vector<std::uint64_t>> many_any, one_any;
  for (const StepColumn& column : many) many_any.push_back(column.AnyPresent());
  for (const StepColumn& column : one) one_any.push_back(column.AnyPresent());
  auto has = [](const std::vector<std::uint64_t>& words, std::size_t k) { return (words[k / 64] >> (k % 64) & 1) != 0; };

  OutputTable table(grid_.steps);
  std::unordered_map<std::uint64_t, std::size_t> output_of;  // (many, one) -> output series; kNone: filled
  std::vector<std::uint32_t> one_of(groups.size(), kNone);
  std::vector<bool> matched(groups.size(), false);
  std::unordered_set<std::uint64_t> inserted;  // (group, output series) of this step
  // Results come in the order of the "many" side, whichever step they appear at: as when the sides are paired.
  std::vector<std::size_t> rank;

  auto combine = [&](std::size_t k, std::uint32_t m, std::uint32_t o, std::uint32_t group) -> Result<void> {
    static const HistogramPtr kNoHistogram;
    double mf = 0, of = 0;
    const HistogramPtr *mh = &kNoHistogram, *oh = &kNoHistogram;
    if (m == kNone) {
      mf = *fill_many;
    } else {
      mf = many[m].values[k];
      if (const HistogramPtr* h = many[m].HistogramAtStep(k)) mh = h;
    }
    if (o == kNone) {
      of = *fill_one;
    } else {
      of = one[o].values[k];
      if (const HistogramPtr* h = one[o].HistogramAtStep(k)) oh = h;
    }
    BinaryOutcome r = Element(mf, of, *mh, *oh);
    Annotate(context, r, pos_, op_);
    if (r.failed) return {};

    const std::uint64_t key = (static_cast<std::uint64_t>(m) << 32) | o;
    auto [it, fresh] = output_of.try_emplace(key, 0);
    if (fresh) {
      PROM_TRY(held_.AddMemory(context, 2 * sizeof(SeriesMeta) + (m == kNone ? one_ : many_)->series()[m == kNone ? o : m].labels.bytes().size()));
      const Labels many_labels = m == kNone ? groups.GroupLabels(group) : many_->series()[m].labels;
      const Labels one_labels = o == kNone ? groups.GroupLabels(group) : one_->series()[o].labels;
      it->second = table.Find(ResultLabels(many_labels, one_labels, delayed), return_bool_);
    }
    const std::size_t series = it->second;
    const std::size_t place = m == kNone ? many.size() + o : m;
    if (series == rank.size()) rank.push_back(place);
    rank[series] = std::min(rank[series], place);
    if (one_to_one) {
      if (matched[group]) {
        return Error{Errc::kInvalid, "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"};
      }
      matched[group] = true;
    } else {
      if (!inserted.insert((static_cast<std::uint64_t>(group) << 32) | series).second) {
        return Error{Errc::kInvalid, "multiple matches for labels: grouping labels must ensure unique matches"};
      }
      matched[group] = true;
    }
    if (return_bool_) return table.Add(context, series, k, r.keep);
    if (!r.keep) return {};
    if (r.histogram) return table.Add(context, series, k, std::move(r.histogram));
    return table.Add(context, series, k, r.value);
  };

  std::vector<std::uint32_t> many_at, one_at;
  Pacer pacer(context);
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    if (!pacer.Spend(200 * (many.size() + one.size()))) return pacer.status();
    many_at.clear();
    one_at.clear();
    for (std::uint32_t i = 0; i < many.size(); ++i) {
      if (has(many_any[i], k)) many_at.push_back(i);
    }
    for (std::uint32_t i = 0; i < one.size(); ++i) {
      if (has(one_any[i], k)) one_at.push_back(i);
    }
    if (many_at.empty() && one_at.empty()) continue;
    if ((many_at.empty() || one_at.empty()) && !fill_one && !fill_many) continue;

    std::fill(one_of.begin(), one_of.end(), kNone);
    std::fill(matched.begin(), matched.end(), false);
    inserted.clear();
    for (std::uint32_t o : one_at) {
      std::uint32_t& slot = one_of[one_groups[o]];
      if (slot != kNone) {
        const Labels& labels = one_->series()[o].labels;
        std::string a = labels.ToString(), b = one_->series()[slot].labels.ToString();
        if (b < a) std::swap(a, b);
        return Error{Errc::kInvalid, "found duplicate series for the match group " + groups.GroupLabels(one_groups[o]).ToString() + " on the " +
                                         (swapped ? "left" : "right") + " hand-side of the operation: [" + a + ", " + b +
                                         "];many-to-many matching not allowed: matching labels must be unique on one side"};
      }
      slot = o;
    }
    for (std::uint32_t m : many_at) {
      const std::uint32_t o = one_of[many_groups[m]];
      if (o == kNone && !fill_one) continue;
      PROM_TRY(combine(k, m, o, many_groups[m]));
    }
    if (!fill_many) continue;
    for (std::uint32_t o : one_at) {
      const std::uint32_t group = one_groups[o];
      if (matched[group]) continue;
      PROM_TRY(combine(k, kNone, o, group));
    }
  }
  table.MoveTo(&series_, &columns_, &rank);
  held_.Take(table.held());
  return {};
}

std::string VectorBinaryOperator::Explain() const {
  static constexpr const char* kCards[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
  return std::string(BinaryOpText(op_)) + (return_bool_ ? " bool" : "") + ", " + kCards[static_cast<int>(matching_.card)];
}

Result<void> SetOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(lhs_->Prepare(context));
  PROM_TRY(rhs_->Prepare(context));
  MatchGroups groups(matching_);
  PROM_ASSIGN(lhs_groups_, groups.Number(context, lhs_->series()));
  PROM_ASSIGN(const std::vector<std::uint32_t> rhs_groups, groups.Number(context, rhs_->series()));
  const std::size_t words = (grid_.steps + 63) / 64;
  PROM_TRY(held_.Add(context, groups.size() * words));
  present_.assign(groups.size(), std::vector<std::uint64_t>(words, 0));
  auto mark = [&](std::uint32_t group, const StepColumn& column) {
    const std::vector<std::uint64_t> any = column.AnyPresent();
    for (std::size_t w = 0; w < words; ++w) present_[group][w] |= any[w];
  };

  if (op_ != BinaryOp::kOr) {
    // What the right side has without a partner on the left is not read.
    std::vector<bool> wanted(groups.size(), false), matched;
    for (const std::uint32_t g : lhs_groups_) wanted[g] = true;
    std::vector<std::uint32_t> which;
    for (std::size_t i = 0; i < rhs_groups.size(); ++i) {
      matched.push_back(wanted[rhs_groups[i]]);
      if (matched.back()) which.push_back(static_cast<std::uint32_t>(i));
    }
    PROM_TRY(ReadOneOfEachName(context, *rhs_, matched));
    PROM_TRY(ReadInOrder(context, *rhs_, which, [&](std::size_t i, StepColumn* column) -> Result<void> {
      mark(rhs_groups[i], *column);
      return {};
    }));
    // What the right side takes away as a whole is not read.
    const std::uint64_t flip = op_ == BinaryOp::kUnless ? ~std::uint64_t{0} : 0;
    std::vector<std::uint64_t> all(words, ~std::uint64_t{0});
    if (grid_.steps % 64 != 0 && words > 0) all.back() = (std::uint64_t{1} << grid_.steps % 64) - 1;
    std::vector<bool> left(groups.size(), false), kept;
    for (std::size_t g = 0; g < left.size(); ++g) {
      for (std::size_t w = 0; w < words; ++w) left[g] = left[g] || ((present_[g][w] ^ flip) & all[w]) != 0;
    }
    for (std::size_t i = 0; i < lhs_groups_.size(); ++i) {
      kept.push_back(left[lhs_groups_[i]]);
      if (!kept.back()) continue;
      kept_.push_back(static_cast<std::uint32_t>(i));
      series_.push_back(lhs_->series()[i]);
    }
    return ReadOneOfEachName(context, *lhs_, kept);
  }

  // Left in full, and of the right what has no group on the left at that step. A series of the same labels on both
  // sides is one series of the result; its steps cannot overlap, because it is in one group.
  PROM_ASSIGN(std::vector<StepColumn> left, ReadAll(context, *lhs_, &held_));
  LabelNumbers by_labels;
  std::vector<std::size_t> place_of;  // in series_, by number
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].empty()) continue;
    if (by_labels.AddStable(lhs_->series()[i].labels.bytes()).fresh) place_of.push_back(series_.size());
    mark(lhs_groups_[i], left[i]);
    series_.push_back(lhs_->series()[i]);
    columns_.push_back(std::move(left[i]));
  }
  return ReadInOrder(context, *rhs_, [&](std::size_t i, StepColumn* column) -> Result<void> {
    const std::vector<std::uint64_t>& taken = present_[rhs_groups[i]];
    for (std::size_t w = 0; w < words; ++w) column->present[w] &= ~taken[w];
    std::erase_if(column->histograms, [&](const HistogramAt& at) { return (taken[at.step / 64] >> (at.step % 64) & 1) != 0; });
    if (column->empty()) return {};
    const SeriesMeta& meta = rhs_->series()[i];
    const auto [number, fresh] = by_labels.AddStable(meta.labels.bytes());
    if (fresh) {
      place_of.push_back(series_.size());
      PROM_TRY(held_.Add(context, column->HeldSize()));
      series_.push_back(meta);
      columns_.push_back(std::move(*column));
      return {};
    }
    StepColumn& into = columns_[place_of[number]];
    if (column->FirstStep() < into.FirstStep()) series_[place_of[number]].drop_name = meta.drop_name;
    ForEachBit(column->present, [&](std::size_t k) { into.Set(k, column->values[k]); });
    into.histograms.insert(into.histograms.end(), column->histograms.begin(), column->histograms.end());
    std::sort(into.histograms.begin(), into.histograms.end(), [](const HistogramAt& a, const HistogramAt& b) { return a.step < b.step; });
    return {};
  });
}

Result<void> SetOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  if (op_ == BinaryOp::kOr) {
    *out = columns_[i];
    return {};
  }
  PROM_TRY(lhs_->Read(context, kept_[i], worker, out));
  const std::vector<std::uint64_t>& right = present_[lhs_groups_[kept_[i]]];
  const std::uint64_t flip = op_ == BinaryOp::kUnless ? ~std::uint64_t{0} : 0;
  for (std::size_t w = 0; w < right.size(); ++w) out->present[w] &= right[w] ^ flip;
  std::erase_if(out->histograms, [&](const HistogramAt& at) { return ((right[at.step / 64] ^ flip) >> (at.step % 64) & 1) == 0; });
  return {};
}

}  // namespace prom::promql

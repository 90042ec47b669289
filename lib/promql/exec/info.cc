// info(): adds the data labels of info series (target_info, or those a selector
// names) to the series of its argument, matched by instance and job.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <re2/re2.h>

#include "base/number.h"
#include "promql/ast_walk.h"
#include "promql/plan.h"

namespace prom::promql {

namespace {

const std::vector<std::string> kIdentifying = {"instance", "job"};  // sorted

class InfoOperator : public MaterializedOperator {
 public:
  InfoOperator(OperatorPtr base, Matchers name_matchers, std::map<std::string, Matchers> data_matchers, TimeShift shift, std::int64_t lookback_ms)
      : MaterializedOperator(base->grid()),
        base_(std::move(base)),
        name_matchers_(std::move(name_matchers)),
        data_matchers_(std::move(data_matchers)),
        shift_(shift),
        lookback_ms_(lookback_ms) {}
  std::string Explain() const override { return "info"; }
  std::vector<const Operator*> Children() const override { return {base_.get()}; }

 protected:
  Result<void> Compute(QueryContext& context) override;

 private:
  struct InfoSeries {
    Labels labels;
    std::vector<std::int64_t> sample_t;  // time of the sample seen at each step
    std::vector<bool> present;
  };
  Result<std::vector<InfoSeries>> ReadInfoSeries(QueryContext& context, const std::vector<bool>& ignored);
  bool IsInfoSeries(const Labels& labels) const {
    return std::all_of(name_matchers_.begin(), name_matchers_.end(), [&](const Matcher& m) { return m.Matches(labels.metric_name()); });
  }

  OperatorPtr base_;
  Matchers name_matchers_;
  std::map<std::string, Matchers> data_matchers_;
  TimeShift shift_;
  std::int64_t lookback_ms_;
  HeldSamples input_held_;
};

Result<std::vector<InfoOperator::InfoSeries>> InfoOperator::ReadInfoSeries(QueryContext& context, const std::vector<bool>& ignored) {
  // Only info series whose identifying labels occur in the base are looked at.
  std::map<std::string, std::set<std::string>> values;
  for (std::size_t i = 0; i < base_->series().size(); ++i) {
    if (ignored[i]) continue;
    for (const std::string& name : kIdentifying) {
      if (const std::string_view value = base_->series()[i].labels.Get(name); !value.empty()) values[name].emplace(value);
    }
  }
  std::vector<InfoSeries> out;
  if (values.empty()) return out;
  Matchers matchers;
  for (const auto& [name, set] : values) {
    std::string regex;
    for (const std::string& value : set) {
      if (!regex.empty()) regex += '|';
      regex += re2::RE2::QuoteMeta(value);
    }
    PROM_ASSIGN(Matcher m, Matcher::Make(Matcher::Type::kRegex, name, regex));
    matchers.push_back(std::move(m));
  }
  for (const auto& [name, list] : data_matchers_) matchers.insert(matchers.end(), list.begin(), list.end());
  matchers.insert(matchers.end(), name_matchers_.begin(), name_matchers_.end());

  const std::int64_t first = shift_.At(grid_, 0), last = shift_.At(grid_, grid_.steps - 1);
  PROM_ASSIGN(const std::shared_ptr<const Selection> selection, context.Select(matchers, first - lookback_ms_ + 1, last));
  SeriesColumns columns;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    PROM_TRY(context.Check());
    if (auto read = selection->Read(i, first - lookback_ms_ + 1, last, &columns); !read) return read.error().Wrap("expanding series: ");
    if (!columns.histograms.empty()) {
      return Error{Errc::kInvalid, "this should be an info metric, with float samples: " + selection->labels(i).ToString()};
    }
    PROM_TRY(input_held_.Add(context, grid_.steps));
    InfoSeries series{selection->labels(i), std::vector<std::int64_t>(grid_.steps, 0), std::vector<bool>(grid_.steps, false)};
    std::size_t next = 0;
    bool any = false;
    for (std::size_t k = 0; k < grid_.steps; ++k) {
      const std::int64_t at = shift_.At(grid_, k);
      while (next < columns.t.size() && columns.t[next] <= at) ++next;
      if (next == 0 || columns.t[next - 1] <= at - lookback_ms_ || IsStaleNan(columns.v[next - 1])) continue;
      series.sample_t[k] = columns.t[next - 1];
      series.present[k] = any = true;
    }
    if (any) out.push_back(std::move(series));
  }
  return out;
}

Result<void> InfoOperator::Compute(QueryContext& context) {
  PROM_TRY(base_->Prepare(context));
  PROM_ASSIGN(const std::vector<StepColumn> base, ReadAll(context, *base_, &input_held_));
  std::vector<bool> ignored(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) ignored[i] = IsInfoSeries(base_->series()[i].labels);
  PROM_ASSIGN(const std::vector<InfoSeries> infos, ReadInfoSeries(context, ignored));

  // Info series by metric name and identifying labels.
  std::map<std::string, std::unordered_map<Labels, std::vector<std::size_t>>> by_name;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    by_name[std::string(infos[i].labels.metric_name())][KeepLabels(infos[i].labels, kIdentifying)].push_back(i);
  }
  bool needs_match = false;
  for (const auto& [name, list] : data_matchers_) {
    for (const Matcher& m : list) needs_match |= !m.MatchesEmpty();
  }

  OutputTable table(grid_.steps);
  std::unordered_map<std::string, std::size_t> output_of;  // base series and the info series it met -> output
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    PROM_TRY(context.Check());
    bool any_base = false;
    for (const StepColumn& column : base) any_base |= column.Has(k) || column.HistogramAtStep(k) != nullptr;
    if (!any_base) continue;
    // The newest info series of each name and identity at this step.
    std::map<std::string, std::unordered_map<Labels, std::size_t>> current;
    for (const auto& [name, identities] : by_name) {
      for (const auto& [identity, members] : identities) {
        std::size_t best = infos.size();
        for (std::size_t i : members) {
          if (!infos[i].present[k]) continue;
          if (best == infos.size() || infos[i].sample_t[k] > infos[best].sample_t[k]) {
            best = i;
          } else if (infos[i].sample_t[k] == infos[best].sample_t[k]) {
            return Error{Errc::kInvalid, "found duplicate series for info metric: existing " + infos[best].labels.ToString() + " @ " +
                                             std::to_string(infos[best].sample_t[k]) + ", new " + infos[i].labels.ToString() + " @ " +
                                             std::to_string(infos[i].sample_t[k])};
          }
        }
        if (best != infos.size()) current[name].emplace(identity, best);
      }
    }
    for (std::size_t b = 0; b < base.size(); ++b) {
      const HistogramPtr* h = base[b].HistogramAtStep(k);
      if (!base[b].Has(k) && h == nullptr) continue;
      const SeriesMeta& meta = base_->series()[b];
      std::string key = std::to_string(b);
      std::vector<std::size_t> met;
      if (!ignored[b]) {
        const Labels identity = KeepLabels(meta.labels, kIdentifying);
        for (const auto& [name, identities] : current) {
          if (auto it = identities.find(identity); it != identities.end()) {
            met.push_back(it->second);
            key += ' ' + std::to_string(it->second);
          }
        }
        if (met.empty() && needs_match) continue;
      }
      auto [it, fresh] = output_of.try_emplace(key, 0);
      if (fresh) {
        LabelsBuilder added;
        for (std::size_t i : met) {
          for (const Label label : infos[i].labels) {
            if (label.name == kMetricName) continue;
            if (!data_matchers_.empty() && !data_matchers_.contains(std::string(label.name))) continue;
            const std::string_view seen = added.Get(label.name);
            if (!seen.empty() && seen != label.value) return Error{Errc::kInvalid, "conflicting label: " + std::string(label.name)};
            if (meta.labels.Has(label.name)) continue;  // what the base has stays
            added.Set(label.name, label.value);
          }
        }
        LabelsBuilder builder(meta.labels);
        for (const auto& [name, value] : added.pairs()) builder.Set(name, value);
        it->second = table.Find(builder.Build(), meta.drop_name);
      }
      if (h != nullptr) {
        PROM_TRY(table.Add(context, it->second, k, *h));
      } else {
        PROM_TRY(table.Add(context, it->second, k, base[b].values[k]));
      }
    }
  }
  table.MoveTo(&series_, &columns_);
  held_.Take(table.held());
  return {};
}

// The first selector of the argument, and the subqueries around it, outermost first.
bool FirstSelector(const Expr& expr, std::vector<const SubqueryExpr*>* around, const VectorSelector** found) {
  if (expr.kind == NodeKind::kSelector) {
    *found = &As<VectorSelector>(expr);
    return true;
  }
  if (expr.kind == NodeKind::kSubquery) around->push_back(&As<SubqueryExpr>(expr));
  bool done = false;
  ForEachChild(expr, [&](const Expr& child) { done = done || FirstSelector(child, around, found); });
  if (!done && expr.kind == NodeKind::kSubquery) around->pop_back();
  return done;
}

}  // namespace

Result<OperatorPtr> Planner::BuildInfo(const CallExpr& call, OperatorPtr base, const Expr& arg) {
  Matchers names;
  std::map<std::string, Matchers> data;
  if (call.args.size() > 1) {
    for (const Matcher& m : As<VectorSelector>(Unwrap(*call.args[1])).matchers) {
      if (m.name() == kMetricName) {
        names.push_back(m);
      } else {
        data[m.name()].push_back(m);
      }
    }
  }
  const bool positive = std::any_of(names.begin(), names.end(), [](const Matcher& m) { return m.type() == Matcher::Type::kEqual || m.type() == Matcher::Type::kRegex; });
  if (names.empty()) {
    names.push_back(Matcher::Equal(kMetricName, "target_info"));
  } else if (!positive) {
    PROM_ASSIGN(Matcher any_info, Matcher::Make(Matcher::Type::kRegex, kMetricName, ".+_info"));
    names.insert(names.begin(), std::move(any_info));
  }

  // The info series are looked at when the base's selector is: at its @, shifted by the offsets up to that.
  TimeShift shift;
  std::vector<const SubqueryExpr*> around;
  const VectorSelector* selector = nullptr;
  if (FirstSelector(arg, &around, &selector)) {
    PROM_ASSIGN(shift, Shift(selector->time));
    for (std::size_t i = around.size(); i-- > 0 && !shift.fixed_ms;) {
      PROM_ASSIGN(const TimeShift outer, Shift(around[i]->time));
      shift.offset_ms += outer.offset_ms;
      shift.fixed_ms = outer.fixed_ms;
    }
  }
  return OperatorPtr(std::make_unique<InfoOperator>(std::move(base), std::move(names), std::move(data), shift, options_.lookback_ms));
}

}  // namespace prom::promql

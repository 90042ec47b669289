#include "promql/exec/label_function.h"

#include <algorithm>
#include <cctype>
#include <functional>
#include <numeric>
#include <optional>

#include <re2/re2.h>

#include "base/number.h"
#include "base/strings.h"
#include "promql/exec/kernels.h"

namespace prom::promql {

namespace {

const std::string& Text(const Expr& e) {
  const Expr* inner = &e;
  while (inner->kind == NodeKind::kParen) inner = As<ParenExpr>(*inner).expr.get();
  return As<StringLiteral>(*inner).value;
}

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// $1, ${1}, $name, ${name} and $$ as Go's Regexp.Expand takes them: the longest name
// counts, one that is no group is empty, a $ that starts none of these stays.
std::string Expand(std::string_view text, const re2::RE2& regex, const std::vector<re2::StringPiece>& groups) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      out += text[i];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    const bool brace = i + 1 < text.size() && text[i + 1] == '{';
    std::size_t from = i + 1 + (brace ? 1 : 0), to = from;
    while (to < text.size() && IsWord(text[to])) ++to;
    if (to == from || (brace && (to == text.size() || text[to] != '}'))) {
      out += '$';
      continue;
    }
    const std::string name(text.substr(from, to - from));
    std::size_t number = groups.size();
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      // A leading zero makes it a name, and no group has such a name.
      if (name.size() < 9 && (name == "0" || name[0] != '0')) number = std::stoul(name);
    } else if (auto it = regex.NamedCapturingGroups().find(name); it != regex.NamedCapturingGroups().end()) {
      number = static_cast<std::size_t>(it->second);
    }
    if (number < groups.size() && groups[number].data() != nullptr) out.append(groups[number].data(), groups[number].size());
    i = to - (brace ? 0 : 1);
  }
  return out;
}

}  // namespace

Result<void> LabelOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  return call_.function->name == "label_replace" ? Replace(context) : JoinLabels(context);
}

Result<void> LabelOperator::Replace(QueryContext& context) {
  const std::string &dst = Text(*call_.args[1]), &replacement = Text(*call_.args[2]), &src = Text(*call_.args[3]), &text = Text(*call_.args[4]);
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 regex("^(?s:" + text + ")$", options);
  if (!regex.ok()) return Error{Errc::kInvalid, "invalid regular expression in label_replace(): " + text};
  if (!IsValidLabelName(dst)) return Error{Errc::kInvalid, "invalid destination label name in label_replace(): " + dst};
  series_ = child_->series();
  const std::size_t count = static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1;
  std::vector<re2::StringPiece> groups(count);
  Pacer pacer(context);
  for (SeriesMeta& meta : series_) {
    const std::string value(meta.labels.Get(src));
    if (!pacer.Spend(1000 + 100 * value.size())) return pacer.status();
    if (!regex.Match(value, 0, value.size(), re2::RE2::UNANCHORED, groups.data(), static_cast<int>(count))) continue;
    LabelsBuilder builder(meta.labels);
    const std::string text_of_group = Expand(replacement, regex, groups);
    PROM_TRY(held_.AddMemory(context, text_of_group.size()));
    builder.Set(dst, text_of_group);
    meta.labels = builder.Build();
    if (dst == kMetricName) meta.drop_name = false;
  }
  return {};
}

Result<void> LabelOperator::JoinLabels(QueryContext& context) {
  const std::string &dst = Text(*call_.args[1]), &separator = Text(*call_.args[2]);
  std::vector<std::string> sources;
  for (std::size_t i = 3; i < call_.args.size(); ++i) {
    sources.push_back(Text(*call_.args[i]));
    if (!IsValidLabelName(sources.back())) return Error{Errc::kInvalid, "invalid source label name in label_join(): " + sources.back()};
  }
  if (!IsValidLabelName(dst)) return Error{Errc::kInvalid, "invalid destination label name in label_join(): " + dst};
  series_ = child_->series();
  Pacer pacer(context);
  for (SeriesMeta& meta : series_) {
    if (!pacer.Spend(500 + 100 * sources.size())) return pacer.status();
    std::string joined;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (i != 0) joined += separator;
      joined += meta.labels.Get(sources[i]);
    }
    PROM_TRY(held_.AddMemory(context, joined.size()));
    LabelsBuilder builder(meta.labels);
    builder.Set(dst, joined);
    meta.labels = builder.Build();
    if (dst == kMetricName) meta.drop_name = false;
  }
  return {};
}

bool NaturalLess(std::string_view a, std::string_view b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  auto chunk = [&](std::string_view* s) {
    std::size_t n = 1;
    while (n < s->size() && digit((*s)[n]) == digit((*s)[0])) ++n;
    const std::string_view out = s->substr(0, n);
    s->remove_prefix(n);
    return out;
  };
  while (!a.empty()) {
    if (b.empty()) return false;
    const std::string_view x = chunk(&a), y = chunk(&b);
    const std::optional<std::int64_t> xi = digit(x[0]) ? ParseInt64(x) : std::nullopt, yi = digit(y[0]) ? ParseInt64(y) : std::nullopt;
    const bool equal = xi && yi ? *xi == *yi : x == y;
    if (!equal) return xi && yi ? *xi < *yi : x < y;
    if (a.empty()) return true;
    if (b.empty()) return false;
  }
  return false;
}

Result<void> SortOperator::Compute(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  if (grid_.steps > 1) {
    context.annotations().Warn("sort is ineffective for range queries since results are always ordered by labels", call_.pos);
  }
  const bool by_label = call_.function->name.starts_with("sort_by_label");
  const bool descending = call_.function->name.ends_with("_desc");
  PROM_ASSIGN(std::vector<StepColumn> input, ReadAll(context, *child_, &held_));
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (!by_label) input[i].histograms.clear();  // only floats have an order
    if (!input[i].empty()) order.push_back(i);
  }
  const std::vector<SeriesMeta>& series = child_->series();
  if (by_label) {
    std::vector<std::string> names;
    for (std::size_t i = 1; i < call_.args.size(); ++i) names.push_back(Text(*call_.args[i]));
    auto less = [&](std::size_t x, std::size_t y) {
      for (const std::string& name : names) {
        const std::string_view a = series[x].labels.Get(name), b = series[y].labels.Get(name);
        if (a != b) return NaturalLess(a, b);
      }
      return series[x].labels < series[y].labels;
    };
    PacedLess paced(context, [&](std::size_t x, std::size_t y) { return descending ? less(y, x) : less(x, y); });
    std::stable_sort(order.begin(), order.end(), std::ref(paced));
    PROM_TRY(paced.status());
  } else if (grid_.steps == 1) {
    PacedLess paced(context, [&](std::size_t x, std::size_t y) {
      const double a = input[x].values[0], b = input[y].values[0];
      if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);  // NaN last either way
      return descending ? a > b : a < b;
    });
    std::stable_sort(order.begin(), order.end(), std::ref(paced));
    PROM_TRY(paced.status());
  }
  for (std::size_t i : order) {
    series_.push_back(series[i]);
    columns_.push_back(std::move(input[i]));
  }
  return {};
}

}  // namespace prom::promql

#include "promql/exec/map_function.h"

#include <cmath>
#include <numbers>

#include "promql/exec/binary_value.h"
#include "promql/exec/kernels.h"
#include "promql/histogram_math.h"

namespace prom::promql {

namespace {

// Days since 1970-01-01 and the civil date; the proleptic Gregorian calendar in
// UTC, for any int64 of seconds (Hinnant's algorithm).
struct Civil {
  std::int64_t year;
  int month, day, weekday, year_day, second_of_day;
};

std::int64_t DaysFromCivil(std::int64_t y, int m, int d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

Civil ToCivil(double v) {
  // Out of range and NaN convert as on amd64, where upstream's tests run.
  const std::int64_t seconds = v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? static_cast<std::int64_t>(v) : std::numeric_limits<std::int64_t>::min();
  std::int64_t days = seconds / 86400;
  std::int64_t rest = seconds % 86400;
  // Upstream counts from the year -292277022399 in 64 bits without a sign; what lies before wraps around to the far end.
  constexpr std::int64_t kEarliest = -9223372028741760000;
  if (seconds < kEarliest) {
    constexpr std::int64_t kWrapDays = 213503982334601, kWrapSeconds = 25216;  // 2^64 seconds
    days += kWrapDays;
    rest += kWrapSeconds;
  }
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  Civil c{};
  c.second_of_day = static_cast<int>(rest);
  c.weekday = static_cast<int>(((days % 7) + 11) % 7);  // 1970-01-01 was a Thursday
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int mp = static_cast<int>((5 * doy + 2) / 153);
  c.day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  c.month = mp < 10 ? mp + 3 : mp - 9;
  c.year = yoe + era * 400 + (c.month <= 2);
  c.year_day = static_cast<int>(days - DaysFromCivil(c.year, 1, 1) + 1);
  return c;
}

double DaysInMonth(double v) {
  const Civil c = ToCivil(v);
  const bool december = c.month == 12;
  return static_cast<double>(DaysFromCivil(c.year + december, december ? 1 : c.month + 1, 1) - DaysFromCivil(c.year, c.month, 1));
}

struct FloatRow {
  std::string_view name;
  FloatFunction function;
  bool date = false;
};
const FloatRow kFloatFunctions[] = {
    {"abs", [](double v) { return std::fabs(v); }},
    {"ceil", [](double v) { return std::ceil(v); }},
    {"floor", [](double v) { return std::floor(v); }},
    {"exp", [](double v) { return std::exp(v); }},
    {"sqrt", [](double v) { return std::sqrt(v); }},
    {"ln", [](double v) { return std::log(v); }},
    {"log2", [](double v) { return std::log2(v); }},
    {"log10", [](double v) { return std::log10(v); }},
    {"sin", [](double v) { return std::sin(v); }},
    {"cos", [](double v) { return std::cos(v); }},
    {"tan", [](double v) { return std::tan(v); }},
    {"asin", [](double v) { return std::asin(v); }},
    {"acos", [](double v) { return std::acos(v); }},
    {"atan", [](double v) { return std::atan(v); }},
    {"sinh", [](double v) { return std::sinh(v); }},
    {"cosh", [](double v) { return std::cosh(v); }},
    {"tanh", [](double v) { return std::tanh(v); }},
    {"asinh", [](double v) { return std::asinh(v); }},
    {"acosh", [](double v) { return std::acosh(v); }},
    {"atanh", [](double v) { return std::atanh(v); }},
    {"rad", [](double v) { return v * std::numbers::pi / 180; }},
    {"deg", [](double v) { return v * 180 / std::numbers::pi; }},
    {"sgn", [](double v) { return v < 0 ? -1.0 : v > 0 ? 1.0 : v; }},
    {"minute", [](double v) { return static_cast<double>(ToCivil(v).second_of_day / 60 % 60); }, true},
    {"hour", [](double v) { return static_cast<double>(ToCivil(v).second_of_day / 3600); }, true},
    {"day_of_week", [](double v) { return static_cast<double>(ToCivil(v).weekday); }, true},
    {"day_of_month", [](double v) { return static_cast<double>(ToCivil(v).day); }, true},
    {"day_of_year", [](double v) { return static_cast<double>(ToCivil(v).year_day); }, true},
    {"days_in_month", DaysInMonth, true},
    {"month", [](double v) { return static_cast<double>(ToCivil(v).month); }, true},
    {"year", [](double v) { return static_cast<double>(ToCivil(v).year); }, true},
};

const FloatRow* FindRow(std::string_view name) {
  for (const FloatRow& row : kFloatFunctions) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace

FloatFunction FindFloatFunction(std::string_view name) {
  const FloatRow* row = FindRow(name);
  return row == nullptr ? nullptr : row->function;
}

bool IsDateFunction(std::string_view name) {
  const FloatRow* row = FindRow(name);
  return row != nullptr && row->date;
}

double ScalarBinary(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd: return a + b;
    case BinaryOp::kSub: return a - b;
    case BinaryOp::kMul: return a * b;
    case BinaryOp::kDiv: return a / b;
    case BinaryOp::kMod: return std::fmod(a, b);
    case BinaryOp::kPow: return std::pow(a, b);
    case BinaryOp::kAtan2: return std::atan2(a, b);
    case BinaryOp::kEq: return a == b;
    case BinaryOp::kNe: return a != b;
    case BinaryOp::kLt: return a < b;
    case BinaryOp::kLe: return a <= b;
    case BinaryOp::kGt: return a > b;
    case BinaryOp::kGe: return a >= b;
    default: return std::numeric_limits<double>::quiet_NaN();  // the parser refuses the others between scalars
  }
}

Result<void> MapOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(child_->Prepare(context));
  series_ = child_->series();
  return drop_name_ ? DropNames(context, &series_) : Result<void>();
}

Result<void> FloatFunctionOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  out->histograms.clear();
  ForEachBit(out->present, [&](std::size_t k) { out->values[k] = function_(out->values[k]); });
  return {};
}

Result<void> ClampOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(MapOperator::DoPrepare(context));
  for (OperatorPtr& scalar : scalars_) {
    PROM_TRY(scalar->Prepare(context));
    PROM_TRY(scalar->Read(context, 0, 0, &columns_.emplace_back()));
  }
  return {};
}

Result<void> ClampOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  out->histograms.clear();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < grid_.steps; ++k) {
    if (!out->Has(k)) continue;
    double& v = out->values[k];
    double low = -kInfinity, high = kInfinity;
    switch (kind_) {
      case Kind::kClamp:
        low = columns_[0].values[k];
        high = columns_[1].values[k];
        break;
      case Kind::kClampMin: low = columns_[0].values[k]; break;
      case Kind::kClampMax: high = columns_[0].values[k]; break;
      case Kind::kRound: {
        // The inverse first: 1/0.1 is exact where 0.1 is not.
        const double inverse = 1.0 / (columns_.empty() ? 1.0 : columns_[0].values[k]);
        v = std::floor(v * inverse + 0.5) / inverse;
        continue;
      }
    }
    if (high < low) {
      out->Unset(k);
    } else {
      v = MaxOf(low, MinOf(high, v));
    }
  }
  return {};
}

std::string ClampOperator::Explain() const {
  static constexpr const char* kNames[] = {"clamp", "clamp_min", "clamp_max", "round"};
  return kNames[static_cast<int>(kind_)];
}

std::vector<const Operator*> ClampOperator::Children() const {
  std::vector<const Operator*> out = {child_.get()};
  for (const OperatorPtr& scalar : scalars_) out.push_back(scalar.get());
  return out;
}

VectorScalarOperator::VectorScalarOperator(const BinaryExpr& expr, OperatorPtr vector, OperatorPtr scalar, bool swapped)
    : MapOperator(std::move(vector), ChangesMetric(expr.op) || expr.return_bool),
      op_(expr.op),
      return_bool_(expr.return_bool),
      swapped_(swapped),
      pos_(expr.pos),
      scalar_(std::move(scalar)) {}

Result<void> VectorScalarOperator::DoPrepare(QueryContext& context) {
  PROM_TRY(MapOperator::DoPrepare(context));
  PROM_TRY(scalar_->Prepare(context));
  return scalar_->Read(context, 0, 0, &scalar_column_);
}

namespace {

template <typename Fn>
void Combine(StepColumn* out, const StepColumn& scalar, bool swapped, Fn&& fn) {
  double* v = out->values.data();
  const double* s = scalar.values.data();
  if (swapped) {
    ForEachBit(out->present, [&](std::size_t k) { v[k] = fn(s[k], v[k]); });
  } else {
    ForEachBit(out->present, [&](std::size_t k) { v[k] = fn(v[k], s[k]); });
  }
}

}  // namespace

Result<void> VectorScalarOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  std::vector<HistogramAt> histograms = std::move(out->histograms);
  out->histograms.clear();
  if (IsComparison(op_)) {
    for (std::size_t w = 0; w < out->present.size(); ++w) {
      for (std::uint64_t bits = out->present[w]; bits != 0; bits &= bits - 1) {
        const std::size_t k = w * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        const double v = out->values[k], s = scalar_column_.values[k];
        const bool keep = ScalarBinary(op_, swapped_ ? s : v, swapped_ ? v : s) != 0;
        if (return_bool_) {
          out->values[k] = keep;
        } else if (!keep) {
          out->Unset(k);
        }
      }
    }
  } else {
    switch (op_) {
      case BinaryOp::kAdd: Combine(out, scalar_column_, swapped_, [](double a, double b) { return a + b; }); break;
      case BinaryOp::kSub: Combine(out, scalar_column_, swapped_, [](double a, double b) { return a - b; }); break;
      case BinaryOp::kMul: Combine(out, scalar_column_, swapped_, [](double a, double b) { return a * b; }); break;
      case BinaryOp::kDiv: Combine(out, scalar_column_, swapped_, [](double a, double b) { return a / b; }); break;
      case BinaryOp::kTrimUpper:
      case BinaryOp::kTrimLower:
        if (out->HasFloats()) {
          Annotate(context, BinaryValue(op_, 0, 0, nullptr, nullptr, pos_), pos_, op_);
          out->present.assign(out->present.size(), 0);
        }
        break;
      default: {
        const BinaryOp op = op_;
        Combine(out, scalar_column_, swapped_, [op](double a, double b) { return ScalarBinary(op, a, b); });
      }
    }
  }
  for (HistogramAt& at : histograms) {
    const double s = scalar_column_.values[at.step];
    BinaryOutcome r = swapped_ ? BinaryValue(op_, s, 0, nullptr, at.h, pos_) : BinaryValue(op_, 0, s, at.h, nullptr, pos_);
    Annotate(context, r, pos_, op_);
    if (r.failed) continue;
    if (return_bool_) {
      out->Set(at.step, r.keep);
    } else if (r.keep) {
      if (r.histogram) {
        out->histograms.push_back({at.step, std::move(r.histogram)});
      } else {
        out->Set(at.step, r.value);
      }
    }
  }
  return {};
}

std::string VectorScalarOperator::Explain() const {
  return std::string(swapped_ ? "scalar " : "vector ") + std::string(BinaryOpText(op_)) + (return_bool_ ? " bool" : "") + (swapped_ ? " vector" : " scalar");
}

Result<void> NegateOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  for (double& v : out->values) v = -v;
  for (HistogramAt& at : out->histograms) at.h = MultiplyHistogram(*at.h, -1);
  return {};
}

Result<void> EvaluationTimeOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  out->present = out->AnyPresent();
  out->histograms.clear();
  for (std::size_t k = 0; k < grid_.steps; ++k) out->values[k] = static_cast<double>(grid_.At(k)) / 1000;
  return {};
}

HistogramFunction FindHistogramFunction(std::string_view name) {
  if (name == "histogram_count") return [](const Histogram& h) { return h.count; };
  if (name == "histogram_sum") return [](const Histogram& h) { return h.sum; };
  if (name == "histogram_avg") return [](const Histogram& h) { return h.sum / h.count; };
  if (name == "histogram_stdvar") return [](const Histogram& h) { return HistogramVariance(h); };
  if (name == "histogram_stddev") return [](const Histogram& h) { return std::sqrt(HistogramVariance(h)); };
  return nullptr;
}

Result<void> HistogramFunctionOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  PROM_TRY(child_->Read(context, i, worker, out));
  const std::vector<HistogramAt> histograms = std::move(out->histograms);
  out->Reset(grid_.steps);
  for (const HistogramAt& at : histograms) out->Set(at.step, function_(*at.h));
  return {};
}

}  // namespace prom::promql

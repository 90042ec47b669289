#include "promql/exec/binary_value.h"

#include "promql/exec/map_function.h"
#include "promql/histogram_math.h"

namespace prom::promql {

BinaryOutcome BinaryValue(BinaryOp op, double lf, double rf, const HistogramPtr& lh, const HistogramPtr& rh, PosRange) {
  BinaryOutcome out;
  auto incompatible = [&]() -> BinaryOutcome& {
    out.failed = true;
    out.note = BinaryOutcome::Note::kIncompatibleTypes;
    out.left_type = lh ? "histogram" : "float";
    out.right_type = rh ? "histogram" : "float";
    return out;
  };
  if (!lh && !rh) {
    if (IsComparison(op)) {
      out.value = lf;
      out.keep = ScalarBinary(op, lf, rf) != 0;
      return out;
    }
    if (op > BinaryOp::kAtan2) return incompatible();  // trim
    out.value = ScalarBinary(op, lf, rf);
    out.keep = true;
    return out;
  }
  out.keep = true;
  if (!lh) {
    if (op != BinaryOp::kMul) return incompatible();
    out.histogram = CompactHistogram(MultiplyHistogram(*rh, lf));
    return out;
  }
  if (!rh) {
    switch (op) {
      case BinaryOp::kMul: out.histogram = CompactHistogram(MultiplyHistogram(*lh, rf)); return out;
      case BinaryOp::kDiv: out.histogram = CompactHistogram(DivideHistogram(*lh, rf)); return out;
      case BinaryOp::kTrimUpper: out.histogram = TrimHistogram(*lh, rf, true); return out;
      case BinaryOp::kTrimLower: out.histogram = TrimHistogram(*lh, rf, false); return out;
      default: return incompatible();
    }
  }
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kSub: {
      Histogram sum = *lh;
      const HistogramNotes notes = op == BinaryOp::kAdd ? AddHistogram(&sum, *rh) : SubtractHistogram(&sum, *rh);
      if (notes.incompatible) {
        out.failed = true;
        out.note = BinaryOutcome::Note::kIncompatibleBuckets;
        return out;
      }
      if (op == BinaryOp::kSub) sum.reset_hint = Histogram::ResetHint::kGauge;
      if (notes.reset_collision) {
        // Upstream leaves the element out together with the warning.
        out.failed = true;
        out.note = BinaryOutcome::Note::kResetCollision;
      } else if (notes.bounds_reconciled) {
        out.note = BinaryOutcome::Note::kBoundsReconciled;
      }
      out.histogram = CompactHistogram(std::make_shared<Histogram>(std::move(sum)));
      return out;
    }
    case BinaryOp::kEq:
      out.histogram = lh;
      out.keep = EqualHistograms(*lh, *rh);
      return out;
    case BinaryOp::kNe:
      out.histogram = lh;
      out.keep = !EqualHistograms(*lh, *rh);
      return out;
    default: return incompatible();
  }
}

void Annotate(QueryContext& context, const BinaryOutcome& outcome, PosRange pos, BinaryOp op) {
  const char* verb = op == BinaryOp::kAdd ? "addition" : "subtraction";
  switch (outcome.note) {
    case BinaryOutcome::Note::kNone: return;
    case BinaryOutcome::Note::kIncompatibleTypes: {
      const std::string text(BinaryOpText(op));
      context.annotations().Info("incompatible sample types encountered for binary operator \"" + text + "\": " + outcome.left_type + " " + text + " " +
                                     outcome.right_type, pos);
      return;
    }
    case BinaryOutcome::Note::kResetCollision:
      context.annotations().Warn(std::string("conflicting counter resets during histogram ") + verb, pos);
      return;
    case BinaryOutcome::Note::kBoundsReconciled:
      context.annotations().Info(std::string("mismatched custom buckets were reconciled during ") + verb, pos);
      return;
    case BinaryOutcome::Note::kIncompatibleBuckets:
      context.annotations().Warn("incompatible bucket layout encountered for binary operator " + std::string(BinaryOpText(op)), pos);
      return;
  }
}

}  // namespace prom::promql

// One element of a binary operation: two samples, each a float or a histogram.
#pragma once

#include "promql/ast.h"
#include "promql/exec/operator.h"

namespace prom::promql {

struct BinaryOutcome {
  double value = 0;
  HistogramPtr histogram;
  bool keep = false;    // of a comparison: it holds; always set for arithmetic
  bool failed = false;  // no result; a note says why
  enum class Note { kNone, kIncompatibleTypes, kResetCollision, kBoundsReconciled, kIncompatibleBuckets };
  Note note = Note::kNone;
  const char* left_type = "";  // "float" or "histogram", for the note
  const char* right_type = "";
};

// A null histogram means the float counts.
BinaryOutcome BinaryValue(BinaryOp op, double lf, double rf, const HistogramPtr& lh, const HistogramPtr& rh, PosRange pos);

// Adds the note of an outcome to the query's annotations.
void Annotate(QueryContext& context, const BinaryOutcome& outcome, PosRange pos, BinaryOp op);

// Arithmetic gives another metric: the name goes.
inline bool ChangesMetric(BinaryOp op) { return op <= BinaryOp::kAtan2; }

}  // namespace prom::promql

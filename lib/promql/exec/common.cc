#include "promql/exec/common.h"

namespace prom::promql {

Result<void> CommonOperator::DoPrepare(QueryContext& context) {
  Shared& s = *shared_;
  if (!s.prepared) {
    PROM_TRY(s.op->Prepare(context));
    s.prepared = true;
    if (!s.op->InMemory()) {
      auto columns = ReadAll(context, *s.op, &s.held);
      if (columns) {
        s.columns = std::move(*columns);
      } else if (columns.error().code != Errc::kLimit) {
        return columns.error();
      } else {
        s.held.Clear();
      }
    }
  }
  series_ = s.op->series();
  return {};
}

Result<void> CommonOperator::Read(QueryContext& context, std::size_t i, std::size_t worker, StepColumn* out) {
  if (!shared_->columns) return shared_->op->Read(context, i, worker, out);
  *out = (*shared_->columns)[i];
  return {};
}

}  // namespace prom::promql

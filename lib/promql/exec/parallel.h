// Reading the series of an operator on several threads.
//
// Whatever the number of threads, what comes out is the same bit for bit: series
// are decoded and computed side by side, but handed on one at a time and in
// order, so a sum adds them as a single thread would. Memory: a few columns a
// thread. Threads are started only when a reading has gone on for a while.
#pragma once

#include <functional>
#include <span>

#include "promql/exec/operator.h"

namespace prom::promql {

// Calls consume(i, column) for every series of `op`, ascending, one call at a time but from
// changing threads; it may move the column away. The error is that of the first series that fails.
// Not from within a Read: one level of threads a query.
using ConsumeColumn = std::function<Result<void>(std::size_t i, StepColumn* column)>;
Result<void> ReadInOrder(QueryContext& context, Operator& op, const ConsumeColumn& consume);
// The same for some of its series: their numbers, ascending.
Result<void> ReadInOrder(QueryContext& context, Operator& op, std::span<const std::uint32_t> which, const ConsumeColumn& consume);

}  // namespace prom::promql

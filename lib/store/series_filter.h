// KeepSeries: some series of a Queryable.
#pragma once

#include <functional>
#include <memory>

#include "model/queryable.h"

namespace prom::store {

// `source` without the series that `keep` says no to. `keep` is called from the threads that select.
std::shared_ptr<const Queryable> KeepSeries(std::shared_ptr<const Queryable> source, std::function<bool(const Labels&)> keep);

}  // namespace prom::store

// Opens a data directory for queries, with errors that say what to do next.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/queryable.h"

namespace prom::api {

// A data directory of ours, or Prometheus's own (a whole one or a block), which is only
// read. kNotFound: there is none at `dir`; other errors as those of store::DataDir::Open
// and tsdb::TsdbDir::Open.
Result<std::shared_ptr<QueryableSource>> OpenDataDir(const std::string& dir);

// Whether `dir` is Prometheus's own.
bool IsPrometheusDir(const std::string& dir);

}  // namespace prom::api

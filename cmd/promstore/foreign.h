// -d DIR where DIR is Prometheus's own data directory: what promstore does with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "store/report.h"
#include "tsdb/tsdb_dir.h"

// DIR is Prometheus's (and not ours).
bool IsForeign(const std::string& dir);
prom::Result<std::shared_ptr<const prom::tsdb::TsdbDir::Parts>> OpenForeign(const std::string& dir);
// Blocks by time, then the head; counting the samples of the head reads them.
std::vector<prom::store::PartReport> ListForeign(const prom::tsdb::TsdbDir::Parts& parts);
prom::Result<std::string> ForeignInfo(const std::string& dir, bool json);

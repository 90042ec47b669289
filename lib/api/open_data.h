// Opens a data directory for queries, with errors that say what to do next.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "store/data_dir.h"

namespace prom::api {

// kNotFound: there is none at `dir`; other errors as store::DataDir::Open.
Result<std::shared_ptr<store::DataDir>> OpenDataDir(const std::string& dir);

}  // namespace prom::api

// One /metrics page for all programs of a data directory: the *.prom files of the
// run directory merged family by family, so that a job "prometheus" scrapes one
// server with upstream's names.
//
// What every program has of its own (process_*) is added up: memory, CPU and file
// descriptors of the whole; process_start_time_seconds is the latest start, so
// that a restart of any part shows; process_max_fds the smallest limit. For any
// other series that two programs have, the first in order of name wins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace prom::api {

std::string MergeMetricPages(const std::vector<std::string>& pages);

}  // namespace prom::api

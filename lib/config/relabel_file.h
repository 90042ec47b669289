// A file of relabel rules, as promstore relabel takes it: the list that prometheus.yml
// has in a scrape job, alone and as strict:
//
//   relabel_configs:
//     - source_labels: [instance]
//       regex: '(.*):9100'
//       target_label: instance
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "relabel/relabel.h"

namespace prom::config {

// kInvalid with file:line:column, also for a file without rules; kIo, kNotFound: the file cannot be read.
Result<relabel::Rules> LoadRelabelFile(const std::string& path);
Result<relabel::Rules> ParseRelabelFile(std::string_view text, const std::string& name);

}  // namespace prom::config

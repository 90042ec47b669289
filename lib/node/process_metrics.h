// process_*: what promnode itself uses, under the names of Prometheus's client
// libraries. base/metrics.h has some of these; here all come from one read of
// /proc/self/stat through a kept descriptor, because this page has a budget.
// Not thread-safe.
#pragma once

#include "node/page.h"
#include "node/proc_file.h"

namespace prom::node {

class ProcessMetrics {
 public:
  ProcessMetrics();
  // Adds what can be read; a missing /proc adds little.
  void Write(ReadBuffer* buffer, Page* page);

 private:
  ProcFile stat_;
  double start_time_s_ = 0;
};

}  // namespace prom::node

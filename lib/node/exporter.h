// NodeExporter: runs the collectors and prints the page.
//
// Thread-safe: scrapes may overlap. Collectors that only read the kernel's files
// run one scrape at a time; those that may wait for a device run outside that
// lock, so one scrape's dead mount keeps no other waiting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "node/collector.h"
#include "node/parse_stat.h"
#include "node/process_metrics.h"

namespace prom::node {

class NodeExporter {
 public:
  // Which of the enabled collectors a scrape runs, by index.
  using Selection = std::vector<bool>;

  // kInvalid: an option is wrong; the flag is named.
  static Result<std::unique_ptr<NodeExporter>> Make(const NodeOptions& options);
  ~NodeExporter();

  // Names of enabled collectors, sorted.
  const std::vector<std::string>& enabled() const { return names_; }

  // collect[] and exclude[] of a request, both may be empty. kInvalid with
  // upstream's text: an unknown or disabled collector, or both given.
  Result<Selection> Select(const std::vector<std::string>& collect, const std::vector<std::string>& exclude) const;
  Selection SelectAll() const { return Selection(names_.size(), true); }

  // Appends the page to *out by `deadline_ns` (monotonic; a few ms over when a
  // device is dead). `extra`: families to print with it, may be null. Returns the
  // number of collectors that failed; those without data are not counted.
  int Collect(const Selection& selection, std::int64_t deadline_ns, const Page* extra, std::string* out);

 private:
  struct Entry;
  explicit NodeExporter(const NodeOptions& options);
  void WriteOutcomes(const Selection& selection, const std::vector<double>& seconds, const std::vector<bool>& good, Page* page) const;

  const NodeOptions options_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Entry>> entries_;  // parallel to names_

  Mutex mutex_;
  ReadBuffer buffer_ GUARDED_BY(mutex_);
  StatSource stat_ GUARDED_BY(mutex_);
  ProcessMetrics process_ GUARDED_BY(mutex_);
};

}  // namespace prom::node

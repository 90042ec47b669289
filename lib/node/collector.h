// Collector: one subsystem of the kernel as metric families.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/options.h"
#include "node/page.h"
#include "node/proc_file.h"

namespace prom::node {

class StatSource;

// What one scrape lends to its collectors.
struct Scrape {
  ReadBuffer* buffer;
  StatSource* stat;            // /proc/stat, parsed once for all
  std::int64_t deadline_ns;    // monotonic; a collector that may block returns by then
};

class Collector {
 public:
  virtual ~Collector() = default;
  // Adds families to *page; those added before an error stay on the page.
  // kNotFound and kUnsupported mean "no data here": the kernel lacks the feature.
  virtual Result<void> Update(Scrape& scrape, Page* page) = 0;
  // True: Update may wait for a device. Such a collector is thread-safe and runs
  // outside the exporter's lock, with a ReadBuffer of its own in `scrape`.
  virtual bool MayBlock() const { return false; }
};

// The names of the collectors promnode has, sorted; all are on by default.
const std::vector<std::string_view>& CollectorNames();
// Collectors of node_exporter 1.12 that promnode does not have, sorted.
const std::vector<std::string_view>& UnavailableCollectorNames();

// kInvalid: a bad regular expression or two flags that exclude each other.
Result<std::unique_ptr<Collector>> MakeCollector(std::string_view name, const NodeOptions& options);

// One maker for each; MakeCollector calls them.
Result<std::unique_ptr<Collector>> MakeCpuCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeDiskstatsCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeFilefdCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeFilesystemCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeLoadavgCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeMeminfoCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeNetdevCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakePressureCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeStatCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeTimeCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeUnameCollector(const NodeOptions& options);
Result<std::unique_ptr<Collector>> MakeVmstatCollector(const NodeOptions& options);

}  // namespace prom::node

#include "node/exporter.h"

#include <algorithm>
#include <sys/utsname.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"

namespace prom::node {
namespace {

enum class Outcome { kGood, kNoData, kFailed };

// The machine under Go's name for it.
std::string_view GoArchitecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "arm";
#elif defined(__i386__)
  return "386";
#elif defined(__riscv)
  return "riscv64";
#elif defined(__powerpc64__)
  return "ppc64le";
#elif defined(__s390x__)
  return "s390x";
#else
  return "unknown";
#endif
}

void WriteBuildInfo(Page* page) {
  page->Family("node_exporter_build_info",
               "A metric with a constant '1' value labeled by version, revision, branch, goversion from which node_exporter was built, and "
               "the goos and goarch for the build.",
               kGauge);
  page->Sample({{"branch", ""}, {"goarch", GoArchitecture()}, {"goos", "linux"}, {"goversion", ""}, {"revision", ""}, {"tags", ""},
                {"version", kPromkitVersion}},
               1);
}

}  // namespace

struct NodeExporter::Entry {
  std::unique_ptr<Collector> collector;
  std::string name;
  Mutex mutex;
  // The message logged last: a collector that fails the same way every 15 s is logged once.
  std::string logged GUARDED_BY(mutex);

  Outcome Judge(const Result<void>& done) {
    MutexLock lock(mutex);
    if (done) {
      if (!logged.empty()) LogInfo("collector", "collector works again", {{"name", name}});
      logged.clear();
      return Outcome::kGood;
    }
    const Error& e = done.error();
    const bool no_data = e.code == Errc::kNotFound || e.code == Errc::kUnsupported;
    if (no_data) {
      LogDebug("collector", "collector returned no data", {{"name", name}, {"err", e.message}});
    } else if (e.message != logged) {
      LogError("collector", "collector failed", {{"name", name}, {"err", e.message}});
      logged = e.message;
    }
    return no_data ? Outcome::kNoData : Outcome::kFailed;
  }
};

NodeExporter::NodeExporter(const NodeOptions& options) : options_(options), stat_(JoinPath(options.procfs, "stat")) {}
NodeExporter::~NodeExporter() = default;

Result<std::unique_ptr<NodeExporter>> NodeExporter::Make(const NodeOptions& options) {
  std::unique_ptr<NodeExporter> e(new NodeExporter(options));
  e->names_ = options.enabled;
  std::sort(e->names_.begin(), e->names_.end());
  e->names_.erase(std::unique(e->names_.begin(), e->names_.end()), e->names_.end());
  for (const std::string& name : e->names_) {
    auto entry = std::make_unique<Entry>();
    entry->name = name;
    PROM_ASSIGN(entry->collector, MakeCollector(name, options));
    e->entries_.push_back(std::move(entry));
  }
  return e;
}

Result<NodeExporter::Selection> NodeExporter::Select(const std::vector<std::string>& collect, const std::vector<std::string>& exclude) const {
  if (!collect.empty() && !exclude.empty()) return Error{Errc::kInvalid, "Combined collect and exclude queries are not allowed."};
  // Nothing selected stays nothing: upstream takes "all excluded" for "no filter".
  Selection selection(names_.size(), collect.empty());
  for (const std::string& name : collect) {
    const auto at = std::lower_bound(names_.begin(), names_.end(), name);
    if (at != names_.end() && *at == name) {
      selection[static_cast<std::size_t>(at - names_.begin())] = true;
      continue;
    }
    const auto knows = [&name](const auto& all) { return std::find(all.begin(), all.end(), name) != all.end(); };
    const bool known = knows(CollectorNames()) || knows(UnavailableCollectorNames());
    return Error{Errc::kInvalid, std::string("Couldn't create filtered metrics handler: couldn't create collector: ") +
                                     (known ? "disabled" : "missing") + " collector: " + name};
  }
  for (const std::string& name : exclude) {
    const auto at = std::lower_bound(names_.begin(), names_.end(), name);
    if (at != names_.end() && *at == name) selection[static_cast<std::size_t>(at - names_.begin())] = false;
  }
  return selection;
}

void NodeExporter::WriteOutcomes(const Selection& selection, const std::vector<double>& seconds, const std::vector<bool>& good, Page* page) const {
  struct Row {
    std::string_view name;
    double seconds, success;
  };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (selection[i]) rows.push_back({names_[i], seconds[i], good[i] ? 1.0 : 0.0});
  const bool all = std::find(selection.begin(), selection.end(), false) == selection.end();
  if (all)
    for (const std::string& name : options_.unavailable) rows.push_back({name, 0, 0});
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  page->Family("node_scrape_collector_duration_seconds", "node_exporter: Duration of a collector scrape.", kGauge);
  for (const Row& r : rows) page->Sample({{"collector", r.name}}, r.seconds);
  page->Family("node_scrape_collector_success", "node_exporter: Whether a collector succeeded.", kGauge);
  for (const Row& r : rows) page->Sample({{"collector", r.name}}, r.success);
}

int NodeExporter::Collect(const Selection& selection, std::int64_t deadline_ns, const Page* extra, std::string* out) {
  Page page;
  page.Reserve(48u << 10);
  int failed = 0;
  std::vector<double> seconds(names_.size());
  std::vector<bool> good(names_.size());
  const auto run = [&](std::size_t i, Scrape& scrape) {
    const std::int64_t begin = SystemClock().MonotonicNs();
    const Outcome outcome = entries_[i]->Judge(entries_[i]->collector->Update(scrape, &page));
    seconds[i] = static_cast<double>(SystemClock().MonotonicNs() - begin) / 1e9;
    good[i] = outcome == Outcome::kGood;
    failed += outcome == Outcome::kFailed;
  };
  {
    MutexLock lock(mutex_);
    stat_.NewScrape();
    Scrape scrape{&buffer_, &stat_, deadline_ns};
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (selection[i] && !entries_[i]->collector->MayBlock()) run(i, scrape);
    if (options_.exporter_metrics) process_.Write(&buffer_, &page);
  }
  ReadBuffer own_buffer;
  Scrape scrape{&own_buffer, nullptr, deadline_ns};
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (selection[i] && entries_[i]->collector->MayBlock()) run(i, scrape);
  WriteOutcomes(selection, seconds, good, &page);
  WriteBuildInfo(&page);
  if (extra != nullptr) page.Append(*extra);
  page.Print(out);
  return failed;
}

}  // namespace prom::node

// File discovery (file_sd_configs): target groups from YAML and JSON files.
//
// Files are read at Start, when inotify reports a change in a directory that a
// pattern names, and every refresh interval (which also catches file systems without
// inotify, and directories that did not exist). A file that cannot be read or parsed
// keeps the targets it gave last, with a warning and a count; a file that is gone
// loses them. Every target gets __meta_filepath. A group's source is "FILE:INDEX".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "discovery/discovery.h"

namespace prom::discovery {

struct FileSdConfig {
  std::vector<std::string> files;  // a glob only in the last path element; .json .yml .yaml
  std::int64_t refresh_interval_ms = 300'000;
  friend bool operator==(const FileSdConfig&, const FileSdConfig&) = default;
};
Result<void> Decode(const yaml::Node& node, FileSdConfig* out);
void Write(yaml::Writer* out, const FileSdConfig& config);

// The groups of one file; JSON or YAML by its extension, strict, at most 64 MiB.
Result<std::vector<TargetGroup>> ReadTargetFile(const std::string& path);
// The same from text, for one of the two formats.
Result<std::vector<TargetGroup>> ParseTargetFile(std::string_view text, const std::string& path, bool json);

// Shared by all file discoverers of a process; must outlive them.
class FileSdMetrics {
 public:
  explicit FileSdMetrics(Metrics* metrics);

 private:
  friend class FileDiscoverer;
  Metrics* metrics_;
  Counter& read_errors_;
  Counter& watcher_errors_;
};

class FileDiscoverer : public Discoverer {
 public:
  // `metrics` may be null.
  FileDiscoverer(FileSdConfig config, FileSdMetrics* metrics);
  ~FileDiscoverer() override;
  void Start(Callback on_groups) override;
  void Stop() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace prom::discovery

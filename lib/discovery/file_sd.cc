#include "discovery/file_sd.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <glob.h>
#include <map>
#include <poll.h>
#include <set>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/time.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::discovery {

namespace {

constexpr std::string_view kExtensions[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};

// ^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$
bool IsFilePattern(std::string_view name) {
  const bool known = std::any_of(std::begin(kExtensions), std::end(kExtensions), [&](std::string_view e) { return name.ends_with(e); });
  const std::size_t star = name.find('*');
  return known && (star == std::string_view::npos || name.find('/', star) == std::string_view::npos);
}

std::string SourceName(const std::string& path, std::size_t i) { return path + ":" + std::to_string(i); }

std::string_view JsonTypeName(const JsonValue& v) {
  switch (v.kind) {
    case JsonValue::Kind::kNull: return "null";
    case JsonValue::Kind::kBool: return "bool";
    case JsonValue::Kind::kNumber: return "number";
    case JsonValue::Kind::kString: return "string";
    case JsonValue::Kind::kArray: return "array";
    case JsonValue::Kind::kObject: return "object";
  }
  return "value";
}

// encoding/json with DisallowUnknownFields: keys in any case, null leaves a field alone.
Result<TargetGroup> GroupFromJson(const JsonValue& value) {
  const auto wrong = [](const JsonValue& v, const std::string& where, const std::string& want) {
    return Error{Errc::kInvalid, "json: cannot unmarshal " + std::string(JsonTypeName(v)) + " into " + where + " of type " + want};
  };
  TargetGroup group;
  if (value.kind != JsonValue::Kind::kObject) return wrong(value, "target group", "object");
  for (const auto& [key, member] : value.members) {
    if (EqualIgnoreCase(key, "targets")) {
      if (member.kind == JsonValue::Kind::kNull) continue;
      if (member.kind != JsonValue::Kind::kArray) return wrong(member, "field targets", "[]string");
      group.targets.clear();
      for (const JsonValue& target : member.items) {
        if (target.kind != JsonValue::Kind::kString && target.kind != JsonValue::Kind::kNull) return wrong(target, "field targets", "string");
        group.targets.push_back(Labels{{"__address__", target.text}});
      }
    } else if (EqualIgnoreCase(key, "labels")) {
      if (member.kind == JsonValue::Kind::kNull) continue;
      if (member.kind != JsonValue::Kind::kObject) return wrong(member, "field labels", "model.LabelSet");
      std::vector<std::pair<std::string, std::string>> pairs;
      for (const auto& [name, text] : member.members) {
        if (text.kind != JsonValue::Kind::kString && text.kind != JsonValue::Kind::kNull) return wrong(text, "field labels", "string");
        if (!IsValidLabelName(name)) return Error{Errc::kInvalid, Quote(name) + " is not a valid label name"};
        pairs.emplace_back(name, text.text);
      }
      group.labels = Labels::FromPairs(std::move(pairs));
    } else {
      return Error{Errc::kInvalid, "json: unknown field " + Quote(key)};
    }
  }
  return group;
}

}  // namespace

Result<void> Decode(const yaml::Node& node, FileSdConfig* out) {
  yaml::Mapping m(node, "file.plain");
  m.Field("files", &out->files);
  m.Duration("refresh_interval", &out->refresh_interval_ms);
  PROM_TRY(m.Finish());
  if (out->files.empty()) return m.At("files", "file service discovery config must contain at least one path name");
  for (const auto& name : out->files)
    if (!IsFilePattern(name)) return m.At("files", "path name " + Quote(name) + " is not valid for file discovery");
  // Upstream's ticker panics at 0.
  if (out->refresh_interval_ms <= 0) return m.At("refresh_interval", "refresh_interval of file discovery must be positive");
  return {};
}

void Write(yaml::Writer* out, const FileSdConfig& config) {
  out->BeginMap();
  out->Strings("files", config.files);
  out->OptDuration("refresh_interval", config.refresh_interval_ms);
  out->EndMap();
}

Result<std::vector<TargetGroup>> ParseTargetFile(std::string_view text, const std::string& path, bool json) {
  std::vector<TargetGroup> groups;
  if (json) {
    auto document = ParseJson(text);
    if (!document) return document.error().Wrap(path + ": ");
    if (document->kind == JsonValue::Kind::kNull) return groups;
    if (document->kind != JsonValue::Kind::kArray)
      return Error{Errc::kInvalid, path + ": json: cannot unmarshal " + std::string(JsonTypeName(*document)) + " into a list of target groups"};
    for (const JsonValue& item : document->items) {
      if (item.kind == JsonValue::Kind::kNull) return Error{Errc::kInvalid, path + ": nil target group item found"};
      auto group = GroupFromJson(item);
      if (!group) return group.error().Wrap(path + ": ");
      groups.push_back(std::move(*group));
    }
  } else {
    PROM_ASSIGN(const yaml::Document document, yaml::Document::Parse(text, path));
    const yaml::Node root = document.root();
    if (!root.is_null() && !root.is_sequence()) return root.TypeError("[]*targetgroup.Group");
    for (const yaml::Node& item : root.items()) {
      if (item.is_null()) return item.At("nil target group item found");
      TargetGroup group;
      PROM_TRY(Decode(item, &group));
      groups.push_back(std::move(group));
    }
  }
  LabelsBuilder labels;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].source = SourceName(path, i);
    labels.Reset(groups[i].labels);
    labels.Set("__meta_filepath", path);
    groups[i].labels = labels.Build();
  }
  return groups;
}

Result<std::vector<TargetGroup>> ReadTargetFile(const std::string& path) {
  PROM_ASSIGN(const std::string text, ReadFile(SystemIo(), path, yaml::kMaxBytes));
  return ParseTargetFile(text, path, ToLower(path).ends_with(".json"));
}

FileSdMetrics::FileSdMetrics(Metrics* metrics)
    : metrics_(metrics),
      read_errors_(metrics->AddCounter("prometheus_sd_file_read_errors_total", "The number of File-SD read errors.")),
      watcher_errors_(metrics->AddCounter("prometheus_sd_file_watcher_errors_total", "The number of File-SD errors caused by filesystem watch failures.")) {}

// Everything but the constructor, Start and Stop runs in `thread`.
struct FileDiscoverer::State {
  FileSdConfig config;
  FileSdMetrics* metrics;
  Callback on_groups;
  int inotify = -1;
  int wake = -1;  // readable: stop
  std::map<std::string, int> watches;  // directory -> watch
  std::map<std::string, std::vector<TargetGroup>> files;  // what each file gave last
  std::jthread thread;

  ~State() {
    if (inotify >= 0) ::close(inotify);
    if (wake >= 0) ::close(wake);
  }
  void Run(const std::stop_token& stop);
  void Watch();
  bool DrainEvents();
  void Refresh();
  std::set<std::string> ListFiles() const;
};

FileDiscoverer::FileDiscoverer(FileSdConfig config, FileSdMetrics* metrics) : state_(std::make_unique<State>()) {
  state_->config = std::move(config);
  state_->metrics = metrics;
}

FileDiscoverer::~FileDiscoverer() { Stop(); }

void FileDiscoverer::Start(Callback on_groups) {
  State* s = state_.get();
  s->on_groups = std::move(on_groups);
  s->wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  s->inotify = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (s->inotify < 0) {
    // Not fatal: the refresh interval still finds changes.
    LogWarn("discovery", "file_sd cannot watch for changes", {{"err", ErrnoText(errno)}});
    if (s->metrics != nullptr) s->metrics->watcher_errors_.Add();
  }
  s->thread = std::jthread([s](const std::stop_token& stop) { s->Run(stop); });
}

void FileDiscoverer::Stop() {
  if (!state_->thread.joinable()) return;
  state_->thread.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(state_->wake, &one, sizeof one);
  state_->thread.join();
}

void FileDiscoverer::State::Run(const std::stop_token& stop) {
  // Watches first: a change between reading and watching would go unseen.
  Watch();
  Refresh();
  std::int64_t next_ns = SystemClock().MonotonicNs() + config.refresh_interval_ms * 1'000'000;
  while (!stop.stop_requested()) {
    const std::int64_t wait_ms = std::max<std::int64_t>(0, (next_ns - SystemClock().MonotonicNs()) / 1'000'000 + 1);
    pollfd fds[2] = {{wake, POLLIN, 0}, {inotify, POLLIN, 0}};
    const int n = ::poll(fds, inotify >= 0 ? 2 : 1, static_cast<int>(std::min<std::int64_t>(wait_ms, 3'600'000)));
    if (stop.stop_requested()) return;
    if (n < 0 && errno != EINTR) return;
    bool refresh = SystemClock().MonotonicNs() >= next_ns;
    if (n > 0 && (fds[1].revents & POLLIN) != 0) {
      refresh |= DrainEvents();
      // Changes come in bunches (write, rename, chmod); take what follows at once with them.
      pollfd more[2] = {{wake, POLLIN, 0}, {inotify, POLLIN, 0}};
      for (int i = 0; i < 10 && ::poll(more, 2, 10) > 0 && (more[0].revents & POLLIN) == 0; ++i) refresh |= DrainEvents();
    }
    if (stop.stop_requested()) return;
    if (!refresh) continue;
    Watch();
    Refresh();
    next_ns = SystemClock().MonotonicNs() + config.refresh_interval_ms * 1'000'000;
  }
}

void FileDiscoverer::State::Watch() {
  if (inotify < 0) return;
  for (const auto& pattern : config.files) {
    const std::string dir = DirName(pattern);
    // Adding one that is there already changes nothing, and finds a directory that was replaced.
    const int watch = ::inotify_add_watch(inotify, dir.c_str(),
                                          IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    const auto known = watches.find(dir);
    if (watch >= 0) {
      watches[dir] = watch;
    } else if (known == watches.end() || known->second >= 0) {  // say it once
      LogWarn("discovery", "file_sd cannot watch directory", {{"path", dir}, {"err", ErrnoText(errno)}});
      if (metrics != nullptr) metrics->watcher_errors_.Add();
      watches[dir] = -1;
    }
  }
}

// Reads what inotify has; true when something may have changed that counts.
bool FileDiscoverer::State::DrainEvents() {
  bool changed = false;
  alignas(inotify_event) char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(inotify, buffer, sizeof buffer);
    if (n <= 0) return changed;
    for (ssize_t i = 0; i < n;) {
      inotify_event event;
      std::memcpy(&event, buffer + i, sizeof event);
      const char* name = event.len > 0 ? buffer + i + sizeof event : "";
      i += static_cast<ssize_t>(sizeof event + event.len);
      // A new regular file says more when its writer closes it; a link or directory is complete at once.
      if ((event.mask & IN_CREATE) != 0 && (event.mask & IN_ISDIR) == 0) {
        bool link = false;
        for (const auto& [dir, watch] : watches) {
          struct stat st {};
          if (watch == event.wd && ::lstat(JoinPath(dir, name).c_str(), &st) == 0) link |= S_ISLNK(st.st_mode) || st.st_nlink > 1;
        }
        changed |= link;
        continue;
      }
      changed = true;
    }
  }
}

std::set<std::string> FileDiscoverer::State::ListFiles() const {
  std::set<std::string> out;
  for (const auto& pattern : config.files) {
    glob_t found{};
    // Like Go's Glob, a star also matches names with a dot in front.
    if (::glob(pattern.c_str(), GLOB_PERIOD | GLOB_NOSORT, nullptr, &found) == 0)
      for (std::size_t i = 0; i < found.gl_pathc; ++i) out.insert(found.gl_pathv[i]);
    ::globfree(&found);
  }
  return out;
}

void FileDiscoverer::State::Refresh() {
  std::vector<TargetGroup> changed;
  const std::set<std::string> present = ListFiles();
  for (const auto& path : present) {
    auto groups = ReadTargetFile(path);
    if (!groups) {
      LogWarn("discovery", "file_sd keeps the old targets of a file", {{"path", path}, {"err", groups.error().message}});
      if (metrics != nullptr) metrics->read_errors_.Add();
      continue;
    }
    struct stat st {};
    if (metrics != nullptr && ::stat(path.c_str(), &st) == 0)
      metrics->metrics_->AddGauge("prometheus_sd_file_mtime_seconds", "Timestamp (mtime) of files read by FileSD. Timestamp is set at read time.", {{"filename", path}})
          .Set(static_cast<double>(st.st_mtime));
    std::vector<TargetGroup>& old = files[path];
    for (std::size_t i = 0; i < groups->size(); ++i)
      if (i >= old.size() || old[i] != (*groups)[i]) changed.push_back((*groups)[i]);
    for (std::size_t i = groups->size(); i < old.size(); ++i) changed.push_back({SourceName(path, i), {}, {}});
    old = std::move(*groups);
  }
  for (auto it = files.begin(); it != files.end();) {
    if (present.contains(it->first)) {
      ++it;
      continue;
    }
    for (std::size_t i = 0; i < it->second.size(); ++i) changed.push_back({SourceName(it->first, i), {}, {}});
    it = files.erase(it);
  }
  if (!changed.empty()) on_groups(std::move(changed));
}

}  // namespace prom::discovery

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <unistd.h>

#include "../../testing.h"
#include "base/mutex.h"
#include "discovery/file_sd.h"
#include "yaml/yaml.h"

using namespace prom;
using discovery::TargetGroup;

namespace {

// What a scrape manager keeps: the latest group of each source.
class Groups {
 public:
  void Update(std::vector<TargetGroup> changed) {
    const MutexLock lock(mutex_);
    ++calls_;
    for (auto& group : changed) {
      if (group.targets.empty()) groups_.erase(group.source);
      else groups_[group.source] = std::move(group);
    }
    changed_.notify_all();
  }
  // All addresses, as "source=address ..."; waits up to 5 s for `want`.
  std::string WaitFor(const std::string& want) {
    mutex_.lock();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (Text() != want && changed_.wait_until(mutex_, deadline) != std::cv_status::timeout) {
    }
    const std::string text = Text();
    mutex_.unlock();
    return text;
  }
  int calls() {
    const MutexLock lock(mutex_);
    return calls_;
  }

 private:
  std::string Text() const {
    std::string out;
    for (const auto& [source, group] : groups_)
      for (const Labels& target : group.targets)
        out += (out.empty() ? "" : " ") + source.substr(source.rfind('/') + 1) + "=" + std::string(target.Get("__address__"));
    return out;
  }
  Mutex mutex_;
  ConditionVariable changed_;
  std::map<std::string, TargetGroup> groups_;
  int calls_ = 0;
};

// Written beside and renamed, as configuration management does.
void Replace(const testing::TempDir& dir, const std::string& name, const std::string& text) {
  testing::WriteFile(dir / (name + ".new"), text);
  std::filesystem::rename(dir / (name + ".new"), dir / name);
}

std::string ParseError(std::string_view text, bool json) {
  auto groups = discovery::ParseTargetFile(text, "t", json);
  return groups ? "" : groups.error().message;
}

std::string ConfigError(const std::string& text) {
  auto doc = yaml::Document::Parse(text, "f");
  BOOST_TEST_REQUIRE(bool(doc));
  discovery::FileSdConfig config;
  auto done = Decode(doc->root(), &config);
  return done ? "" : done.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(config) {
  BOOST_TEST(ConfigError("files: [a.yml, dir/*.json, 'x*y.yaml', '/a/b/c.YML']") == "");
  BOOST_TEST(ConfigError("files: []") == "f:1:8: file service discovery config must contain at least one path name");
  for (const std::string bad : {"a.txt", "*/a.yml", "a*/b.json", "yml"})
    BOOST_TEST(ConfigError("files: ['" + bad + "']") == "f:1:8: path name \"" + bad + "\" is not valid for file discovery");
  BOOST_TEST(ConfigError("files: [a.yml]\nrefresh: 1m") == "f:2:1: yaml: unmarshal errors: field refresh not found in type file.plain");
  BOOST_TEST(ConfigError("files: [a.yml]\nrefresh_interval: 0s") == "f:2:19: refresh_interval of file discovery must be positive");
}

BOOST_AUTO_TEST_CASE(files_are_strict) {
  BOOST_TEST(ParseError("- targets: [a]\n  label: {}\n", false).starts_with("t:2:3: yaml: unmarshal errors: field label not found in type "));
  BOOST_TEST(ParseError("- targets: a\n", false) == "t:1:12: yaml: unmarshal errors: cannot unmarshal !!str `a` into []string");
  BOOST_TEST(ParseError("targets: [a]\n", false) == "t:1:1: yaml: unmarshal errors: cannot unmarshal !!map into []*targetgroup.Group");
  BOOST_TEST(ParseError("- targets: [a]\n  labels: {'': x}\n", false) == "t:2:11: \"\" is not a valid label name");
  BOOST_TEST(ParseError(R"([{"targets": ["a"], "label": {}}])", true) == "t: json: unknown field \"label\"");
  BOOST_TEST(ParseError(R"([{"targets": [1]}])", true) == "t: json: cannot unmarshal number into field targets of type string");
  BOOST_TEST(ParseError(R"({"targets": ["a"]})", true) == "t: json: cannot unmarshal object into a list of target groups");
  BOOST_TEST(ParseError(R"([{"targets": ["a"]})", true) != "");
  BOOST_TEST(ParseError("", true) != "");
  BOOST_TEST(ParseError("", false) == "");
  BOOST_TEST(ParseError("null", true) == "");
}

BOOST_AUTO_TEST_CASE(json_values) {
  auto groups = discovery::ParseTargetFile(R"([{"Targets": ["a:1", "b:2"], "labels": {"x": "y", "e": ""}}, {"targets": null}])", "dir/t.json", true);
  BOOST_TEST_REQUIRE(bool(groups));
  BOOST_TEST_REQUIRE(groups->size() == 2u);
  BOOST_TEST((*groups)[0].source == "dir/t.json:0");
  BOOST_TEST((*groups)[0].targets.size() == 2u);
  BOOST_TEST((*groups)[0].labels.ToString() == R"({__meta_filepath="dir/t.json", x="y"})");
}

BOOST_AUTO_TEST_CASE(follows_changes) {
  testing::TempDir dir;
  Metrics metrics;
  discovery::FileSdMetrics sd_metrics(&metrics);
  testing::WriteFile(dir / "a.yml", "- targets: [one, two]\n- targets: [three]\n");
  testing::WriteFile(dir / "ignored.txt", "x");
  Groups groups;
  discovery::FileDiscoverer discoverer({{dir / "*.yml", dir / "b.json", dir / "a.yml"}, 3'600'000}, &sd_metrics);
  discoverer.Start([&](std::vector<TargetGroup> changed) { groups.Update(std::move(changed)); });
  BOOST_TEST(groups.WaitFor("a.yml:0=one a.yml:0=two a.yml:1=three") == "a.yml:0=one a.yml:0=two a.yml:1=three");

  // Written in place.
  testing::WriteFile(dir / "a.yml", "- targets: [one]\n- targets: [three]\n");
  BOOST_TEST(groups.WaitFor("a.yml:0=one a.yml:1=three") == "a.yml:0=one a.yml:1=three");
  // Renamed into place, another pattern, fewer groups.
  Replace(dir, "b.json", R"([{"targets": ["j"]}])");
  BOOST_TEST(groups.WaitFor("a.yml:0=one a.yml:1=three b.json:0=j") == "a.yml:0=one a.yml:1=three b.json:0=j");
  Replace(dir, "a.yml", "- targets: [one]\n");
  BOOST_TEST(groups.WaitFor("a.yml:0=one b.json:0=j") == "a.yml:0=one b.json:0=j");
  // Broken: the old targets stay, and it is counted.
  Replace(dir, "a.yml", "- targets: [one\n");
  for (int i = 0; i < 500 && metrics.Print().find("prometheus_sd_file_read_errors_total 0") != std::string::npos; ++i) ::usleep(10'000);
  BOOST_TEST(metrics.Print().find("prometheus_sd_file_read_errors_total 0") == std::string::npos);
  BOOST_TEST(groups.WaitFor("a.yml:0=one b.json:0=j") == "a.yml:0=one b.json:0=j");
  // Through a link, as Kubernetes mounts configuration.
  std::filesystem::create_directory(dir / "data");
  testing::WriteFile(dir / "data/l.yml", "- targets: [linked]\n");
  std::filesystem::create_symlink("data/l.yml", dir / "l.yml");
  BOOST_TEST(groups.WaitFor("a.yml:0=one b.json:0=j l.yml:0=linked") == "a.yml:0=one b.json:0=j l.yml:0=linked");
  // Gone.
  std::filesystem::remove(dir / "l.yml");
  std::filesystem::remove(dir / "a.yml");
  BOOST_TEST(groups.WaitFor("b.json:0=j") == "b.json:0=j");
  // The same content again is no news.
  const int calls = groups.calls();
  Replace(dir, "b.json", R"([ {"targets": ["j"]} ])");
  Replace(dir, "c.yml", "- targets: [c]\n");
  BOOST_TEST(groups.WaitFor("b.json:0=j c.yml:0=c") == "b.json:0=j c.yml:0=c");
  BOOST_TEST(groups.calls() == calls + 1);
  discoverer.Stop();
  testing::WriteFile(dir / "c.yml", "");
}

// A directory that does not exist yet is found by the refresh interval.
BOOST_AUTO_TEST_CASE(directory_appears_later) {
  testing::TempDir dir;
  Groups groups;
  discovery::FileDiscoverer discoverer({{dir / "sub/*.yml"}, 50}, nullptr);
  discoverer.Start([&](std::vector<TargetGroup> changed) { groups.Update(std::move(changed)); });
  ::usleep(20'000);
  std::filesystem::create_directory(dir / "sub");
  testing::WriteFile(dir / "sub/t.yml", "- targets: [x]\n");
  BOOST_TEST(groups.WaitFor("t.yml:0=x") == "t.yml:0=x");
}

BOOST_AUTO_TEST_CASE(stops_quickly_and_twice) {
  testing::TempDir dir;
  for (int i = 0; i < 20; ++i) {
    discovery::FileDiscoverer discoverer({{dir / "*.yml"}, 300'000}, nullptr);
    discoverer.Start([](const std::vector<TargetGroup>&) {});
    discoverer.Stop();
    discoverer.Stop();
  }
  discovery::FileDiscoverer never_started({{dir / "*.yml"}, 300'000}, nullptr);
}

BOOST_AUTO_TEST_CASE(static_discoverer) {
  Groups groups;
  auto discoverer = discovery::MakeStaticDiscoverer({{"0", {}, {Labels{{"__address__", "a"}}}}});
  discoverer->Start([&](std::vector<TargetGroup> changed) { groups.Update(std::move(changed)); });
  BOOST_TEST(groups.WaitFor("0=a") == "0=a");
}

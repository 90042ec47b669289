// Service discovery: target groups, and the interface of what finds them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace prom::yaml {
class Node;
class Writer;
}  // namespace prom::yaml

namespace prom::discovery {

// Targets with labels in common. `source` names the group within its discoverer:
// a later group of the same source replaces it, one without targets removes it.
struct TargetGroup {
  std::string source;
  Labels labels;
  std::vector<Labels> targets;  // each at least __address__
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

// {targets: [host:port...], labels: {...}}, strict. The source is left empty.
Result<void> Decode(const yaml::Node& node, TargetGroup* out);
void Write(yaml::Writer* out, const TargetGroup& group);

// Finds targets for as long as it runs. Start and Stop are called once each, from one thread.
class Discoverer {
 public:
  // Called from the discoverer's own thread (a static one: from Start), one call at a
  // time, with groups that are new or changed. Must not call Stop.
  using Callback = std::function<void(std::vector<TargetGroup>)>;
  virtual ~Discoverer() = default;  // stops
  virtual void Start(Callback on_groups) = 0;
  virtual void Stop() = 0;  // no callback runs afterwards
};

// static_configs: one callback, at Start.
std::unique_ptr<Discoverer> MakeStaticDiscoverer(std::vector<TargetGroup> groups);

}  // namespace prom::discovery

#include "discovery/discovery.h"

#include "base/strings.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::discovery {

Result<void> Decode(const yaml::Node& node, TargetGroup* out) {
  // Upstream's type has no name either.
  yaml::Mapping m(node, "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }");
  std::vector<std::string> targets;
  std::map<std::string, std::string> labels;
  m.Field("targets", &targets);
  m.Field("labels", &labels);
  PROM_TRY(m.Finish());
  for (auto& target : targets) out->targets.push_back(Labels{{"__address__", target}});
  std::vector<std::pair<std::string, std::string>> pairs;
  for (auto& [name, value] : labels) {
    if (!IsValidLabelName(name)) return m.At("labels", Quote(name) + " is not a valid label name");
    pairs.emplace_back(name, std::move(value));
  }
  out->labels = Labels::FromPairs(std::move(pairs));
  return {};
}

void Write(yaml::Writer* out, const TargetGroup& group) {
  out->BeginMap();
  out->Key("targets").BeginList();
  for (const Labels& target : group.targets) out->String(target.Get("__address__"));
  out->EndList();
  if (!group.labels.empty()) {
    out->Key("labels").BeginMap();
    for (const Label l : group.labels) out->Field(l.name, l.value);
    out->EndMap();
  }
  out->EndMap();
}

namespace {

class StaticDiscoverer : public Discoverer {
 public:
  explicit StaticDiscoverer(std::vector<TargetGroup> groups) : groups_(std::move(groups)) {}
  void Start(Callback on_groups) override { on_groups(groups_); }
  void Stop() override {}

 private:
  std::vector<TargetGroup> groups_;
};

}  // namespace

std::unique_ptr<Discoverer> MakeStaticDiscoverer(std::vector<TargetGroup> groups) { return std::make_unique<StaticDiscoverer>(std::move(groups)); }

}  // namespace prom::discovery

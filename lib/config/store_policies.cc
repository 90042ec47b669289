#include "config/store_policies.h"

#include "yaml/yaml.h"

namespace prom::config {
namespace {

Result<std::vector<Matchers>> DecodeMatchers(const yaml::Mapping& policy, const yaml::Node* list, const ParseSelectorFn& parse_selector) {
  std::vector<Matchers> out;
  if (list == nullptr || list->is_null()) return policy.At("matchers", "a retention policy needs matchers");
  if (!list->is_sequence()) return list->At("matchers: want a list of selectors, such as ['{job=\"x\"}']");
  for (const yaml::Node& item : list->items()) {
    std::string text;
    PROM_TRY(yaml::Decode(item, &text));
    auto matchers = parse_selector(text);
    if (!matchers) return item.At(matchers.error().message);
    out.push_back(std::move(*matchers));
  }
  if (out.empty()) return list->At("a retention policy needs matchers");
  return out;
}

Result<std::vector<StorePolicy>> Decode(const yaml::Document& document, const ParseSelectorFn& parse_selector) {
  std::vector<StorePolicy> out;
  yaml::Mapping m(document.root(), "promstore.policies");
  if (const yaml::Node* list = m.Take("retention_policies"); list != nullptr && !list->is_null()) {
    if (!list->is_sequence()) return list->At("retention_policies: want a list");
    for (const yaml::Node& item : list->items()) {
      if (!item.is_mapping()) return item.At("a retention policy has the keys matchers and keep");
      StorePolicy policy;
      yaml::Mapping p(item, "promstore.policy");
      const yaml::Node* matchers = p.Take("matchers");
      p.Duration("keep", &policy.keep_ms);
      PROM_TRY(p.Finish());
      PROM_ASSIGN(policy.any_of, DecodeMatchers(p, matchers, parse_selector));
      if (policy.keep_ms <= 0) return p.At("keep", "a retention policy needs a duration above 0, such as keep: 30d");
      out.push_back(std::move(policy));
    }
  }
  PROM_TRY(m.Finish());
  return out;
}

}  // namespace

Result<std::vector<StorePolicy>> ParseStorePolicies(std::string_view text, const std::string& name, const ParseSelectorFn& parse_selector) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Parse(text, name));
  return Decode(document, parse_selector);
}

Result<std::vector<StorePolicy>> LoadStorePolicies(const std::string& path, const ParseSelectorFn& parse_selector) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Load(path));
  return Decode(document, parse_selector);
}

}  // namespace prom::config

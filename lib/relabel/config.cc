// Relabel rules as YAML.
#include "base/strings.h"
#include "relabel/relabel.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::relabel {

Result<void> Decode(const yaml::Node& node, NameScheme* out) {
  std::string text;
  PROM_TRY(yaml::Decode(node, &text));
  if (text == "legacy") *out = NameScheme::kLegacy;
  else if (text == "utf8") *out = NameScheme::kUtf8;
  else if (!text.empty()) return node.At("unrecognized ValidationScheme: " + Quote(text));
  return {};
}

Result<void> Decode(const yaml::Node& node, Config* out) {
  *out = Config();
  out->where = node.Where();
  yaml::Mapping m(node, "relabel.plain");
  m.Field("source_labels", &out->source_labels);
  m.Field("separator", &out->separator);
  if (const yaml::Node* regex = m.Take("regex")) {
    out->regex.emplace();  // null is the empty regex
    m.Keep(yaml::Decode(*regex, &*out->regex));
  }
  m.Field("modulus", &out->modulus);
  m.Field("target_label", &out->target_label);
  m.Field("replacement", &out->replacement);
  if (const yaml::Node* action = m.Take("action")) {
    std::string name;
    m.Keep(yaml::Decode(*action, &name));
    const auto known = ParseAction(name);
    if (known) out->action = *known;
    else if (action->is_null()) out->action = Action::kUnset;
    else m.Keep(action->At("unknown relabel action " + Quote(name)));
  }
  PROM_TRY(m.Finish());
  if (out->source_labels) {
    for (const auto& name : *out->source_labels)
      if (!prom::IsValidLabelName(name)) return m.At("source_labels", Quote(name) + " is not a valid label name");
  }
  return {};
}

void Write(yaml::Writer* out, const Config& config) {
  out->BeginMap();
  if (config.source_labels) out->OptStrings("source_labels", *config.source_labels);
  out->Field("separator", config.separator);
  if (config.regex) out->Field("regex", *config.regex);
  if (config.modulus != 0) out->Key("modulus").Uint(config.modulus);
  out->Opt("target_label", config.target_label);
  out->Field("replacement", config.replacement);
  out->Opt("action", ActionName(config.action));
  out->EndMap();
}

}  // namespace prom::relabel

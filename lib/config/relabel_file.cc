#include "config/relabel_file.h"

#include "yaml/yaml.h"

namespace prom::config {
namespace {

Result<relabel::Rules> Decode(const yaml::Document& document) {
  std::vector<relabel::Config> configs;
  yaml::Mapping m(document.root(), "promstore.relabel");
  m.List("relabel_configs", &configs, "empty or null relabeling rule", "[]*relabel.Config");
  PROM_TRY(m.Finish());
  if (configs.empty()) return document.root().At("no rules: want a list under relabel_configs");
  return relabel::CompileAll(std::move(configs), relabel::NameScheme::kUtf8);
}

}  // namespace

Result<relabel::Rules> ParseRelabelFile(std::string_view text, const std::string& name) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Parse(text, name));
  return Decode(document);
}

Result<relabel::Rules> LoadRelabelFile(const std::string& path) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Load(path));
  return Decode(document);
}

}  // namespace prom::config

// The configuration in force as YAML: printed from the structs, where secrets are of
// a type that prints as <secret>, never from the text of the file.
#include "config/sections.h"

namespace prom::config {

void WriteRules(yaml::Writer* out, std::string_view key, const std::vector<relabel::Config>& rules) {
  if (rules.empty()) return;
  out->Key(key).BeginList();
  for (const auto& rule : rules) relabel::Write(out, rule);
  out->EndList();
}

void WriteMap(yaml::Writer* out, std::string_view key, const std::map<std::string, std::string>& map) {
  if (map.empty()) return;
  out->Key(key).BeginMap();
  for (const auto& [name, value] : map) out->Field(name, value);
  out->EndMap();
}

void WriteSize(yaml::Writer* out, std::string_view key, std::int64_t bytes) {
  if (bytes != 0) out->Field(key, yaml::FormatSize(bytes));
}

void WriteUint(yaml::Writer* out, std::string_view key, std::uint64_t value) {
  if (value != 0) out->Key(key).Uint(value);
}

namespace {

template <typename T>
void WriteSections(yaml::Writer* out, std::string_view key, const std::vector<T>& sections) {
  if (sections.empty()) return;
  out->Key(key).BeginList();
  for (const auto& section : sections) Write(out, section);
  out->EndList();
}

}  // namespace

std::string PrintConfig(const Config& config) {
  std::string text;
  yaml::Writer out(&text);
  out.BeginMap();
  out.Key("global");
  Write(&out, config.global);
  out.Key("runtime").BeginMap().Key("gogc").Int(config.gogc.value_or(75)).EndMap();
  if (!config.alerting.alertmanagers.empty() || !config.alerting.alert_relabel_configs.empty()) {
    out.Key("alerting");
    Write(&out, config.alerting);
  }
  out.OptStrings("rule_files", config.rule_files);
  out.OptStrings("scrape_config_files", config.scrape_config_files);
  WriteSections(&out, "scrape_configs", config.scrape_configs);
  out.Key("storage");
  Write(&out, config.storage);
  if (config.tracing) {
    out.Key("tracing");
    Write(&out, *config.tracing);
  }
  WriteSections(&out, "remote_write", config.remote_write);
  WriteSections(&out, "remote_read", config.remote_read);
  out.Key("otlp");
  Write(&out, config.otlp);
  out.EndMap();
  return text;
}

}  // namespace prom::config

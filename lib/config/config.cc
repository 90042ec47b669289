#include "config/config.h"

#include <cstdlib>
#include <glob.h>
#include <map>
#include <set>

#include "base/io.h"
#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

namespace {

// ^[^*]*(\*[^/]*)?$ : a star only in the last path element.
bool IsPathPattern(std::string_view path) {
  const std::size_t star = path.find('*');
  return star == std::string_view::npos || path.find('/', star) == std::string_view::npos;
}

bool IsShellSpecial(char c) { return std::string_view("*#$@!?-0123456789").find(c) != std::string_view::npos; }
bool IsNameChar(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Go's os.Expand: $name, ${name}, $$; broken braces are eaten, a lone $ stays.
std::string ExpandVariables(std::string_view s, const std::function<std::string(const std::string&)>& lookup) {
  std::string out;
  for (std::size_t i = 0; i < s.size();) {
    if (s[i] != '$' || i + 1 == s.size()) {
      out += s[i++];
      continue;
    }
    const std::string_view rest = s.substr(i + 1);
    std::string_view name;
    std::size_t used = 0;
    if (rest[0] == '{') {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) used = 1;
      else {
        name = rest.substr(1, end - 1);
        used = end + 1;
      }
    } else if (IsShellSpecial(rest[0])) {
      name = rest.substr(0, 1);
      used = 1;
    } else {
      while (used < rest.size() && IsNameChar(rest[used])) ++used;
      name = rest.substr(0, used);
      if (used == 0) out += '$';
    }
    if (!name.empty()) out += lookup(std::string(name));
    i += 1 + used;
  }
  return out;
}

Labels ExpandExternalLabels(const Labels& labels, const LoadOptions& options, std::vector<std::string>* warnings) {
  const auto lookup = [&](const std::string& name) -> std::string {
    if (name == "$") return "$";
    std::optional<std::string> value;
    if (options.getenv) value = options.getenv(name);
    else if (const char* env = std::getenv(name.c_str())) value = env;
    if (value && !value->empty()) return *value;
    warnings->push_back("empty environment variable " + name + " in external_labels");
    return {};
  };
  LabelsBuilder out;
  for (const Label l : labels) out.Set(l.name, ExpandVariables(l.value, lookup));
  return out.Build();
}

Result<void> CheckTranslation(const yaml::Mapping& m, const Config& config) {
  const std::string& strategy = config.otlp.translation_strategy;
  if (strategy.empty() || strategy == "UnderscoreEscapingWithSuffixes" || strategy == "UnderscoreEscapingWithoutSuffixes") return {};
  if (strategy != "NoTranslation" && strategy != "NoUTF8EscapingWithSuffixes") return m.At("otlp", "unsupported OTLP translation strategy " + Quote(strategy));
  if (config.global.name_scheme == NameScheme::kLegacy)
    return m.At("otlp", "OTLP translation strategy " + Quote(strategy) + " is not allowed when UTF8 is disabled");
  return {};
}

Result<void> DecodeConfig(const yaml::Node& root, const LoadOptions& options, Config* out) {
  Config& c = *out;
  yaml::Mapping m(root, "config.plain");
  m.Field("global", &c.global);
  if (const auto* runtime = m.Take("runtime")) {
    yaml::Mapping r(*runtime, "config.RuntimeConfig");
    r.Field("gogc", &c.gogc);
    m.Keep(r.Finish());
  }
  m.Field("alerting", &c.alerting);
  m.Field("rule_files", &c.rule_files);
  m.Field("scrape_config_files", &c.scrape_config_files);
  m.List("scrape_configs", &c.scrape_configs, "empty or null scrape config section", "[]*config.ScrapeConfig");
  m.Field("storage", &c.storage);
  if (const auto* tracing = m.Take("tracing"); tracing != nullptr && !tracing->is_null()) {
    c.tracing.emplace();
    m.Keep(Decode(*tracing, &*c.tracing));
  }
  m.List("remote_write", &c.remote_write, "empty or null remote write config section", "[]*config.RemoteWriteConfig");
  m.List("remote_read", &c.remote_read, "empty or null remote read config section", "[]*config.RemoteReadConfig");
  m.Field("otlp", &c.otlp);
  PROM_TRY(m.Finish());

  for (const auto& path : c.rule_files)
    if (!IsPathPattern(path)) return m.At("rule_files", "invalid rule file path " + Quote(path));
  for (const auto& path : c.scrape_config_files)
    if (!IsPathPattern(path)) return m.At("scrape_config_files", "invalid scrape config file path " + Quote(path));
  std::set<std::string> names;
  for (auto& scrape : c.scrape_configs) {
    PROM_TRY(Finish(c.global, &scrape));
    if (!names.insert(scrape.job_name).second)
      return Error{Errc::kInvalid, scrape.where + ": found multiple scrape configs with job name " + Quote(scrape.job_name)};
  }
  PROM_TRY(Finish(c.global, &c.alerting));
  names.clear();
  for (auto& write : c.remote_write) {
    if (!write.name.empty() && !names.insert(write.name).second)
      return Error{Errc::kInvalid, write.where + ": found multiple remote write configs with job name " + Quote(write.name)};
    PROM_TRY(Finish(c.global, &write));
  }
  names.clear();
  for (const auto& read : c.remote_read)
    if (!read.name.empty() && !names.insert(read.name).second)
      return Error{Errc::kInvalid, read.where + ": found multiple remote read configs with job name " + Quote(read.name)};
  c.global.external_labels = ExpandExternalLabels(c.global.external_labels, options, &c.warnings);
  PROM_TRY(CheckTranslation(m, c));
  if (options.agent_mode) {
    if (!c.alerting.alertmanagers.empty() || !c.alerting.alert_relabel_configs.empty()) return m.At("alerting", "field alerting is not allowed in agent mode");
    if (!c.rule_files.empty()) return m.At("rule_files", "field rule_files is not allowed in agent mode");
    if (!c.remote_read.empty()) return m.At("remote_read", "field remote_read is not allowed in agent mode");
  }
  return {};
}

void SetDirectory(const std::string& dir, Config* c) {
  discovery::JoinDir(dir, &c->global.query_log_file);
  discovery::JoinDir(dir, &c->global.scrape_failure_log_file);
  SetDirectory(dir, &c->alerting);
  if (c->tracing) discovery::SetDirectory(dir, &c->tracing->tls);
  for (auto& file : c->rule_files) discovery::JoinDir(dir, &file);
  for (auto& file : c->scrape_config_files) discovery::JoinDir(dir, &file);
  for (auto& scrape : c->scrape_configs) SetDirectory(dir, &scrape);
  for (auto& write : c->remote_write) discovery::SetDirectory(dir, &write.http);
  for (auto& read : c->remote_read) discovery::SetDirectory(dir, &read.http);
}

Result<void> ReadScrapeConfigFiles(Config* c) {
  std::map<std::string, std::string> jobs;  // name -> where it was found
  for (const auto& scrape : c->scrape_configs) jobs[scrape.job_name] = "main config file";
  for (const auto& pattern : c->scrape_config_files) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), GLOB_PERIOD, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    for (const auto& path : paths) {
      PROM_ASSIGN(const yaml::Document document, yaml::Document::Load(path));
      std::vector<ScrapeConfig> scrapes;
      yaml::Mapping m(document.root(), "config.ScrapeConfigs");
      m.List("scrape_configs", &scrapes, "empty or null scrape config section", "[]*config.ScrapeConfig");
      PROM_TRY(m.Finish());
      for (auto& scrape : scrapes) {
        PROM_TRY(Finish(c->global, &scrape));
        const auto [at, added] = jobs.emplace(scrape.job_name, Quote(path));
        if (!added)
          return Error{Errc::kInvalid, scrape.where + ": found multiple scrape configs with job name " + Quote(scrape.job_name) + ", first found in " + at->second};
        SetDirectory(DirName(path), &scrape);
        c->extra_scrape_configs.push_back(std::move(scrape));
      }
    }
  }
  return {};
}

}  // namespace

std::vector<const ScrapeConfig*> Config::AllScrapeConfigs() const {
  std::vector<const ScrapeConfig*> out;
  for (const auto& scrape : scrape_configs) out.push_back(&scrape);
  for (const auto& scrape : extra_scrape_configs) out.push_back(&scrape);
  return out;
}

Result<Config> ParseConfig(std::string_view text, const std::string& name, const LoadOptions& options) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Parse(text, name));
  Config config;
  PROM_TRY(DecodeConfig(document.root(), options, &config));
  return config;
}

Result<Config> LoadConfig(const std::string& path, const LoadOptions& options) {
  PROM_ASSIGN(const yaml::Document document, yaml::Document::Load(path));
  Config config;
  PROM_TRY(DecodeConfig(document.root(), options, &config));
  SetDirectory(DirName(path), &config);
  if (options.read_scrape_config_files) PROM_TRY(ReadScrapeConfigFiles(&config));
  return config;
}

}  // namespace prom::config

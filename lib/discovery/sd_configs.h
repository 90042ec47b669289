// The discovery part of a scrape or Alertmanager section: static_configs and every
// *_sd_configs key that Prometheus knows.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "discovery/discovery.h"
#include "discovery/file_sd.h"
#include "discovery/http_client_config.h"

namespace prom::discovery {

// A discovery section of any kind but static and file: validated as upstream does,
// its values by key. A kind that promkit runs reads its settings from here.
struct SdConfig {
  struct Filter {
    std::string name;
    std::vector<std::string> values;
    friend bool operator==(const Filter&, const Filter&) = default;
  };
  struct Selector {  // kubernetes
    std::string role, label, field;
    friend bool operator==(const Selector&, const Selector&) = default;
  };
  struct Namespaces {  // kubernetes
    bool own_namespace = false;
    std::vector<std::string> names;
    friend bool operator==(const Namespaces&, const Namespaces&) = default;
  };
  struct AttachMetadata {  // kubernetes
    bool node = false, namespace_ = false, deployment = false, job = false, cronjob = false;
    friend bool operator==(const AttachMetadata&, const AttachMetadata&) = default;
  };
  struct Duration {
    std::int64_t ms = 0;
    friend bool operator==(const Duration&, const Duration&) = default;
  };
  using Value = std::variant<std::string, Secret, std::int64_t, bool, Duration, std::vector<std::string>, std::map<std::string, std::string>,
                             Url, std::vector<Filter>, std::vector<Selector>, Namespaces, AttachMetadata, TlsConfig>;

  std::string kind;   // "kubernetes", "consul", "dns", ...
  std::string where;  // file:line:column
  std::vector<std::pair<std::string, Value>> values;  // every key of the kind, defaults filled in
  std::optional<HttpClientConfig> http;               // of kinds that have one

  // The value of a key that the kind has.
  template <typename T>
  const T& Get(std::string_view key) const {
    return std::get<T>(*Find(key));
  }
  const std::string& Text(std::string_view key) const { return Get<std::string>(key); }
  const Value* Find(std::string_view key) const;
  Value* Find(std::string_view key);
  friend bool operator==(const SdConfig& a, const SdConfig& b) { return a.kind == b.kind && a.values == b.values && a.http == b.http; }
};

struct SdConfigs {
  std::vector<TargetGroup> static_configs;  // sources "0", "1", ...
  std::vector<FileSdConfig> file;
  std::vector<SdConfig> unsupported;  // kinds that promkit does not run yet: warn with the job's name
  friend bool operator==(const SdConfigs&, const SdConfigs&) = default;
};

// Takes every *_sd_configs and static_configs key out of a larger mapping.
void TakeSdFields(yaml::Mapping* m, SdConfigs* out);
void WriteFields(yaml::Writer* out, const SdConfigs& configs);
void SetDirectory(const std::string& dir, SdConfigs* configs);
// `"x" is not a valid hostname` when a static target is a URL.
Result<void> CheckStaticTargets(const SdConfigs& configs);

}  // namespace prom::discovery

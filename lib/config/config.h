// prometheus.yml, whole: what it says, with upstream's defaults, rules and error
// texts. Unknown and duplicate keys and wrong types are errors with file:line:column.
//
// A Config is a value: load one, share it as const. Durations are milliseconds,
// sizes bytes, limits 0 = none. Relative paths are joined to the directory of the
// file that names them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "discovery/http_client_config.h"
#include "discovery/sd_configs.h"
#include "model/labels.h"
#include "relabel/relabel.h"

namespace prom::config {

using discovery::HttpClientConfig;
using discovery::SdConfigs;
using discovery::TlsConfig;
using discovery::Url;
using relabel::NameScheme;

enum class ScrapeProtocol : std::uint8_t { kPrometheusProto, kPrometheusText004, kPrometheusText100, kOpenMetricsText001, kOpenMetricsText100 };
std::string_view ScrapeProtocolName(ScrapeProtocol protocol);        // "OpenMetricsText1.0.0"
std::string_view ScrapeProtocolMediaType(ScrapeProtocol protocol);   // "application/openmetrics-text;version=1.0.0"
std::optional<ScrapeProtocol> ParseScrapeProtocol(std::string_view name);

enum class NameEscaping : std::uint8_t { kUnset, kAllowUtf8, kUnderscores, kDots, kValues };
std::string_view NameEscapingName(NameEscaping escaping);  // as in the Accept header: "allow-utf-8"

struct GlobalConfig {
  std::int64_t scrape_interval_ms = 60'000;
  std::int64_t scrape_timeout_ms = 10'000;
  std::optional<std::vector<ScrapeProtocol>> scrape_protocols;
  std::int64_t evaluation_interval_ms = 60'000;
  std::int64_t rule_query_offset_ms = 0;
  std::string query_log_file;
  std::string scrape_failure_log_file;
  Labels external_labels;  // $VAR expanded
  std::int64_t body_size_limit_bytes = 0;
  std::uint64_t sample_limit = 0, target_limit = 0, label_limit = 0;
  std::uint64_t label_name_length_limit = 0, label_value_length_limit = 0, keep_dropped_targets = 0;
  NameScheme name_scheme = NameScheme::kUtf8;
  NameEscaping name_escaping = NameEscaping::kAllowUtf8;
  bool scrape_native_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  bool always_scrape_classic_histograms = false;
  bool extra_scrape_metrics = false;
};

struct ScrapeConfig {
  std::string job_name;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  std::map<std::string, std::vector<std::string>> params;
  std::int64_t scrape_interval_ms = 0;  // after loading never 0
  std::int64_t scrape_timeout_ms = 0;
  std::vector<ScrapeProtocol> scrape_protocols;  // most wanted first
  std::optional<ScrapeProtocol> fallback_scrape_protocol;
  std::optional<bool> scrape_native_histograms, always_scrape_classic_histograms, convert_classic_histograms_to_nhcb, extra_scrape_metrics;  // set after loading
  std::string scrape_failure_log_file;
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  bool enable_compression = true;
  std::int64_t body_size_limit_bytes = 0;
  std::uint64_t sample_limit = 0, target_limit = 0, label_limit = 0;
  std::uint64_t label_name_length_limit = 0, label_value_length_limit = 0;
  std::uint64_t native_histogram_bucket_limit = 0;
  double native_histogram_min_bucket_factor = 0;
  std::uint64_t keep_dropped_targets = 0;
  NameScheme name_scheme = NameScheme::kUnset;    // set after loading
  NameEscaping name_escaping = NameEscaping::kUnset;
  SdConfigs sd;
  HttpClientConfig http;
  relabel::Rules relabel_rules;         // compiled relabel_configs
  relabel::Rules metric_relabel_rules;  // compiled metric_relabel_configs
  std::vector<relabel::Config> relabel_configs, metric_relabel_configs;
  std::string where;  // file:line:column of the section
};

struct SigV4Config {
  std::string region, access_key;
  Secret secret_key;
  std::string profile, role_arn, external_id;
  bool use_fips_sts_endpoint = false;
  std::string service_name;
};

struct AlertmanagerConfig {
  SdConfigs sd;
  HttpClientConfig http;
  std::optional<SigV4Config> sigv4;
  std::string scheme = "http";
  std::string path_prefix;
  std::int64_t timeout_ms = 10'000;
  std::string api_version = "v2";
  std::vector<relabel::Config> relabel_configs, alert_relabel_configs;
  relabel::Rules relabel_rules, alert_relabel_rules;
};

struct AlertingConfig {
  std::vector<relabel::Config> alert_relabel_configs;
  relabel::Rules alert_relabel_rules;
  std::vector<AlertmanagerConfig> alertmanagers;
};

struct QueueConfig {
  int capacity = 10'000;
  int max_shards = 50, min_shards = 1;
  int max_samples_per_send = 2'000;
  std::int64_t batch_send_deadline_ms = 5'000;
  std::int64_t min_backoff_ms = 30, max_backoff_ms = 5'000;
  bool retry_on_http_429 = false;
  std::int64_t sample_age_limit_ms = 0;
};

struct MetadataConfig {
  bool send = true;
  std::int64_t send_interval_ms = 60'000;
  int max_samples_per_send = 2'000;
};

struct AzureAdConfig {
  struct ManagedIdentity {
    std::string client_id;
  };
  struct WorkloadIdentity {
    std::string client_id, tenant_id, token_file_path;
  };
  struct OAuth {
    std::string client_id;
    Secret client_secret;
    std::string tenant_id;
  };
  struct Sdk {
    std::string tenant_id;
  };
  struct Certificate {
    std::string client_id, tenant_id, certificate_path, certificate_key_path;
    Secret certificate_password;
    bool send_certificate_chain = false;
  };
  std::optional<ManagedIdentity> managed_identity;
  std::optional<WorkloadIdentity> workload_identity;
  std::optional<OAuth> oauth;
  std::optional<Sdk> sdk;
  std::optional<Certificate> certificate;
  std::string cloud = "AzurePublic";
  std::string scope;
};

struct GoogleIamConfig {
  std::string credentials_file;
};

struct RemoteWriteConfig {
  Url url;
  std::int64_t remote_timeout_ms = 30'000;
  std::map<std::string, std::string> headers;
  std::vector<relabel::Config> write_relabel_configs;
  relabel::Rules write_relabel_rules;
  std::string name;
  bool send_exemplars = false, send_native_histograms = false, round_robin_dns = false;
  std::string protobuf_message = "prometheus.WriteRequest";  // or io.prometheus.write.v2.Request
  bool failed_request_logging = false;
  HttpClientConfig http;  // enable_http2 defaults to false here
  QueueConfig queue;
  MetadataConfig metadata;
  std::optional<SigV4Config> sigv4;
  std::optional<AzureAdConfig> azuread;
  std::optional<GoogleIamConfig> google_iam;
  std::string where;
};

struct RemoteReadConfig {
  Url url;
  std::int64_t remote_timeout_ms = 60'000;
  std::uint64_t chunked_read_limit = 50'000'000;
  std::map<std::string, std::string> headers;
  bool read_recent = false;
  std::string name;
  HttpClientConfig http;
  std::map<std::string, std::string> required_matchers;
  bool filter_external_labels = true;
  std::string where;
};

struct StorageConfig {
  // storage.tsdb
  std::int64_t out_of_order_time_window_ms = 0;
  double stale_series_compaction_threshold = 0;
  std::string chunk_encoding_floats;  // "", "xor", "xor2"
  std::int64_t retention_time_ms = 0;  // 0: not set here
  std::int64_t retention_size_bytes = 0;
  double retention_percentage = 0;
  // storage.exemplars
  std::optional<std::int64_t> max_exemplars;  // unset: 100000
};

struct TracingConfig {
  std::string client_type = "grpc";
  std::string endpoint;
  double sampling_fraction = 0;
  bool insecure = false;
  TlsConfig tls;
  std::map<std::string, std::string> headers;
  std::string compression;
  std::int64_t timeout_ms = 0;
};

struct OtlpConfig {
  bool promote_all_resource_attributes = false;
  std::vector<std::string> promote_resource_attributes, ignore_resource_attributes;
  std::string translation_strategy = "UnderscoreEscapingWithSuffixes";
  bool keep_identifying_resource_attributes = false;
  bool convert_histograms_to_nhcb = false;
  bool promote_scope_metadata = false;
  bool label_name_underscore_sanitization = true;
  bool label_name_preserve_multiple_underscores = true;
};

struct Config {
  GlobalConfig global;
  std::optional<int> gogc;  // runtime.gogc: accepted, without effect here
  AlertingConfig alerting;
  std::vector<std::string> rule_files;           // patterns
  std::vector<std::string> scrape_config_files;  // patterns
  std::vector<ScrapeConfig> scrape_configs;      // of the main file
  std::vector<ScrapeConfig> extra_scrape_configs;  // of scrape_config_files
  StorageConfig storage;
  std::optional<TracingConfig> tracing;
  std::vector<RemoteWriteConfig> remote_write;
  std::vector<RemoteReadConfig> remote_read;
  OtlpConfig otlp;
  std::vector<std::string> warnings;  // for the log: unset variables of external_labels

  // Of both kinds, main file first.
  std::vector<const ScrapeConfig*> AllScrapeConfigs() const;
};

struct LoadOptions {
  bool agent_mode = false;  // alerting, rule_files and remote_read are errors
  bool read_scrape_config_files = true;
  // Variables of external_labels; unset: the environment.
  std::function<std::optional<std::string>(const std::string&)> getenv;
};

// kInvalid: what is wrong and where; kIo, kNotFound: the file cannot be read.
Result<Config> LoadConfig(const std::string& path, const LoadOptions& options = {});
// From text; relative paths stay as they are and scrape_config_files are not read.
Result<Config> ParseConfig(std::string_view text, const std::string& name, const LoadOptions& options = {});

// The configuration in force as YAML, secrets masked; what /api/v1/status/config shows.
std::string PrintConfig(const Config& config);

}  // namespace prom::config

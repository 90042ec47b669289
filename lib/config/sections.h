// What the files of this folder share: one Decode and one Write a section.
#pragma once

#include "config/config.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::config {

// global.cc
Result<void> Decode(const yaml::Node& node, GlobalConfig* out);
void Write(yaml::Writer* out, const GlobalConfig& global);
// Reads a list of protocol names; `owner` ends the error text ("global config").
Result<std::vector<ScrapeProtocol>> CheckScrapeProtocols(const std::vector<std::string>& names, const std::string& owner);
Error UnknownScrapeProtocol(std::string_view name);
void WriteScrapeProtocols(yaml::Writer* out, const std::vector<ScrapeProtocol>& protocols);
std::optional<NameEscaping> ParseNameEscaping(std::string_view name);

// scrape.cc
Result<void> Decode(const yaml::Node& node, ScrapeConfig* out);
// Fills in what the section leaves to `global`, checks, compiles the rules.
Result<void> Finish(const GlobalConfig& global, ScrapeConfig* out);
void Write(yaml::Writer* out, const ScrapeConfig& scrape);
void SetDirectory(const std::string& dir, ScrapeConfig* scrape);

// alerting.cc
Result<void> Decode(const yaml::Node& node, AlertingConfig* out);
Result<void> Finish(const GlobalConfig& global, AlertingConfig* out);
void Write(yaml::Writer* out, const AlertingConfig& alerting);
void SetDirectory(const std::string& dir, AlertingConfig* alerting);
Result<void> Decode(const yaml::Node& node, SigV4Config* out);
void Write(yaml::Writer* out, const SigV4Config& sigv4);

// remote.cc
Result<void> Decode(const yaml::Node& node, RemoteWriteConfig* out);
Result<void> Decode(const yaml::Node& node, RemoteReadConfig* out);
Result<void> Finish(const GlobalConfig& global, RemoteWriteConfig* out);
void Write(yaml::Writer* out, const RemoteWriteConfig& write);
void Write(yaml::Writer* out, const RemoteReadConfig& read);
// Headers that upstream lets nobody set.
bool IsReservedHeader(std::string_view name);

// azuread.cc
Result<void> Decode(const yaml::Node& node, AzureAdConfig* out);
void Write(yaml::Writer* out, const AzureAdConfig& azure);

// storage.cc
Result<void> Decode(const yaml::Node& node, StorageConfig* out);
void Write(yaml::Writer* out, const StorageConfig& storage);

// telemetry.cc: otlp, tracing
Result<void> Decode(const yaml::Node& node, OtlpConfig* out);
Result<void> Decode(const yaml::Node& node, TracingConfig* out);
void Write(yaml::Writer* out, const OtlpConfig& otlp);
void Write(yaml::Writer* out, const TracingConfig& tracing);

// Helpers of the printers.
void WriteRules(yaml::Writer* out, std::string_view key, const std::vector<relabel::Config>& rules);
void WriteMap(yaml::Writer* out, std::string_view key, const std::map<std::string, std::string>& map);
void WriteSize(yaml::Writer* out, std::string_view key, std::int64_t bytes);  // nothing for 0
void WriteUint(yaml::Writer* out, std::string_view key, std::uint64_t value);  // nothing for 0

}  // namespace prom::config

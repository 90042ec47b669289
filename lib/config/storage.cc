#include "base/number.h"
#include "base/strings.h"
#include "config/sections.h"

namespace prom::config {

namespace {

Result<void> DecodeRetention(const yaml::Node& node, StorageConfig* out) {
  yaml::Mapping m(node, "config.plain");
  m.Duration("time", &out->retention_time_ms);
  m.Size("size", &out->retention_size_bytes);
  m.Field("percentage", &out->retention_percentage);
  PROM_TRY(m.Finish());
  if (out->retention_size_bytes < 0)
    return m.At("size", "'storage.tsdb.retention.size' must be greater than or equal to 0, got " + yaml::FormatSize(out->retention_size_bytes));
  if (!(out->retention_percentage >= 0 && out->retention_percentage <= 100))
    return m.At("percentage", "'storage.tsdb.retention.percentage' must be in the range [0, 100], got " + FormatFloatG(out->retention_percentage));
  return {};
}

Result<void> DecodeTsdb(const yaml::Node& node, StorageConfig* out) {
  yaml::Mapping m(node, "config.plain");
  m.Duration("out_of_order_time_window", &out->out_of_order_time_window_ms);
  m.Field("stale_series_compaction_threshold", &out->stale_series_compaction_threshold);
  if (const auto* encoding = m.Take("chunk_encoding")) {
    yaml::Mapping e(*encoding, "config.ChunkEncodingConfig");
    e.Field("floats", &out->chunk_encoding_floats);
    m.Keep(e.Finish());
    const std::string& floats = out->chunk_encoding_floats;
    if (!floats.empty() && floats != "xor" && floats != "xor2")
      m.Keep(e.At("floats", "'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got " + Quote(floats)));
  }
  if (const auto* retention = m.Take("retention")) m.Keep(DecodeRetention(*retention, out));
  return m.Finish();
}

}  // namespace

Result<void> Decode(const yaml::Node& node, StorageConfig* out) {
  *out = StorageConfig();
  yaml::Mapping m(node, "config.StorageConfig");
  if (const auto* tsdb = m.Take("tsdb")) m.Keep(DecodeTsdb(*tsdb, out));
  if (const auto* exemplars = m.Take("exemplars"); exemplars != nullptr && !exemplars->is_null()) {
    yaml::Mapping e(*exemplars, "config.ExemplarsConfig");
    out->max_exemplars = 0;
    e.Field("max_exemplars", &*out->max_exemplars);
    m.Keep(e.Finish());
  }
  return m.Finish();
}

void Write(yaml::Writer* out, const StorageConfig& s) {
  out->BeginMap();
  out->Key("tsdb").BeginMap();
  out->OptDuration("out_of_order_time_window", s.out_of_order_time_window_ms);
  out->OptFloat("stale_series_compaction_threshold", s.stale_series_compaction_threshold);
  if (!s.chunk_encoding_floats.empty()) out->Key("chunk_encoding").BeginMap().Field("floats", s.chunk_encoding_floats).EndMap();
  out->Key("retention").BeginMap();
  out->OptDuration("time", s.retention_time_ms);
  WriteSize(out, "size", s.retention_size_bytes);
  out->OptFloat("percentage", s.retention_percentage);
  out->EndMap();
  out->EndMap();
  if (s.max_exemplars) out->Key("exemplars").BeginMap().OptInt("max_exemplars", *s.max_exemplars).EndMap();
  out->EndMap();
}

}  // namespace prom::config

#include "foreign.h"

#include <algorithm>

#include "base/json.h"
#include "base/time.h"
#include "tsdb/block.h"
#include "tsdb/part.h"

using prom::store::PartReport;
using prom::tsdb::TsdbDir;

bool IsForeign(const std::string& dir) {
  auto ours = prom::SystemIo().Exists(prom::JoinPath(dir, "CURRENT"));
  return !(ours && *ours) && prom::tsdb::DetectDir(prom::SystemIo(), dir) != prom::tsdb::DirKind::kNone;
}

prom::Result<std::shared_ptr<const TsdbDir::Parts>> OpenForeign(const std::string& dir) {
  PROM_ASSIGN(const auto source, TsdbDir::Open(prom::SystemIo(), dir));
  return source->OpenParts();
}

std::vector<PartReport> ListForeign(const TsdbDir::Parts& parts) {
  std::vector<PartReport> out;
  for (const auto& b : parts.blocks) {
    PartReport r;
    r.name = b.ulid;
    r.level = 1;
    r.bytes = b.bytes;
    r.error = b.error;
    r.min_ms = prom::kMaxTimeMs;
    r.max_ms = prom::kMinTimeMs;
    if (b.reader != nullptr) {
      const auto& meta = b.reader->meta();
      r.level = static_cast<std::uint32_t>(std::max(meta.level, 1));
      std::tie(r.min_ms, r.max_ms) = b.reader->TimeRange();
      r.series = meta.series;
      r.samples = meta.samples;
    }
    out.push_back(std::move(r));
  }
  if (parts.head == nullptr) return out;
  PartReport r;
  r.name = "head";
  r.bytes = parts.head_bytes;
  r.series = parts.head_series;
  std::tie(r.min_ms, r.max_ms) = parts.head->TimeRange();
  const prom::tsdb::PartsQueryable head({parts.head});
  prom::SeriesColumns c;
  auto selection = head.Select({}, prom::kMinTimeMs, prom::kMaxTimeMs);
  for (std::size_t i = 0; selection && i < (*selection)->size(); ++i)
    if ((*selection)->Read(i, prom::kMinTimeMs, prom::kMaxTimeMs, &c)) r.samples += c.t.size() + c.histograms.size();
  out.push_back(std::move(r));
  return out;
}

prom::Result<std::string> ForeignInfo(const std::string& dir, bool json) {
  PROM_ASSIGN(const auto parts, OpenForeign(dir));
  const auto list = ListForeign(*parts);
  std::uint64_t samples = 0, bytes = 0, series = 0;
  std::int64_t min_ms = prom::kMaxTimeMs, max_ms = prom::kMinTimeMs;
  for (const PartReport& p : list) {
    samples += p.samples;
    bytes += p.bytes;
    if (p.min_ms > p.max_ms) continue;
    min_ms = std::min(min_ms, p.min_ms);
    max_ms = std::max(max_ms, p.max_ms);
  }
  if (auto all = parts->all->Select({}, prom::kMinTimeMs, prom::kMaxTimeMs)) series = (*all)->size();
  const bool any = min_ms <= max_ms;
  std::string out;
  if (json) {
    prom::JsonWriter w(&out);
    w.BeginObject().Field("directory", dir).Field("format", "prometheus").Field("series", series).Field("samples", samples).Field("bytes", bytes);
    if (any) w.Field("min_time", min_ms).Field("max_time", max_ms);
    w.Field("blocks", std::uint64_t{parts->blocks.size()}).Field("head_series", parts->head_series).Field("head_chunks", parts->head_chunks);
    w.Key("warnings").BeginArray();
    for (const auto& p : list)
      if (!p.error.empty()) w.String(p.error);
    for (const auto& warning : parts->warnings) w.String(warning);
    w.EndArray().EndObject();
    return out + "\n";
  }
  const auto line = [&](std::string name, const std::string& value) {
    name += ":";
    out += name + std::string(12 - std::min<std::size_t>(11, name.size()), ' ') + value + "\n";
  };
  line("directory", dir);
  line("format", "Prometheus's own; only read");
  line("series", std::to_string(series));
  line("samples", std::to_string(samples));
  line("bytes", std::to_string(bytes));
  line("from", any ? prom::FormatTimeRfc3339(min_ms) : "-");
  line("to", any ? prom::FormatTimeRfc3339(max_ms) : "-");
  line("blocks", std::to_string(parts->blocks.size()));
  line("head", std::to_string(parts->head_series) + " series, " + std::to_string(parts->head_chunks) + " chunks");
  for (const auto& p : list)
    if (!p.error.empty()) line("damaged", p.error);
  for (const auto& w : parts->warnings) line("warning", w);
  return out;
}

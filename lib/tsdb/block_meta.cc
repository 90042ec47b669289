#include "tsdb/block_meta.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/ulid.h"

namespace prom::tsdb {
namespace {

bool ReadInt(const JsonValue& object, std::string_view key, std::int64_t* out) {
  const JsonValue* v = object.Find(key);
  if (v == nullptr || v->kind != JsonValue::Kind::kNumber) return false;
  const char* end = v->text.data() + v->text.size();
  const auto [p, error] = std::from_chars(v->text.data(), end, *out);
  return error == std::errc() && p == end;
}

std::uint64_t Count(const JsonValue* stats, std::string_view key) {
  std::int64_t v = 0;
  return stats != nullptr && ReadInt(*stats, key, &v) && v > 0 ? static_cast<std::uint64_t>(v) : 0;
}

}  // namespace

bool BlockMeta::FromOutOfOrder() const { return std::find(hints.begin(), hints.end(), "from-out-of-order") != hints.end(); }

Result<BlockMeta> ParseBlockMeta(std::string_view json, const std::string& path) {
  auto parsed = ParseJson(json);
  if (!parsed) return parsed.error().Wrap(path + ": ");
  std::int64_t version = 0;
  if (!ReadInt(*parsed, "version", &version)) return Error{Errc::kCorrupt, path + ": no version"};
  if (version != 1) return Error{Errc::kUnsupported, path + ": version " + std::to_string(version) + "; this program reads 1"};
  BlockMeta m;
  m.ulid = parsed->StringOr("ulid", "");
  if (!IsUlid(m.ulid)) return Error{Errc::kCorrupt, path + ": no ulid"};
  if (!ReadInt(*parsed, "minTime", &m.min_ms) || !ReadInt(*parsed, "maxTime", &m.max_ms)) return Error{Errc::kCorrupt, path + ": no minTime or maxTime"};
  const JsonValue* stats = parsed->Find("stats");
  m.samples = Count(stats, "numSamples");
  m.float_samples = Count(stats, "numFloatSamples");
  m.histogram_samples = Count(stats, "numHistogramSamples");
  m.series = Count(stats, "numSeries");
  m.chunks = Count(stats, "numChunks");
  m.tombstones = Count(stats, "numTombstones");
  if (const JsonValue* c = parsed->Find("compaction")) {
    std::int64_t level = 1;
    if (ReadInt(*c, "level", &level)) m.level = static_cast<int>(std::clamp<std::int64_t>(level, 0, 1'000'000));
    const auto strings = [&](const char* key, std::vector<std::string>* out) {
      const JsonValue* list = c->Find(key);
      if (list == nullptr) return;
      for (const JsonValue& item : list->items) out->push_back(item.kind == JsonValue::Kind::kObject ? std::string(item.StringOr("ulid", "")) : item.text);
    };
    strings("sources", &m.sources);
    strings("parents", &m.parents);
    strings("hints", &m.hints);
  }
  return m;
}

std::string FormatBlockMeta(const BlockMeta& m) {
  std::string out;
  JsonWriter w(&out);
  w.BeginObject().Field("ulid", m.ulid).Field("minTime", m.min_ms).Field("maxTime", m.max_ms);
  w.Key("stats").BeginObject().Field("numSamples", m.samples);
  if (m.float_samples != 0) w.Field("numFloatSamples", m.float_samples);
  if (m.histogram_samples != 0) w.Field("numHistogramSamples", m.histogram_samples);
  w.Field("numSeries", m.series).Field("numChunks", m.chunks).EndObject();
  w.Key("compaction").BeginObject().Field("level", m.level).Key("sources").BeginArray();
  for (const auto& s : m.sources) w.String(s);
  w.EndArray().EndObject().Field("version", 1).EndObject();
  return out + "\n";
}

}  // namespace prom::tsdb

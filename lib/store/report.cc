#include "store/report.h"

#include <algorithm>
#include <csignal>

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"
#include "store/block_writer.h"

namespace prom::store {

Result<std::uint64_t> CountSamples(const Queryable& source) {
  const auto [min_ms, max_ms] = source.TimeRange();
  if (min_ms > max_ms) return std::uint64_t{0};
  PROM_ASSIGN(const auto selection, source.Select({}, min_ms, max_ms));
  std::uint64_t samples = 0;
  SeriesColumns c;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    PROM_TRY(selection->Read(i, min_ms, max_ms, &c));
    samples += c.t.size() + c.histograms.size();
  }
  return samples;
}

std::string HumanBytes(std::uint64_t n) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double v = static_cast<double>(n);
  int unit = 0;
  for (; v >= 1024 && unit < 4; ++unit) v /= 1024;
  return unit == 0 ? std::to_string(n) + " B" : StringPrintf("%.1f %s", v, kUnits[unit]);
}

namespace {

std::vector<PartReport> ListOpened(Io& io, const std::string& dir, const DataDir::Parts& parts) {
  std::vector<PartReport> out;
  for (const auto& block : parts.blocks) {
    PartReport r;
    r.name = block.entry.ulid;
    r.level = block.entry.level;
    r.min_ms = block.entry.min_ms;
    r.max_ms = block.entry.max_ms;
    r.samples = block.entry.samples;
    r.bytes = block.entry.bytes;
    r.error = block.error;
    if (block.reader != nullptr) r.series = block.reader->index().series_count();
    out.push_back(std::move(r));
  }
  for (const auto& epoch : parts.epochs) {
    PartReport r;
    const std::string path = EpochDir(dir, epoch.entry.number);
    r.name = "head/" + BaseName(path);
    r.min_ms = kMaxTimeMs;
    r.max_ms = kMinTimeMs;
    r.error = epoch.error;
    if (auto bytes = DirBytes(io, path)) r.bytes = *bytes;
    if (epoch.snapshot != nullptr) {
      std::tie(r.min_ms, r.max_ms) = epoch.snapshot->TimeRange();
      r.series = epoch.snapshot->stats().series;
      auto samples = CountSamples(*epoch.snapshot);
      if (samples) r.samples = *samples;
      else r.error = samples.error().message;
    }
    out.push_back(std::move(r));
  }
  return out;
}

// The pid of the writer, if it is alive. A pid that was given to another program since has another name.
std::int64_t LivingWriter(Io& io, const ControlPage& control) {
  const auto pid = static_cast<std::int64_t>(control.writer_pid());
  if (pid <= 0 || control.clean() || control.boot_id() != CurrentBootId()) return 0;
  if (::kill(static_cast<pid_t>(pid), 0) != 0 && errno != EPERM) return 0;
  const auto comm = ReadFile(io, "/proc/" + std::to_string(pid) + "/comm", 4096);
  return !comm || comm->starts_with("prom") ? pid : 0;
}

std::string TimeOr(std::int64_t ms, bool present) { return present ? FormatTimeRfc3339(ms) : "-"; }

std::string Duration(std::int64_t ms) { return FormatDuration(ms >= 60'000 ? ms / 1000 * 1000 : ms); }

void PartJson(JsonWriter* json, const PartReport& p) {
  json->BeginObject();
  json->Field("name", p.name).Field("kind", p.level == 0 ? "head" : "block").Field("level", std::uint64_t{p.level});
  if (p.min_ms <= p.max_ms) {
    json->Field("min_time", p.min_ms).Field("max_time", p.max_ms);
  } else {
    json->Key("min_time").Null().Key("max_time").Null();
  }
  json->Field("series", p.series).Field("samples", p.samples).Field("bytes", p.bytes);
  if (!p.error.empty()) json->Field("error", p.error);
  json->EndObject();
}

}  // namespace

Result<std::vector<PartReport>> ListParts(Io& io, DataDir& dir) {
  PROM_ASSIGN(const auto parts, dir.OpenParts());
  return ListOpened(io, dir.dir(), *parts);
}

std::vector<std::string> SharedWarnings(const DataDir::Parts& parts) {
  std::vector<std::string> out = parts.warnings;
  for (const auto& block : parts.blocks)
    if (block.reader != nullptr)
      for (std::string& w : block.reader->warnings()) out.push_back(std::move(w));
  for (const auto& epoch : parts.epochs)
    if (epoch.snapshot != nullptr)
      for (const std::string& w : epoch.snapshot->warnings()) out.push_back(w);
  return out;
}

Result<DirReport> Inspect(Io& io, DataDir& dir) {
  PROM_ASSIGN(const auto parts, dir.OpenParts());
  DirReport r;
  r.parts = ListOpened(io, dir.dir(), *parts);
  const ControlPage& control = *dir.control();
  r.committed_seq = control.committed_seq();
  r.generation = parts->manifest.generation;
  r.writer_pid = LivingWriter(io, control);
  r.clean = control.clean();
  r.tombstones = parts->tombstones.size();
  r.warnings = SharedWarnings(*parts);
  if (auto free = io.FreeBytes(dir.dir())) r.free_bytes = *free;
  const auto all = DataDir::Merge(*parts);
  if (auto selection = all->Select({}, kMinTimeMs, kMaxTimeMs)) r.series = (*selection)->size();
  else r.warnings.push_back(selection.error().message);
  return r;
}

std::string PrintParts(const std::vector<PartReport>& parts, ReportForm form) {
  std::string out;
  if (form == ReportForm::kJson) {
    JsonWriter json(&out);
    json.BeginArray();
    for (const PartReport& p : parts) PartJson(&json, p);
    json.EndArray();
    return out + "\n";
  }
  std::vector<std::vector<std::string>> rows = {{"NAME", "LEVEL", "FROM", "TO", "SERIES", "SAMPLES", "BYTES"}};
  for (const PartReport& p : parts) {
    const bool any = p.min_ms <= p.max_ms;
    rows.push_back({p.name, p.level == 0 ? "head" : std::to_string(p.level), TimeOr(p.min_ms, any), TimeOr(p.max_ms, any), std::to_string(p.series),
                    std::to_string(p.samples), form == ReportForm::kTable ? HumanBytes(p.bytes) : std::to_string(p.bytes)});
    if (!p.error.empty()) rows.back().push_back("damaged: " + p.error);
  }
  if (form == ReportForm::kTsv) {
    for (const auto& row : rows) out += Join(row, "\t") + "\n";
    return out;
  }
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(i < widths.size() ? widths[i] - row[i].size() : 0, ' ');
      if (i != 0) line += "  ";
      line += i >= 4 && i < widths.size() ? pad + row[i] : row[i] + pad;  // numbers to the right
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string PrintInfo(const DirReport& r, const std::string& dir, ReportForm form) {
  std::uint64_t samples = 0, bytes = 0, blocks = 0;
  std::int64_t min_ms = kMaxTimeMs, max_ms = kMinTimeMs;
  for (const PartReport& p : r.parts) {
    samples += p.samples;
    bytes += p.bytes;
    blocks += p.level != 0 ? 1 : 0;
    min_ms = std::min(min_ms, p.min_ms);
    max_ms = std::max(max_ms, p.max_ms);
  }
  const bool any = min_ms <= max_ms;
  std::string out;
  if (form == ReportForm::kJson) {
    JsonWriter json(&out);
    json.BeginObject();
    json.Field("directory", dir).Field("format_version", 1).Field("series", r.series).Field("samples", samples).Field("bytes", bytes);
    if (any) json.Field("min_time", min_ms).Field("max_time", max_ms);
    json.Field("writer_pid", r.writer_pid).Field("clean", r.clean).Field("committed", r.committed_seq).Field("generation", r.generation);
    json.Field("tombstones", r.tombstones).Field("free_bytes", r.free_bytes);
    json.Key("parts").BeginArray();
    for (const PartReport& p : r.parts) PartJson(&json, p);
    json.EndArray().Key("warnings").BeginArray();
    for (const std::string& w : r.warnings) json.String(w);
    json.EndArray().EndObject();
    return out + "\n";
  }
  const bool human = form == ReportForm::kTable;
  const auto line = [&](std::string_view name, const std::string& value) {
    if (human) out += StringPrintf("%-11s %s\n", (std::string(name) + ":").c_str(), value.c_str());
    else out += std::string(name) + "\t" + value + "\n";
  };
  line("directory", dir);
  line("format", "version 1");
  line("writer", r.writer_pid != 0 ? "pid " + std::to_string(r.writer_pid) : r.clean ? "none; closed in good order" : "none; the last one did not close");
  line("series", std::to_string(r.series));
  line("samples", std::to_string(samples));
  line("bytes", human ? HumanBytes(bytes) : std::to_string(bytes));
  if (samples != 0) line("per sample", StringPrintf("%.2f bytes", static_cast<double>(bytes) / static_cast<double>(samples)));
  line("from", TimeOr(min_ms, any));
  line("to", TimeOr(max_ms, any));
  if (any) line("span", Duration(max_ms - min_ms));
  line("blocks", std::to_string(blocks));
  line("epochs", std::to_string(r.parts.size() - blocks));
  line("batch", std::to_string(r.committed_seq));
  line("tombstones", std::to_string(r.tombstones));
  line("free", human ? HumanBytes(r.free_bytes) : std::to_string(r.free_bytes));
  for (const PartReport& p : r.parts)
    if (!p.error.empty()) line("damaged", p.name + ": " + p.error);
  for (const std::string& w : r.warnings) line("warning", w);
  return out;
}

}  // namespace prom::store

#include "node/parse_stat.h"

#include <algorithm>

#include "node/fields.h"

namespace prom::node {
namespace {

// More than any kernel supports (NR_CPUS); keeps hostile text from asking for much.
constexpr std::uint64_t kMaxCpuId = 65535;

bool ParseOne(Fields& fields, std::uint64_t* out) {
  const auto v = ParseUint64(fields.Next());
  if (v) *out = *v;
  return v.has_value();
}

}  // namespace

Result<void> ParseKernelStat(std::string_view text, KernelStat* out) {
  out->cpus.clear();
  out->interrupts = out->context_switches = out->boot_time_s = out->forks = 0;
  out->procs_running = out->procs_blocked = 0;
  out->softirqs = {};
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    Fields fields(line);
    const std::string_view key = fields.Next();
    bool good = true;
    if (key.starts_with("cpu")) {
      if (key == "cpu") continue;
      const auto id = ParseUint64(key.substr(3));
      if (!id || *id > kMaxCpuId) {
        errors.Bad(lines.number(), "bad CPU number", key);
        continue;
      }
      CpuTimes cpu;
      cpu.id = static_cast<std::uint32_t>(*id);
      // Old kernels have fewer columns; the first must be there.
      for (std::size_t i = 0; i < kCpuModes; ++i) {
        const std::string_view field = fields.Next();
        if (field.empty() && i > 0) break;
        const auto v = ParseUint64(field);
        if (!v) {
          good = false;
          break;
        }
        cpu.ticks[i] = *v;
      }
      if (good) out->cpus.push_back(cpu);
    } else if (key == "intr") {
      good = ParseOne(fields, &out->interrupts);  // the counts of single interrupts behind it are of no use
    } else if (key == "ctxt") {
      good = ParseOne(fields, &out->context_switches);
    } else if (key == "btime") {
      good = ParseOne(fields, &out->boot_time_s);
    } else if (key == "processes") {
      good = ParseOne(fields, &out->forks);
    } else if (key == "procs_running") {
      good = ParseOne(fields, &out->procs_running);
    } else if (key == "procs_blocked") {
      good = ParseOne(fields, &out->procs_blocked);
    } else if (key == "softirq") {
      std::uint64_t total;
      good = ParseOne(fields, &total);
      for (std::size_t i = 0; good && i < kSoftirqs; ++i) {
        const std::string_view field = fields.Next();
        if (field.empty()) break;
        const auto v = ParseUint64(field);
        if (v) out->softirqs[i] = *v;
        good = v.has_value();
      }
    }
    if (!good) errors.Bad(lines.number(), "bad number in", line);
  }
  auto& cpus = out->cpus;
  std::stable_sort(cpus.begin(), cpus.end(), [](const CpuTimes& a, const CpuTimes& b) { return a.id < b.id; });
  cpus.erase(std::unique(cpus.begin(), cpus.end(), [](const CpuTimes& a, const CpuTimes& b) { return a.id == b.id; }), cpus.end());
  return std::move(errors).Take();
}

const KernelStat& StatSource::Get(ReadBuffer* buffer, Result<void>* error) {
  if (!fresh_) {
    fresh_ = true;
    auto text = file_.Read(buffer);
    // A file that cannot be read leaves an empty KernelStat, not the last one.
    error_ = ParseKernelStat(text ? *text : std::string_view(), &stat_);
    if (!text) {
      error_ = std::move(text.error());
    } else if (!error_) {
      error_ = error_.error().Wrap(file_.path() + ":");
    }
  }
  *error = error_;
  return stat_;
}

}  // namespace prom::node

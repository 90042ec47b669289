#include "node/parse_cpuinfo.h"

#include "node/fields.h"

namespace prom::node {

Result<void> ParseCpuinfo(std::string_view text, std::vector<CpuInfo>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = TrimSpace(line.substr(0, colon));
    const std::string_view value = TrimSpace(line.substr(colon + 1));
    if (key == "processor") {
      const auto number = ParseUint64(value);
      if (!number || *number > 65535) {
        errors.Bad(lines.number(), "bad processor number in", line);
        continue;
      }
      out->emplace_back();
      out->back().processor = static_cast<std::uint32_t>(*number);
      continue;
    }
    if (out->empty()) continue;
    CpuInfo& cpu = out->back();
    if (key == "vendor_id" || key == "vendor") cpu.vendor = value;
    else if (key == "cpu family") cpu.family = value;
    else if (key == "model") cpu.model = value;
    else if (key == "model name") cpu.model_name = value;
    else if (key == "microcode") cpu.microcode = value;
    else if (key == "stepping") cpu.stepping = value;
    else if (key == "cache size") cpu.cache_size = value;
    else if (key == "physical id") cpu.physical_id = value;
    else if (key == "core id") cpu.core_id = value;
    else if (key == "flags") cpu.flags = value;
    else if (key == "bugs") cpu.bugs = value;
    else if (key == "cpu MHz") {
      const auto mhz = ParseFloat(value);
      if (mhz) {
        cpu.mhz = *mhz;
      } else {
        errors.Bad(lines.number(), "bad number in", line);
      }
    }
  }
  return std::move(errors).Take();
}

Result<std::vector<std::uint32_t>> ParseCpuList(std::string_view text) {
  constexpr std::uint64_t kMaxCpu = 65535;
  std::vector<std::uint32_t> cpus;
  for (std::string_view part : Split(TrimSpace(text), ',')) {
    if (part.empty()) continue;
    const std::size_t dash = part.find('-');
    const auto first = ParseUint64(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : ParseUint64(part.substr(dash + 1));
    if (!first || !last || *last > kMaxCpu || cpus.size() > kMaxCpu)
      return Error{Errc::kCorrupt, "not a list of CPUs: " + Quote(text.substr(0, 80))};
    for (std::uint64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<std::uint32_t>(cpu));
  }
  return cpus;
}

}  // namespace prom::node

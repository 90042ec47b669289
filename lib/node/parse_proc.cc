#include "node/parse_proc.h"

#include "node/fields.h"

namespace prom::node {

Result<void> ParseMeminfo(std::string_view text, std::vector<MeminfoField>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    Fields fields(line);
    std::string_view name = fields.Next();
    if (name.empty()) continue;
    // Very old kernels have a table in front ("total: used: ..."), whose values end up bad.
    if (!name.ends_with(':') || name.size() == 1) {
      errors.Bad(lines.number(), "no field name in", line);
      continue;
    }
    name.remove_suffix(1);
    const auto value = ParseUint64(fields.Next());
    const std::string_view unit = fields.Next();
    if (!value || (unit != "kB" && !unit.empty())) {
      errors.Bad(lines.number(), "bad value in", line);
      continue;
    }
    const double number = static_cast<double>(*value);
    out->push_back({name, unit.empty() ? number : number * 1024, !unit.empty()});
  }
  return std::move(errors).Take();
}

Result<void> ParseVmstat(std::string_view text, std::vector<VmstatField>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    Fields fields(line);
    const std::string_view name = fields.Next();
    if (name.empty()) continue;
    const auto value = ParseFloat(fields.Next());
    if (!value) {
      errors.Bad(lines.number(), "bad value in", line);
      continue;
    }
    out->push_back({name, *value});
  }
  return std::move(errors).Take();
}

Result<void> ParseNetDev(std::string_view text, std::vector<NetDevLine>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    if (lines.number() <= 2) continue;  // headings
    if (TrimSpace(line).empty()) continue;
    // The last colon: alias interfaces have one in their name ("eth0:1").
    const std::size_t colon = line.rfind(':');
    NetDevLine device;
    if (colon != std::string_view::npos) device.name = TrimSpace(line.substr(0, colon));
    if (device.name.empty()) {
      errors.Bad(lines.number(), "no interface name in", line);
      continue;
    }
    Fields fields(line.substr(colon + 1));
    bool good = true;
    for (std::uint64_t& value : device.values) {
      const auto v = ParseUint64(fields.Next());
      good = good && v.has_value();
      if (v) value = *v;
    }
    if (good) {
      out->push_back(device);
    } else {
      errors.Bad(lines.number(), "bad number in", line);
    }
  }
  return std::move(errors).Take();
}

Result<void> ParseDiskstats(std::string_view text, std::vector<DiskLine>* out) {
  out->clear();
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    Fields fields(line);
    const std::string_view first = fields.Next();
    if (first.empty()) continue;
    DiskLine disk;
    const auto major = ParseUint64(first), minor = ParseUint64(fields.Next());
    disk.name = fields.Next();
    bool good = major && minor && *major <= UINT32_MAX && *minor <= UINT32_MAX && !disk.name.empty();
    while (good && disk.count < kDiskColumns) {
      const std::string_view field = fields.Next();
      if (field.empty()) break;
      const auto v = ParseUint64(field);
      good = v.has_value();
      if (v) disk.values[disk.count++] = *v;
    }
    if (!good) {
      errors.Bad(lines.number(), "bad number in", line);
      continue;
    }
    // Fewer than 11: a partition of a 2.6 kernel, which upstream skips as well.
    if (disk.count < 11) continue;
    disk.major = static_cast<std::uint32_t>(*major);
    disk.minor = static_cast<std::uint32_t>(*minor);
    out->push_back(disk);
  }
  return std::move(errors).Take();
}

Result<void> ParsePressure(std::string_view text, PressureTotals* out) {
  *out = {};
  LineErrors errors;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    Fields fields(line);
    const std::string_view kind = fields.Next();
    if (kind != "some" && kind != "full") continue;  // a later kernel's addition
    std::string_view field;
    std::optional<std::uint64_t> total;
    while (!(field = fields.Next()).empty())
      if (field.starts_with("total=")) total = ParseUint64(field.substr(6));
    if (!total) {
      errors.Bad(lines.number(), "no total in", line);
    } else if (kind == "some") {
      out->has_some = true;
      out->some_us = *total;
    } else {
      out->has_full = true;
      out->full_us = *total;
    }
  }
  return std::move(errors).Take();
}

Result<std::array<double, 3>> ParseLoadavg(std::string_view text) {
  std::array<double, 3> loads{};
  Fields fields(text.substr(0, text.find('\n')));
  for (double& load : loads) {
    const auto v = ParseFloat(fields.Next());
    if (!v) return Error{Errc::kCorrupt, "1: bad number in " + Quote(text.substr(0, 80))};
    load = *v;
  }
  return loads;
}

Result<FileNr> ParseFileNr(std::string_view text) {
  Fields fields(text.substr(0, text.find('\n')));
  const auto allocated = ParseFloat(fields.Next());
  fields.Next();  // unused handles: always 0 since Linux 2.6
  const auto maximum = ParseFloat(fields.Next());
  if (!allocated || !maximum) return Error{Errc::kCorrupt, "1: bad number in " + Quote(text.substr(0, 80))};
  return FileNr{*allocated, *maximum};
}

}  // namespace prom::node

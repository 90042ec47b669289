#include "node/udev_data.h"

#include "node/fields.h"

namespace prom::node {

UdevProperties ParseUdevProperties(std::string_view text) {
  using U = UdevProperties;
  struct Text {
    std::string_view name;
    std::string U::*member;
  };
  static constexpr Text kTexts[] = {
      {"ID_MODEL", &U::model},           {"ID_PATH", &U::path},          {"ID_REVISION", &U::revision},
      {"ID_SERIAL", &U::serial},         {"ID_SERIAL_SHORT", &U::serial_short}, {"SCSI_IDENT_SERIAL", &U::scsi_ident_serial},
      {"ID_WWN", &U::wwn},               {"ID_FS_TYPE", &U::fs_type},    {"ID_FS_USAGE", &U::fs_usage},
      {"ID_FS_UUID", &U::fs_uuid},       {"ID_FS_VERSION", &U::fs_version}, {"DM_NAME", &U::dm_name},
      {"DM_UUID", &U::dm_uuid},          {"DM_VG_NAME", &U::dm_vg_name}, {"DM_LV_NAME", &U::dm_lv_name},
      {"DM_LV_LAYER", &U::dm_lv_layer},
  };
  struct Number {
    std::string_view name;
    std::optional<double> U::*member;
  };
  static constexpr Number kNumbers[] = {
      {"ID_ATA_WRITE_CACHE", &U::ata_write_cache},
      {"ID_ATA_WRITE_CACHE_ENABLED", &U::ata_write_cache_enabled},
      {"ID_ATA_ROTATION_RATE_RPM", &U::ata_rotation_rate_rpm},
  };
  UdevProperties out;
  Lines lines(text);
  std::string_view line;
  while (lines.Next(&line)) {
    if (!line.starts_with("E:")) continue;
    line.remove_prefix(2);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, equals), value = line.substr(equals + 1);
    for (const Text& t : kTexts)
      if (t.name == name) out.*t.member = ToValidUtf8(value);
    for (const Number& n : kNumbers)
      if (n.name == name) out.*n.member = ParseFloat(value);
    if (name == "ID_ATA") out.ata = !value.empty();
  }
  return out;
}

}  // namespace prom::node

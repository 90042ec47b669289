// A file of udev's database, /run/udev/data/bMAJOR:MINOR: the properties that
// diskstats turns into labels and samples ("E:NAME=value" lines).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace prom::node {

struct UdevProperties {
  std::string model, path, revision, serial, serial_short, scsi_ident_serial, wwn;
  std::string fs_type, fs_usage, fs_uuid, fs_version;
  std::string dm_name, dm_uuid, dm_vg_name, dm_lv_name, dm_lv_layer;
  bool ata = false;
  std::optional<double> ata_write_cache, ata_write_cache_enabled, ata_rotation_rate_rpm;
};

// Unknown and malformed lines are skipped; a later line wins. Values that are not
// UTF-8 are made so, as labels must be.
UdevProperties ParseUdevProperties(std::string_view text);

}  // namespace prom::node

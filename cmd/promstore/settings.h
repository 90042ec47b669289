// What promstore serve is told by flags and by files: retention, the out-of-order window,
// exemplars. Files are read again on SIGHUP.
#pragma once

#include <string>

#include "base/result.h"
#include "store/writer.h"

struct SettingsFlags {
  std::string config_file, policy_file;                 // empty: none
  std::string retention_time, retention_size;           // empty: not given
  std::string min_free = "0";
  std::int64_t out_of_order_window_ms = 0;
};

// Of flags and files the configuration wins, as upstream; with no limit given anywhere samples are kept for 15 days.
prom::Result<prom::store::WriterSettings> LoadSettings(const SettingsFlags& flags);

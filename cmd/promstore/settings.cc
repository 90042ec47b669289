#include "settings.h"

#include "command.h"
#include "config/config.h"
#include "config/store_policies.h"
#include "promql/parse.h"

namespace {

constexpr std::int64_t kDefaultRetentionMs = 15LL * 24 * 3'600'000;

}  // namespace

prom::Result<prom::store::WriterSettings> LoadSettings(const SettingsFlags& flags) {
  prom::store::WriterSettings out;
  prom::store::RetentionSettings& keep = out.retention;
  out.out_of_order_window_ms = flags.out_of_order_window_ms;
  PROM_ASSIGN(keep.min_free_bytes, SizeFlag("--storage.min-free", flags.min_free));
  bool limited = !flags.retention_time.empty() || !flags.retention_size.empty();
  if (!flags.retention_time.empty()) {
    PROM_ASSIGN(keep.time_ms, DurationFlag("--storage.tsdb.retention.time", flags.retention_time));
  }
  if (!flags.retention_size.empty()) {
    PROM_ASSIGN(keep.size_bytes, SizeFlag("--storage.tsdb.retention.size", flags.retention_size));
  }
  if (!flags.config_file.empty()) {
    PROM_ASSIGN(const prom::config::Config config, prom::config::LoadConfig(flags.config_file));
    const prom::config::StorageConfig& storage = config.storage;
    if (storage.retention_time_ms > 0 || storage.retention_size_bytes > 0 || storage.retention_percentage > 0) {
      limited = true;
      if (storage.retention_time_ms > 0) keep.time_ms = storage.retention_time_ms;
      if (storage.retention_size_bytes > 0) keep.size_bytes = static_cast<std::uint64_t>(storage.retention_size_bytes);
      keep.percentage = storage.retention_percentage;
    }
    if (storage.out_of_order_time_window_ms > 0) out.out_of_order_window_ms = storage.out_of_order_time_window_ms;
    if (storage.max_exemplars) out.max_exemplars = static_cast<std::size_t>(std::max<std::int64_t>(0, *storage.max_exemplars));
  }
  if (!limited) keep.time_ms = kDefaultRetentionMs;
  if (!flags.policy_file.empty()) {
    PROM_ASSIGN(auto policies, prom::config::LoadStorePolicies(flags.policy_file, [](std::string_view text) { return prom::promql::ParseMetricSelector(std::string(text)); }));
    for (auto& p : policies) keep.policies.push_back({std::move(p.any_of), p.keep_ms});
  }
  return out;
}

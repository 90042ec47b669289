#include "base/log.h"
#include "base/time.h"
#include "command.h"
#include "settings.h"
#include "store/service.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore serve -d DATA [flags]\n"
    "\n"
    "Is the writer of DATA until SIGTERM: takes streams (prom-stream(5)) on DATA/ingest.sock,\n"
    "compacts, and drops what is older than the retention.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR           data directory (data)\n"
    "      --config.file FILE                prometheus.yml: its storage section (SIGHUP: again)\n"
    "      --policy.file FILE                retention of single series (SIGHUP: again)\n"
    "      --storage.tsdb.retention.time D   how long to keep samples, 0: for ever (15d)\n"
    "      --storage.tsdb.retention.size N   bytes at most, as 512MB (0: no limit)\n"
    "      --storage.min-free N              drop the oldest blocks when the disk has less (0)\n"
    "      --fsync always|D|never            what survives power loss (1s)\n"
    "      --out-of-order-window D           take samples so much older than the newest (0s)\n"
    "      --max-connections N               producers at a time (256)\n"
    "      --series-limit N                  series of the head at most; new ones beyond are refused, 0: no limit (0)\n"
    "      --run-dir DIR                     state and metrics (DATA/run)\n"
    "      --log.level LEVEL --log.format FORMAT\n"
    "\n"
    "  promstore serve -d data --storage.tsdb.retention.time 30d\n";

class Serve : public Command {
 public:
  const char* name() const override { return "serve"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("--config.file", &settings_.config_file);
    flags.Text("--policy.file", &settings_.policy_file);
    flags.Text("--storage.tsdb.retention.time", &settings_.retention_time);
    flags.Text("--storage.tsdb.retention.size", &settings_.retention_size);
    flags.Text("--storage.min-free", &settings_.min_free);
    flags.Text("--run-dir", &run_dir_);
    flags.Number("--max-connections", &max_connections_, 1, 10'000);
    flags.Number("--series-limit", &series_limit_, 0, 1'000'000'000);
    flags.Text("--log.level", &log_level_);
    flags.Text("--log.format", &log_format_);
    writer_.Add(flags);
  }
  int Run() override {
    prom::store::ServiceOptions options;
    options.data_dir = data;
    options.run_dir = run_dir_;
    options.ingest.max_connections = max_connections_;
    if (auto done = writer_.Parse(&options.writer, &options.ingest.sync); !done) return Fail(done.error());
    settings_.out_of_order_window_ms = options.writer.head.out_of_order_window_ms;
    auto settings = LoadSettings(settings_);
    if (!settings) return Fail(settings.error());
    options.writer.retention = settings->retention;
    options.writer.head.out_of_order_window_ms = settings->out_of_order_window_ms;
    options.writer.head.max_exemplars = settings->max_exemplars;
    options.writer.max_series = series_limit_;
    options.config_file = settings_.config_file;
    if (!settings_.config_file.empty() || !settings_.policy_file.empty()) options.load_settings = [this] { return LoadSettings(settings_); };
    options.flags = {{"config.file", settings_.config_file}, {"policy.file", settings_.policy_file}, {"storage.tsdb.path", data},
                     {"storage.tsdb.retention.time", settings_.retention_time}, {"storage.tsdb.retention.size", settings_.retention_size},
                     {"storage.min-free", settings_.min_free}, {"fsync", writer_.fsync}, {"out-of-order-window", writer_.window},
                     {"series-limit", std::to_string(series_limit_)}, {"log.level", log_level_}, {"log.format", log_format_}};
    for (auto done : {prom::SetLogLevel(log_level_), prom::SetLogFormat(log_format_)})
      if (!done) return Fail(done.error());
    if (auto done = prom::store::RunService(options, prom::SystemClock()); !done) return Fail(done.error());
    return 0;
  }

 private:
  WriterFlags writer_;
  SettingsFlags settings_;
  std::string run_dir_, log_level_ = "info", log_format_ = "logfmt";
  std::uint64_t max_connections_ = 256, series_limit_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeServe() { return std::make_unique<Serve>(); }

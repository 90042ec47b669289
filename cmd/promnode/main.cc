// promnode: flags of node_exporter -> NodeOptions -> one page on stdout, or a daemon.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/time.h"
#include "node/collector.h"
#include "node/exporter.h"
#include "node/options.h"
#include "node/serve.h"

namespace {

using prom::node::CollectorNames;
using prom::node::UnavailableCollectorNames;

constexpr char kHelp[] =
    R"(usage: promnode [flags]

Prints the metrics of this machine under node_exporter's names and exits; with
--web.listen-address it serves them over HTTP instead. All flags: promnode(1).

  promnode                                      print every metric
  promnode | grep node_load                     the load averages
  promnode --collector.disable-defaults --collector.cpu --collector.meminfo
  promnode --web.listen-address=:9100           a drop-in for node_exporter
  promnode | promstore append -d DATA           straight into a store

flags, with their defaults
  --web.listen-address=HOST:PORT    serve here (repeatable)
  --web.telemetry-path=/metrics     path of the metrics
  --web.max-requests=40             parallel scrapes, 0 for no limit
  --web.disable-exporter-metrics    leave out process_* and promhttp_*
  --path.procfs=/proc   --path.sysfs=/sys   --path.rootfs=/
  --path.udev.data=/run/udev/data
  --[no-]collector.NAME             NAME: cpu diskstats filefd filesystem loadavg
                                    meminfo netdev pressure stat time uname vmstat
  --collector.disable-defaults      only collectors that are named
  --collector.{diskstats.device,netdev.device,filesystem.mount-points,
    filesystem.fs-types}-{include,exclude}=REGEX
  --log.level=info  --log.format=logfmt
  --version  --help

exit status: 0 done, 1 a collector failed or the output could not be written, 2 usage
)";

struct Flags {
  prom::node::NodeOptions node;
  prom::node::ServeOptions serve;
  std::string mount_timeout = "5s";
  std::string log_level, log_format = "logfmt", web_config;
  bool disable_defaults = false, disable_exporter_metrics = false;
  std::string ignored;
};

int Usage(const std::string& message) {
  std::fprintf(stderr, "promnode: %s\ntry promnode --help\n", message.c_str());
  return 2;
}

// --name and --no-name, as kingpin has it.
CLI::Option* AddSwitch(CLI::App& app, const std::string& name, bool& value) { return app.add_flag("--" + name + ",!--no-" + name, value); }

// Flags of collectors that upstream has and promnode does not: accepted, so that
// an existing command line starts, and said in the log. False: not such a flag.
bool TakeForeignFlags(std::vector<std::string> extras, Flags* flags, std::string* unknown) {
  for (std::size_t i = 0; i < extras.size(); ++i) {
    const std::string& flag = extras[i];
    const bool off = flag.starts_with("--no-collector.");
    if (!off && !flag.starts_with("--collector.")) {
      *unknown = flag;
      return false;
    }
    const std::string rest = flag.substr(off ? 15 : 12);
    std::string name = rest.substr(0, rest.find_first_of(".="));
    // Three upstream flags do not carry their collector's whole name.
    if (name == "netclass_rtnl") name = "netclass";
    if (name == "powersupply") name = "powersupplyclass";
    if (name == "qdisk") name = "qdisc";
    const auto& all = UnavailableCollectorNames();
    if (std::find(all.begin(), all.end(), name) == all.end()) {
      *unknown = flag;
      return false;
    }
    auto& asked = flags->node.unavailable;
    if (rest == name) {
      std::erase(asked, name);
      if (!off) asked.push_back(name);
      if (name == "cpufreq") flags->node.cpu_frequency = !off;
      continue;
    }
    // "--flag value": there are no other arguments, so what is no flag is a value.
    if (rest.find('=') == std::string::npos && i + 1 < extras.size() && !extras[i + 1].starts_with("-")) ++i;
    prom::LogWarn("promnode", "flag of a collector that is not available, ignored", {{"flag", flag}});
  }
  return true;
}

int PrintOnce(prom::node::NodeExporter& exporter, std::int64_t timeout_ms) {
  std::string page;
  const std::int64_t deadline_ns = prom::SystemClock().MonotonicNs() + timeout_ms * 1'000'000;
  const int failed = exporter.Collect(exporter.SelectAll(), deadline_ns, nullptr, &page);
  std::string_view rest = page;
  while (!rest.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      std::fprintf(stderr, "promnode: write: %s\n", prom::ErrnoText(errno).c_str());
      return 1;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return failed == 0 ? 0 : 1;
}

int Run(int argc, char** argv) {
  Flags flags;
  prom::node::NodeOptions& node = flags.node;
  bool help = false, version = false;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_option("--path.procfs", node.procfs);
  app.add_option("--path.sysfs", node.sysfs);
  app.add_option("--path.rootfs", node.rootfs);
  app.add_option("--path.udev.data", node.udev_data);
  app.add_option("--web.listen-address", flags.serve.listen_addresses)->allow_extra_args(false);
  app.add_option("--web.telemetry-path", flags.serve.telemetry_path);
  app.add_option("--web.max-requests", flags.serve.max_requests);
  app.add_option("--web.config.file", flags.web_config);
  AddSwitch(app, "web.disable-exporter-metrics", flags.disable_exporter_metrics);
  app.add_option("--runtime.gomaxprocs", flags.ignored);
  app.add_option("--log.level", flags.log_level);
  app.add_option("--log.format", flags.log_format);

  std::map<std::string_view, std::pair<bool, CLI::Option*>> collectors;
  for (std::string_view name : CollectorNames()) {
    auto& [on, option] = collectors[name];
    on = true;
    option = AddSwitch(app, "collector." + std::string(name), on);
  }
  AddSwitch(app, "collector.disable-defaults", flags.disable_defaults);
  AddSwitch(app, "collector.cpu.guest", node.cpu_guest);
  AddSwitch(app, "collector.cpu.info", node.cpu_info);
  app.add_option("--collector.cpu.info.flags-include", node.cpu_flags_include);
  app.add_option("--collector.cpu.info.bugs-include", node.cpu_bugs_include);
  const auto filter = [&](const std::string& name, const std::string& old_exclude, const std::string& old_include,
                          prom::node::FilterOptions& to) {
    app.add_option("--collector." + name + "-include" + (old_include.empty() ? "" : ",--collector." + old_include), to.include);
    return app.add_option("--collector." + name + "-exclude,--collector." + old_exclude, to.exclude);
  };
  const CLI::Option* disk_exclude = filter("diskstats.device", "diskstats.ignored-devices", "", node.disk_devices);
  const CLI::Option* mount_exclude = filter("filesystem.mount-points", "filesystem.ignored-mount-points", "", node.mount_points);
  const CLI::Option* type_exclude = filter("filesystem.fs-types", "filesystem.ignored-fs-types", "", node.fs_types);
  filter("netdev.device", "netdev.device-blacklist", "netdev.device-whitelist", node.net_devices);
  app.add_option("--collector.filesystem.mount-timeout", flags.mount_timeout);
  app.add_option("--collector.filesystem.stat-workers", node.stat_workers);
  AddSwitch(app, "collector.netdev.netlink", node.net_netlink);
  AddSwitch(app, "collector.netdev.label-ifalias", node.net_label_ifalias);
  AddSwitch(app, "collector.netdev.address-info", node.net_address_info);
  AddSwitch(app, "collector.netdev.enable-detailed-metrics", node.net_detailed);
  AddSwitch(app, "collector.stat.softirq", node.stat_softirq);
  app.add_option("--collector.vmstat.fields", node.vmstat_fields);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return Usage(e.what());
  }
  if (help) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  if (version) {
    std::printf("promnode, version %s\n", std::string(prom::kPromkitVersion).c_str());
    return 0;
  }
  const bool daemon = !flags.serve.listen_addresses.empty();
  // In a shell only what went wrong is worth a line beside the page.
  if (flags.log_level.empty()) flags.log_level = daemon ? "info" : "warn";
  if (auto set = prom::SetLogLevel(flags.log_level); !set) return Usage("--log.level: " + set.error().message);
  if (auto set = prom::SetLogFormat(flags.log_format); !set) return Usage("--log.format: " + set.error().message);
  std::string unknown;
  if (!TakeForeignFlags(app.remaining(), &flags, &unknown)) return Usage("unknown flag " + unknown);
  if (!flags.web_config.empty()) return Usage("--web.config.file: promnode serves plain HTTP only; put a TLS proxy in front of it");
  if (!flags.serve.telemetry_path.starts_with('/')) return Usage("--web.telemetry-path must begin with /");
  if (flags.serve.max_requests < 0) return Usage("--web.max-requests must not be negative");
  const auto mount_timeout = prom::ParseDuration(flags.mount_timeout);
  if (!mount_timeout) return Usage("--collector.filesystem.mount-timeout: " + mount_timeout.error().message);
  node.mount_timeout_ms = *mount_timeout;
  node.disk_devices.exclude_set = disk_exclude->count() > 0;
  node.mount_points.exclude_set = mount_exclude->count() > 0;
  node.fs_types.exclude_set = type_exclude->count() > 0;
  node.exporter_metrics = flags.serve.exporter_metrics = !flags.disable_exporter_metrics;
  for (const auto& [name, state] : collectors) {
    const bool given = state.second->count() > 0;
    if (given ? state.first : !flags.disable_defaults) node.enabled.emplace_back(name);
  }
  for (const std::string& name : node.unavailable) prom::LogWarn("promnode", "collector is not available", {{"name", name}});

  // Before any thread starts: signals go to the main loop.
  std::optional<prom::Signals> signals;
  if (daemon) signals.emplace();
  auto exporter = prom::node::NodeExporter::Make(node);
  if (!exporter) return Usage(exporter.error().message);
  int code = 0;
  if (daemon) {
    if (auto served = prom::node::Serve(**exporter, flags.serve, signals->fd()); !served) {
      std::fprintf(stderr, "promnode: %s\n", served.error().message.c_str());
      code = prom::ExitCode(served.error().code);
    }
  } else {
    code = PrintOnce(**exporter, std::max<std::int64_t>(node.mount_timeout_ms, 1));
  }
  // Helper threads may be blocked in a dead mount for ever: nobody waits for them.
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

// In place of libstdc++'s, which names the exception that nobody caught and brings a demangler of 40 kB for that.
namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx

int main(int argc, char** argv) { return Run(argc, argv); }

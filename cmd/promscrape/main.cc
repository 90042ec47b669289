#include <CLI/CLI.hpp>

#include <cstdio>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_text.h"
#include "scrape/daemon.h"
#include "scrape/once.h"

namespace {

constexpr const char* kUsage =
    "usage: promscrape [flags] URL...\n"
    "       promscrape --config.file=FILE [--store DATA] [flags]\n"
    "\n"
    "Scrapes targets and writes their samples as a stream (prom-stream(5)).\n"
    "With URLs: scrapes each once and ends. Otherwise: runs the scrape loops of a configuration.\n"
    "\n"
    "  -j, --job NAME           job label of the URLs (promscrape)\n"
    "  -l, --label NAME=VALUE   further label of the URLs; may be given more than once\n"
    "      --timeout D          of one scrape of a URL (10s)\n"
    "      --any-type           read a page that does not say its type as text\n"
    "  -b, --binary             binary frames on standard output rather than text\n"
    "\n"
    "      --config.file FILE   prometheus.yml\n"
    "      --store DATA         send samples to the store of this data directory\n"
    "      --run-dir DIR        state and metrics (DATA/run)\n"
    "      --spool.max-bytes N  kept on disk while the store is away (268435456)\n"
    "      --workers N          threads that parse pages (2)\n"
    "      --log.level LEVEL --log.format FORMAT\n"
    "  -h, --help  --version\n"
    "\n"
    "  promscrape http://localhost:9100/metrics | grep node_load\n"
    "  promscrape localhost:9100 localhost:9090 | promstore append -d data\n"
    "  promscrape --config.file prometheus.yml --store data\n"
    "\n"
    "Signals: SIGHUP loads the configuration again, SIGTERM and SIGINT stop.\n"
    "Exit codes: 0 done, 1 a scrape failed, 2 bad usage or configuration.\n";

prom::Result<void> WriteOut(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) return prom::ErrnoError("write", "standard output", errno);
  return {};
}

int Fail(const prom::Error& e) {
  std::fprintf(stderr, "promscrape: %s\n", e.message.c_str());
  return prom::ExitCode(e.code);
}

int Once(const prom::scrape::OnceOptions& options, bool binary) {
  prom::StreamTextWriter text(WriteOut);
  prom::StreamEncoder frames(WriteOut);
  prom::StreamSink& sink = binary ? static_cast<prom::StreamSink&>(frames) : text;
  auto failures = prom::scrape::ScrapeOnce(options, sink, prom::SystemClock());
  if (!failures) return Fail(failures.error());
  if (std::fflush(stdout) != 0) return Fail(prom::ErrnoError("write", "standard output", errno));
  for (const auto& f : *failures) std::fprintf(stderr, "promscrape: %s: %s\n", f.url.c_str(), f.error.c_str());
  return failures->empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"scrape targets"};
  prom::scrape::OnceOptions once;
  prom::scrape::DaemonOptions daemon;
  std::vector<std::string> labels;
  std::string timeout = "10s", log_level = "info", log_format = "logfmt", config_file;
  bool binary = false, version = false, help = false;
  app.set_help_flag();
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_option("urls", once.urls);
  app.add_option("-j,--job", once.job);
  app.add_option("-l,--label", labels)->allow_extra_args(false);
  app.add_option("--timeout", timeout);
  app.add_flag("--any-type", once.accept_any_content_type);
  app.add_flag("-b,--binary", binary);
  app.add_option("--config.file", config_file);
  app.add_option("--store", daemon.data_dir);
  app.add_option("--run-dir", daemon.run_dir);
  app.add_option("--spool.max-bytes", daemon.spool_bytes);
  app.add_option("--workers", daemon.workers)->check(CLI::Range(1, 64));
  app.add_option("--log.level", log_level);
  app.add_option("--log.format", log_format);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "promscrape: %s (see --help)\n", e.what());
    return 2;
  }
  if (help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (version) {
    std::printf("promscrape, version %s\n", std::string(prom::kPromkitVersion).c_str());
    return 0;
  }
  for (auto done : {prom::SetLogLevel(log_level), prom::SetLogFormat(log_format)})
    if (!done) return Fail(done.error());
  if (once.urls.empty() == config_file.empty()) {
    std::fprintf(stderr, "promscrape: want either URLs or --config.file (see --help)\n");
    return 2;
  }
  if (config_file.empty()) {
    auto ms = prom::ParseDuration(timeout);
    if (!ms || *ms <= 0) return Fail({prom::Errc::kInvalid, "--timeout: " + (ms ? std::string("must be positive") : ms.error().message)});
    once.timeout_ms = *ms;
    for (const std::string& label : labels) {
      const std::size_t eq = label.find('=');
      if (eq == std::string::npos) return Fail({prom::Errc::kInvalid, "--label " + label + ": want NAME=VALUE"});
      once.labels.emplace_back(label.substr(0, eq), label.substr(eq + 1));
    }
    return Once(once, binary);
  }
  daemon.config_file = config_file;
  daemon.binary = binary;
  daemon.flags = {{"config.file", config_file}, {"storage.tsdb.path", daemon.data_dir}, {"log.level", log_level}, {"log.format", log_format}};
  if (auto done = prom::scrape::RunDaemon(daemon, prom::SystemClock()); !done) return Fail(done.error());
  return 0;
}

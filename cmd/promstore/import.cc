#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/signals.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "progress.h"
#include "transfer/import.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore import FILE|-|DIR -d DATA [flags]\n"
    "\n"
    "Puts a history into DATA: samples of any age, in any order, beside a running writer.\n"
    "All of it is there at once at the end; a stopped import leaves nothing. DIR is a data\n"
    "directory of Prometheus, in use or not.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data), made when it is not there\n"
    "      --format FORMAT           prometheus, openmetrics (text with timestamps), jsonl (of\n"
    "                                VictoriaMetrics), csv, tsdb; auto finds out (auto)\n"
    "      --csv MAPPING             columns: COLUMN:time:unix_s|unix_ms|unix_us|unix_ns|rfc3339,\n"
    "                                COLUMN:label:NAME, COLUMN:metric:NAME, COLUMN:value\n"
    "      --csv-header              the first line names the columns\n"
    "      --csv-separator C         instead of a comma; tab\n"
    "      --json                    the summary as JSON\n"
    "\n"
    "  promstore import -d data history.om\n"
    "  promstore import -d data /var/lib/prometheus/metrics2\n"
    "  promstore import -d data t.csv --csv 1:time:unix_s,2:label:room,3:metric:temp_celsius\n"
    "  curl -s vm:8428/api/v1/export -d 'match[]=up' | promstore import - -d data\n";

class Import : public Command {
 public:
  const char* name() const override { return "import"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("file", &file_);
    flags.Text("--format", &format_);
    flags.Text("--csv", &csv_);
    flags.Switch("--csv-header", &csv_header_);
    flags.Text("--csv-separator", &csv_separator_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    prom::transfer::ImportOptions options;
    if (auto done = Parse(&options); !done) return Fail(done.error());
    prom::Signals signals;
    bool stopped = false;
    options.blocks.canceled = [&] {
      stopped = stopped || signals.Wait(0) == prom::SignalEvent::kStop;
      return stopped;
    };
    struct stat what {};
    if (file_ != "-" && ::stat(file_.c_str(), &what) == 0 && S_ISDIR(what.st_mode)) {
      using prom::transfer::ImportFormat;
      if (options.format != ImportFormat::kAuto && options.format != ImportFormat::kTsdb) return Fail({prom::Errc::kInvalid, file_ + ": is a directory, which --format " + format_ + " is not"});
      prom::transfer::ImportSummary s;
      if (auto done = prom::transfer::ImportTsdb(prom::SystemIo(), prom::SystemClock(), file_, options, &s); !done) return Fail(done.error());
      return Report(s);
    }
    if (options.format == prom::transfer::ImportFormat::kTsdb) return Fail({prom::Errc::kInvalid, "--format tsdb: want a data directory of Prometheus, not " + file_});
    const std::string shown = file_ == "-" ? "standard input" : file_;
    options.on_refused = [&](std::uint64_t line, std::string_view reason) {
      constexpr std::uint64_t kMaxShown = 10;
      if (++refused_ <= kMaxShown) std::fprintf(stderr, "promstore: %s:%llu: %.*s\n", shown.c_str(), static_cast<unsigned long long>(line), static_cast<int>(reason.size()), reason.data());
      if (refused_ == kMaxShown + 1) std::fprintf(stderr, "promstore: ... and more\n");
    };
    int fd = 0;
    std::uint64_t size = 0;
    if (file_ != "-") {
      fd = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) return Fail(prom::ErrnoError("open", file_, errno));
      struct stat st {};
      if (::fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) size = static_cast<std::uint64_t>(st.st_size);
    }
    prom::transfer::ImportSummary s;
    prom::Result<void> done;
    {
      Progress progress("reading", size);
      options.on_progress = [&](std::uint64_t bytes, std::uint64_t samples) { progress.Show(bytes, std::to_string(samples) + " samples"); };
      done = prom::transfer::RunImport(prom::SystemIo(), prom::SystemClock(), fd, shown, options, &s);
    }
    if (fd > 0) ::close(fd);
    if (!done) return Fail(done.error().code == prom::Errc::kInvalid ? done.error().Wrap(shown + ": ") : done.error());
    return Report(s);
  }

 private:
  prom::Result<void> Parse(prom::transfer::ImportOptions* options) const {
    const auto invalid = [](std::string what) { return prom::Error{prom::Errc::kInvalid, std::move(what)}; };
    if (file_.empty()) return invalid("import: want a FILE, or - for standard input (see --help)");
    const auto format = prom::transfer::ParseImportFormat(format_);
    if (!format) return invalid("--format: want auto, prometheus, openmetrics, csv, jsonl or tsdb, not " + prom::Quote(format_));
    options->format = *format;
    options->blocks.data_dir = data;
    if (!csv_.empty()) {
      auto columns = prom::transfer::ParseCsvMapping(csv_);
      if (!columns) return columns.error().Wrap("--csv: ");
      options->csv.columns = std::move(*columns);
      for (const auto& c : options->csv.columns)
        if (!c.header.empty() && !csv_header_) return invalid("--csv: a column named " + prom::Quote(c.header) + " needs --csv-header");
    }
    if ((!csv_.empty() || csv_header_) && *format != prom::transfer::ImportFormat::kAuto && *format != prom::transfer::ImportFormat::kCsv)
      return invalid("--csv does not go with --format " + format_);
    options->csv.header = csv_header_;
    if (csv_separator_ == "tab" || csv_separator_ == "\\t") options->csv.separator = '\t';
    else if (csv_separator_.size() == 1 && csv_separator_ != "\"" && csv_separator_ != "\n") options->csv.separator = csv_separator_[0];
    else return invalid("--csv-separator: want one character or tab");
    return {};
  }

  int Report(const prom::transfer::ImportSummary& s) const {
    const auto& b = s.blocks;
    const bool any = b.samples != 0;
    if (json_) {
      std::string out;
      prom::JsonWriter json(&out);
      json.BeginObject().Field("format", prom::transfer::ImportFormatName(s.format)).Field("lines", s.lines).Field("refused_lines", s.refused);
      json.Field("samples", b.samples).Field("series", b.series).Field("replaced", b.replaced).Field("blocks", b.blocks).Field("bytes", b.bytes);
      if (any) json.Field("min_time", b.min_ms).Field("max_time", b.max_ms);
      json.Field("through_writer", b.through_writer).EndObject();
      if (auto done = WriteOut(out + "\n"); !done) return Fail(done.error());
      if (const int failed = Flush(); failed != 0) return failed;
    } else {
      std::fprintf(stderr, "promstore: %llu samples imported as %llu blocks", static_cast<unsigned long long>(b.samples), static_cast<unsigned long long>(b.blocks));
      if (any) std::fprintf(stderr, ", %s to %s, %.2f bytes a sample", prom::FormatTimeRfc3339(b.min_ms).c_str(), prom::FormatTimeRfc3339(b.max_ms).c_str(), static_cast<double>(b.bytes) / static_cast<double>(b.samples));
      std::fputc('\n', stderr);
    }
    if (b.replaced != 0) std::fprintf(stderr, "promstore: %llu samples had another value at the time of a later line, which won\n", static_cast<unsigned long long>(b.replaced));
    const std::int64_t now = prom::SystemClock().NowMs();
    if (any && b.retention_ms > 0 && b.min_ms < now - b.retention_ms)
      Warn("some samples are older than what the running store keeps (" + prom::FormatDuration(b.retention_ms) + "): it will drop them");
    if (s.refused != 0) std::fprintf(stderr, "promstore: %llu of %llu lines refused\n", static_cast<unsigned long long>(s.refused), static_cast<unsigned long long>(s.lines));
    for (const std::string& w : b.warnings) Warn(w);
    return !b.warnings.empty() ? 3 : s.refused != 0 ? 1 : 0;
  }

  std::string file_, format_ = "auto", csv_, csv_separator_ = ",";
  bool csv_header_ = false, json_ = false;
  std::uint64_t refused_ = 0;
};

}  // namespace

std::unique_ptr<Command> MakeImport() { return std::make_unique<Import>(); }

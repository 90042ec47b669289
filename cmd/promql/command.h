// What the commands of promql share. One file a command; main.cc chooses.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/query_source.h"
#include "base/result.h"
#include "promql/engine.h"
#include "promql/time_range.h"

namespace prom::cli {

struct Options {
  std::string data = "data";
  bool data_given = false, lookback_given = false;
  std::string url, http_config;  // a server instead of `data`
  promql::TimeFlags times;
  std::string output, watch, colour = "auto";
  std::string lookback = "5m", timeout = "2m";
  std::int64_t max_samples = 50'000'000, max_concurrency = 20;
  std::uint64_t max_memory = std::uint64_t{2} << 30;  // of a query, bytes
  int threads = 0;                                    // of a query; 0: one a processor
  std::vector<std::string> features, args;  // args: without the command
  bool stats = false, analyze = false, json = false;
  std::vector<std::string> files, set_matchers, delete_matchers;
  // serve
  std::vector<std::string> listen;
  bool lifecycle = false;
  std::string run_dir, config_file;
};

// Each returns the exit code.
int RunQuery(const Options& o);
int RunRepl(const Options& o);  // when there is no expression
int RunLabels(const Options& o);
int RunValues(const Options& o);
int RunSeries(const Options& o);
int RunMetrics(const Options& o);
int RunBuckets(const Options& o);
int RunFormat(const Options& o);
int RunCheck(const Options& o);
int RunExplain(const Options& o);
int RunTests(const Options& o);
int RunServe(const Options& o);

// "promql: <message>" on stderr, made harmless; the exit code that fits.
int Fail(const Error& e);
void Warn(std::string_view message);
// To stdout. On a terminal control characters are spelled out, unless `drawn` says they are our own.
int Print(std::string_view text, bool drawn = false);

Result<promql::EngineOptions> EngineOptionsOf(const Options& o);
// The data directory or server that the flags name.
Result<std::unique_ptr<api::QuerySource>> OpenSource(const Options& o);
// --start and --end as the range of a look-up.
Result<api::LookupRequest> LookupOf(const Options& o, std::vector<std::string> selectors);

// One expression and where it came from: an argument, --file or standard input.
struct Input {
  std::string name;  // of a file; empty: an argument
  std::string text;
};
// Of fmt and check. kInvalid when there is none.
Result<std::vector<Input>> ReadInputs(const Options& o, const char* command);

}  // namespace prom::cli

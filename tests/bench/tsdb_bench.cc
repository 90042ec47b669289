// tsdb_bench DIR [OUT]: what reading a data directory of Prometheus costs, CPU time:
// opening and replaying its log, decoding every sample; and, given OUT, writing all of it
// to new blocks there. One figure a line: name, value, unit.
#include <sys/resource.h>

#include <cstdio>
#include <string>

#include "base/time.h"
#include "tsdb/block_writer.h"
#include "tsdb/tsdb_dir.h"
#include "tsdb/part.h"

namespace {

double CpuNs() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return (static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec)) * 1e3;
}

int Fail(const prom::Error& e) {
  std::fprintf(stderr, "tsdb_bench: %s\n", e.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace prom;
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_tsdb DIR [OUT]\n(scripts/compare-tsdb --keep makes a DIR)\n");
    return argc == 1 ? 0 : 2;
  }
  double at = CpuNs();
  const auto lap = [&] {
    const double now = CpuNs(), spent = now - at;
    at = now;
    return spent;
  };
  auto dir = tsdb::TsdbDir::Open(SystemIo(), argv[1]);
  if (!dir) return Fail(dir.error());
  auto parts = (*dir)->OpenParts();
  if (!parts) return Fail(parts.error());
  const double open = lap();
  std::printf("open      %12.2f ms (%llu blocks)\n", open / 1e6, static_cast<unsigned long long>((*parts)->blocks.size()));
  if ((*parts)->replayed != 0)
    std::printf("replay    %12.1f ns/sample (%llu samples in the log, %llu kept)\n", open / static_cast<double>((*parts)->replayed),
                static_cast<unsigned long long>((*parts)->replayed), static_cast<unsigned long long>((*parts)->head_samples));
  const Queryable& all = *(*parts)->all;
  auto s = all.Select({}, kMinTimeMs, kMaxTimeMs);
  if (!s) return Fail(s.error());
  std::printf("select    %12.2f ms (%llu series)\n", lap() / 1e6, static_cast<unsigned long long>((*s)->size()));
  std::uint64_t samples = 0;
  SeriesColumns c;
  for (std::size_t i = 0; i < (*s)->size(); ++i) {
    if (auto done = (*s)->Read(i, kMinTimeMs, kMaxTimeMs, &c); !done) return Fail(done.error());
    samples += c.t.size() + c.histograms.size();
  }
  std::printf("read      %12.2f ns/sample (%llu samples)\n", lap() / static_cast<double>(samples), static_cast<unsigned long long>(samples));
  if (argc < 3) return 0;
  auto written = tsdb::WriteBlocks(SystemIo(), all, kMinTimeMs, kMaxTimeMs, argv[2], tsdb::WriteBlocksOptions{});
  if (!written) return Fail(written.error());
  std::printf("write     %12.2f ns/sample (%llu samples in %llu blocks, %.2f bytes a sample)\n", lap() / static_cast<double>(written->samples),
              static_cast<unsigned long long>(written->samples), static_cast<unsigned long long>(written->blocks.size()),
              static_cast<double>(written->bytes) / static_cast<double>(written->samples));
  return 0;
}

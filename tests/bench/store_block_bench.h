// Lines of bench_store for the read side: an index of a million series, blocks decoded
// through Selection::Read, bytes a sample. Best of several runs, one thread, page cache
// warm. Included by store_bench.cc alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/io.h"
#include "base/time.h"
#include "base/ulid.h"
#include "store/block_reader.h"
#include "store/block_writer.h"
#include "store/index_reader.h"
#include "store/index_writer.h"
#include "store/merged.h"

namespace prom::store::block_bench {

inline double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

inline double Best(int runs, const std::function<void()>& f) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const double start = Now();
    f();
    best = std::min(best, Now() - start);
  }
  return best;
}

[[noreturn]] inline void Die(const Error& e) {
  std::fprintf(stderr, "bench_store: %s\n", e.message.c_str());
  std::exit(1);
}
template <typename T>
T Need(Result<T> r) {
  if (!r) Die(r.error());
  return std::move(*r);
}
inline void Line(const char* name, double ours, const char* unit, const char* peer, const char* budget) {
  std::printf("%-52s %10.3f %-8s %-28s %s\n", name, ours, unit, peer, budget);
}

// Generated on the fly: counters and gauges of 15 s, 2 h.
class Generated : public Queryable {
 public:
  Generated(int targets, int metrics) {
    for (int m = 0; m < metrics; ++m) {
      for (int t = 0; t < targets; ++t) {
        labels.push_back(Labels{{"__name__", "metric_" + std::to_string(1000 + m)}, {"instance", "host" + std::to_string(1000 + t)}, {"job", "node"}});
      }
    }
    std::sort(labels.begin(), labels.end());
  }
  Result<std::unique_ptr<Selection>> Select(const Matchers&, std::int64_t, std::int64_t) const override { return std::unique_ptr<Selection>(new All(*this)); }
  Result<std::vector<std::string>> LabelNames(const Matchers&, std::int64_t, std::int64_t) const override { return std::vector<std::string>{}; }
  Result<std::vector<std::string>> LabelValues(std::string_view, const Matchers&, std::int64_t, std::int64_t) const override { return std::vector<std::string>{}; }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return {kStart, kStart + 479 * 15'000}; }
  static constexpr std::int64_t kStart = 1'700'000'000'000 / 7'200'000 * 7'200'000;
  std::vector<Labels> labels;

 private:
  struct All : public Selection {
    explicit All(const Generated& g) : from(g) {}
    std::size_t size() const override { return from.labels.size(); }
    const Labels& labels(std::size_t i) const override { return from.labels[i]; }
    Result<void> Read(std::size_t i, std::int64_t, std::int64_t, SeriesColumns* out) const override {
      out->Clear();
      out->t_buffer.clear();
      out->v_buffer.clear();
      double v = static_cast<double>(i % 977);
      std::uint64_t x = i * 0x9e3779b97f4a7c15ull + 1;
      for (int n = 0; n < 480; ++n) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        v += i % 3 == 0 ? 0 : static_cast<double>(x % 1000) / (i % 3 == 1 ? 1 : 100);
        out->t_buffer.push_back(kStart + n * 15'000);
        out->v_buffer.push_back(v);
      }
      out->t = out->t_buffer;
      out->v = out->v_buffer;
      return {};
    }
    const Generated& from;
  };
};

inline void Index(int series, const std::string& dir) {
  std::vector<Labels> all;
  for (int i = 0; i < series; ++i) {
    const int target = i % 1000, metric = i / 1000;
    all.push_back(Labels{{"__name__", "metric_" + std::to_string(100000 + metric)}, {"device", "d" + std::to_string(i % 7)}, {"env", "prod"},
                         {"instance", "10.0." + std::to_string(target / 250) + "." + std::to_string(target % 250) + ":9100"}, {"job", "job-" + std::to_string(target % 20)},
                         {"mode", "m" + std::to_string(i % 13)}});
  }
  std::sort(all.begin(), all.end());
  std::string bytes;
  const double build = Best(1, [&] {
    IndexWriter writer;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (auto done = writer.Add(all[i], static_cast<std::uint32_t>(i)); !done) Die(done.error());
    }
    bytes = Need(writer.Finish());
  });
  Line("index: build, per series", build / series * 1e9, "ns", "-", "-");
  Line("index: size, per series", static_cast<double>(bytes.size()) / series, "B", "145 B Prometheus block", "40 B");
  const std::string path = dir + "/index";
  if (auto done = WriteFileAtomic(SystemIo(), path, bytes, false); !done) Die(done.error());
  Line("index: open", Best(20, [&] { Need(IndexReader::Open(SystemIo(), path)); }) * 1e3, "ms", "-", "-");
  const auto matcher = [](Matcher::Type type, const char* name, const char* value) { return Need(Matcher::Make(type, name, value)); };
  const Matchers one{Matcher::Equal("__name__", "metric_100003"), Matcher::Equal("job", "job-7")};
  Line("index: open + first matcher + labels", Best(5, [&] {
         const auto index = Need(IndexReader::Open(SystemIo(), path));
         for (const auto rank : Need(index->Select(one))) Need(index->ReadLabels(rank));
       }) * 1e3, "ms", "WAL replay, minutes", "10 ms");
  const auto index = Need(IndexReader::Open(SystemIo(), path));
  const auto time = [&](const char* name, const Matchers& matchers, const char* budget) {
    std::size_t found = 0;
    const double t = Best(5, [&] { found = Need(index->Select(matchers)).size(); });
    Line((std::string(name) + " -> " + std::to_string(found)).c_str(), t * 1e3, "ms", "-", budget);
  };
  time("index: name, job", one, "0.4 ms");
  time("index: name, instance=~ over all values", {Matcher::Equal("__name__", "metric_100003"), matcher(Matcher::Type::kRegex, "instance", ".*[13]:9100")}, "0.5 ms");
  time("index: instance=~ alone", {matcher(Matcher::Type::kRegex, "instance", ".*[13]:9100")}, "-");
  time("index: job!=, mode!~", {matcher(Matcher::Type::kNotEqual, "job", "job-1"), matcher(Matcher::Type::kNotRegex, "mode", "m1|m2")}, "-");
  const auto ranks = Need(index->Select({matcher(Matcher::Type::kRegex, "__name__", "metric_10000[0-4]")}));
  if (!ranks.empty()) {
    const double t = Best(5, [&] {
      for (const auto rank : ranks) Need(index->ReadLabels(rank));
    });
    Line("index: labels of a series", t / static_cast<double>(ranks.size()) * 1e9, "ns", "-", "-");
  }
}

inline void Blocks(const std::string& dir) {
  const Generated source(50, 100);
  BlockWriterOptions options;
  options.sync = false;
  BlockInfo info;
  const double write = Best(2, [&] {
    options.ulid = NewUlid(SystemClock().NowMs());
    info = Need(WriteBlock(SystemIo(), dir, source, kMinTimeMs, kMaxTimeMs, options));
  });
  const auto samples = static_cast<double>(info.samples);
  Line("block: write, per sample", write / samples * 1e9, "ns", "-", "-");
  Line("block: all files, per sample (generated mix)", static_cast<double>(info.bytes) / samples, "B", "2.75 Prometheus, 1.04 VM", "1.0 B");
  const auto block = Need(BlockReader::Open(SystemIo(), BlockDir(dir, info.ulid)));
  Line("block: open", Best(20, [&] { Need(BlockReader::Open(SystemIo(), BlockDir(dir, info.ulid))); }) * 1e6, "us", "-", "-");
  const auto read = [&](const Queryable& q, std::int64_t min_ms, std::int64_t max_ms) {
    std::size_t n = 0;
    SeriesColumns columns;
    const double t = Best(5, [&] {
      n = 0;
      const auto selection = Need(q.Select({}, min_ms, max_ms));
      for (std::size_t i = 0; i < selection->size(); ++i) {
        if (auto done = selection->Read(i, min_ms, max_ms, &columns); !done) Die(done.error());
        n += columns.t.size();
      }
    });
    return t / static_cast<double>(n) * 1e9;
  };
  Line("block: Select + Read of 5,000 series, per sample", read(*block, kMinTimeMs, kMaxTimeMs), "ns", "1.6 decode alone", "3 ns");
  Line("block: the same, half of the range", read(*block, Generated::kStart, Generated::kStart + 240 * 15'000), "ns", "-", "-");
  const MergedQueryable merged({block, std::make_shared<Generated>(1, 1)});
  Line("merged: the same through a union of two", read(merged, kMinTimeMs, kMaxTimeMs), "ns", "-", "-");
}

inline void Run(int series, const std::string& dir) {
  Blocks(dir);
  Index(std::max(series, 1000), dir);
}

}  // namespace prom::store::block_bench


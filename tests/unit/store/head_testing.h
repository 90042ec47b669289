// What the head's tests share: a clock that stands still, a way to read a head
// through fresh readers, and a plain model of what it should hold.
#pragma once

#include <boost/test/unit_test.hpp>

#include <bit>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/number.h"
#include "base/time.h"
#include "model/queryable.h"
#include "store/data_dir.h"
#include "store/head_reader.h"
#include "store/manifest.h"
#include "store/writer.h"

#define REQUIRE_OK(call)                                                                           \
  do {                                                                                             \
    auto&& prom_result = (call);                                                                   \
    BOOST_TEST_REQUIRE(prom_result.has_value(), (prom_result ? "" : prom_result.error().message)); \
  } while (0)

namespace prom::store::testing {

class FixedClock : public Clock {
 public:
  explicit FixedClock(std::int64_t now_ms = 1'700'000'000'000) : now_ms_(now_ms) {}
  std::int64_t NowMs() override { return now_ms_; }
  std::int64_t MonotonicNs() override { return now_ms_ * 1'000'000; }
  void Set(std::int64_t now_ms) { now_ms_ = now_ms; }

 private:
  std::int64_t now_ms_;
};

inline constexpr std::int64_t kT0 = 1'699'999'200'000;  // a multiple of 2 h

inline WriterOptions Quiet() {
  WriterOptions o;
  o.background = false;
  o.fsync = FsyncMode::kNever;
  return o;
}

inline Labels Series(const std::string& name, int i) { return Labels{{"__name__", name}, {"i", std::to_string(i)}, {"job", "test"}}; }

// Labels -> time -> bits.
using Content = std::map<std::string, std::map<std::int64_t, std::uint64_t>>;

inline Result<std::vector<std::shared_ptr<const HeadSnapshot>>> OpenHeads(const std::string& dir, Io& io = SystemIo()) {
  PROM_ASSIGN(auto control, ControlPage::OpenRead(io, dir));
  PROM_ASSIGN(const auto manifest, ReadManifest(io, dir, control->generation()));
  std::vector<std::shared_ptr<const HeadSnapshot>> out;
  for (const ManifestEpoch& epoch : manifest.epochs) {
    PROM_ASSIGN(auto reader, HeadReader::Open(io, dir, epoch.number, control));
    PROM_ASSIGN(auto snapshot, reader->Snapshot());
    out.push_back(std::move(snapshot));
  }
  return out;
}

inline Result<void> ReadAll(const Queryable& q, Content* out, std::vector<std::string>* warnings, const Matchers& matchers = {}, std::int64_t min_ms = kMinTimeMs,
                            std::int64_t max_ms = kMaxTimeMs) {
  PROM_ASSIGN(const auto selection, q.Select(matchers, min_ms, max_ms));
  SeriesColumns columns;
  for (std::size_t i = 0; i < selection->size(); ++i) {
    if (i != 0 && !(selection->labels(i - 1) < selection->labels(i))) return Error{Errc::kInternal, "selection is not sorted"};
    PROM_TRY(selection->Read(i, min_ms, max_ms, &columns));
    warnings->insert(warnings->end(), columns.warnings.begin(), columns.warnings.end());
    if (columns.t.size() != columns.v.size()) return Error{Errc::kInternal, "columns differ in length"};
    for (std::size_t k = 0; k < columns.t.size(); ++k) {
      if (k != 0 && columns.t[k] <= columns.t[k - 1]) return Error{Errc::kInternal, "times do not ascend"};
      (*out)[selection->labels(i).ToString()][columns.t[k]] = std::bit_cast<std::uint64_t>(columns.v[k]);
    }
    for (const HistogramSample& h : columns.histograms) (*out)[selection->labels(i).ToString()][h.t_ms] = std::bit_cast<std::uint64_t>(h.h->sum);
    const auto newest = [](const SeriesColumns& c) {
      std::pair<std::int64_t, std::uint64_t> at{kMinTimeMs, 0};
      if (!c.t.empty()) at = {c.t.back(), std::bit_cast<std::uint64_t>(c.v.back())};
      if (!c.histograms.empty() && c.histograms.back().t_ms > at.first) at = {c.histograms.back().t_ms, std::bit_cast<std::uint64_t>(c.histograms.back().h->sum)};
      return at;
    };
    const auto want = newest(columns);
    if (!columns.warnings.empty()) continue;
    PROM_TRY(selection->ReadLatest(i, min_ms, max_ms, &columns));
    if (newest(columns) != want) return Error{Errc::kInternal, "not the newest sample: " + selection->labels(i).ToString()};
  }
  return {};
}

// Everything in the heads of a directory, through readers that were not there before.
inline Content ReadHeads(const std::string& dir, std::vector<std::string>* warnings = nullptr) {
  Content out;
  std::vector<std::string> found;
  auto heads = OpenHeads(dir);
  BOOST_TEST_REQUIRE(heads.has_value(), (heads ? "" : heads.error().message));
  for (const auto& head : *heads) {
    auto done = ReadAll(*head, &out, &found);
    BOOST_TEST(done.has_value(), (done ? "" : done.error().message));
    for (const std::string& w : head->warnings()) found.push_back(w);
  }
  if (warnings != nullptr) *warnings = found;
  else BOOST_TEST(found.empty(), (found.empty() ? "" : found[0]));
  return out;
}

// Everything in a data directory, through a reader that was not there before and has nothing to warn of.
inline void ReadSound(const std::string& dir, Content* out, std::shared_ptr<const Queryable>* source = nullptr) {
  auto data = DataDir::Open(SystemIo(), dir);
  REQUIRE_OK(data);
  auto snapshot = (*data)->Snapshot();
  REQUIRE_OK(snapshot);
  std::vector<std::string> warnings;
  REQUIRE_OK(ReadAll(**snapshot, out, &warnings));
  BOOST_TEST(warnings.empty(), (warnings.empty() ? "" : warnings[0]));
  if (source != nullptr) *source = *snapshot;
}

}  // namespace prom::store::testing

// Ingestion, closing of epochs, blocks, merging, deletion, and a query, over an Io whose N-th
// call fails: for every N until a run gets through without meeting it.
#include <cstdlib>
#include <set>

#include "../../testing.h"
#include "base/fault_io.h"
#include "head_testing.h"
#include "store/data_dir.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

constexpr std::uint32_t kColumns = 6;
constexpr std::int64_t kStep = 1000;

double ValueAt(std::uint32_t i, std::int64_t t) { return static_cast<double>((t - kT0) / kStep * 10 + i) / 4; }

struct Lives {
  std::set<std::int64_t> acknowledged, tried;
  bool deleted = false;
};

// `batches` from number `first` on: each may fail, none may be half there.
void Life(Io& io, const std::string& dir, int first, int batches, Lives* lives) {
  FixedClock clock(kT0 + (first + batches) * kStep);
  WriterOptions options = Quiet();
  options.head.segment_bytes = 6'000;
  options.head.max_pending_loose = 10;
  options.block_ms = 40 * kStep;
  options.slack_ms = 4 * kStep;
  auto writer = Writer::Open(io, clock, dir, options);
  if (!writer) return;
  auto a = (*writer)->NewAppender();
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kColumns; ++i) {
    if (!a->DefineSeries(i, Series("m", static_cast<int>(i)))) return;
    ids.push_back(i);
  }
  if (!a->DefineLayout(0, ids) || !a->DefineSeries(kColumns, Series("single", 0))) return;
  for (int n = first; n < first + batches; ++n) {
    const std::int64_t t = kT0 + n * kStep;
    std::vector<double> values;
    for (std::uint32_t i = 0; i < kColumns; ++i) values.push_back(ValueAt(i, t));
    a->Discard();
    lives->tried.insert(t);
    if (a->Row(0, t, values, {}) && a->Sample(kColumns, t, ValueAt(kColumns, t)) && a->Commit(1)) lives->acknowledged.insert(t);
    if (n % 13 == 7) (void)(*writer)->Sync();
    if (n % 30 == 29) (void)(*writer)->Maintain();
    if (n == first + batches / 2) (void)(*writer)->Flush();
  }
  if (!lives->deleted && (*writer)->Delete({{Matcher::Equal("i", "5")}}, kT0, kT0 + 3 * kStep)) lives->deleted = true;
  (void)(*writer)->CompactBlocksNow();
  (void)(*writer)->Close();
}

void Check(const std::string& dir, const Lives& lives) {
  Content got;
  ReadSound(dir, &got);
  std::size_t missing = 0, wrong = 0, torn = 0;
  for (std::uint32_t i = 0; i <= kColumns; ++i) {
    const auto& samples = got[Series(i < kColumns ? "m" : "single", i < kColumns ? static_cast<int>(i) : 0).ToString()];
    const auto& other = got[Series("m", 0).ToString()];
    const auto gone = [&](std::int64_t t) { return i == 5 && t <= kT0 + 3 * kStep; };
    for (const std::int64_t t : lives.acknowledged) missing += !gone(t) && !samples.contains(t);
    for (const auto& [t, bits] : samples) wrong += !lives.tried.contains(t) || bits != std::bit_cast<std::uint64_t>(ValueAt(i, t));
    for (const std::int64_t t : lives.tried) torn += !gone(t) && samples.contains(t) != other.contains(t);
    if (i == 5 && lives.deleted) BOOST_TEST(!samples.contains(kT0));
  }
  BOOST_TEST(missing == 0u);
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(torn == 0u);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_call_fails_once_to_the_end) {
  const char* text = std::getenv("PROMKIT_FAULT_STEP");
  const int step = text != nullptr ? std::atoi(text) : 23 * 8 / prom::testing::Rounds(8);  // 1: every call
  std::size_t runs = 0;
  for (const auto fault : {FaultIo::Fault::kIo, FaultIo::Fault::kNoSpace, FaultIo::Fault::kShortWrite}) {
    bool clean = false;
    for (std::uint64_t n = 1 + static_cast<unsigned>(fault); !clean; n += static_cast<unsigned>(step)) {
      BOOST_TEST_CONTEXT("call " << n << ", fault " << static_cast<int>(fault)) {
        prom::testing::TempDir dir;
        Lives lives;
        {
          FaultIo io(SystemIo());
          io.FailCall(n, fault);
          Life(io, dir.path(), 0, 120, &lives);
          clean = io.failed() == 0;
        }
        Life(SystemIo(), dir.path(), 120, 30, &lives);
        BOOST_TEST(lives.acknowledged.contains(kT0 + 149 * kStep));
        BOOST_TEST(lives.acknowledged.size() >= (clean ? 150u : 30u));
        Check(dir.path(), lives);
        ++runs;
      }
    }
  }
  BOOST_TEST_MESSAGE(runs << " runs");
}

}  // namespace prom::store

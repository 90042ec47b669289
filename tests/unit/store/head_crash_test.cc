// Failing calls, power cuts, kill -9 and damaged bytes.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../testing.h"
#include "base/fault_io.h"
#include "head_testing.h"
#include "store/data_dir.h"

namespace prom::store {
using namespace prom::store::testing;

namespace {

constexpr int kColumns = 40;

std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

int FromEnv(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : fallback;
}

double ValueAt(int series, std::int64_t t) { return static_cast<double>(t % 1'000'003) * 0.25 + series; }

Result<void> DefineAll(Appender& a) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kColumns; ++i) {
    PROM_TRY(a.DefineSeries(i, Series("c", static_cast<int>(i))));
    ids.push_back(i);
  }
  PROM_TRY(a.DefineLayout(0, ids));
  PROM_TRY(a.DefineSeries(kColumns, Series("loose", 0)));
  return {};
}

// One batch: a row, and a loose sample of the same time.
Result<void> AppendBatch(Appender& a, std::int64_t t) {
  std::vector<double> values;
  for (int i = 0; i < kColumns; ++i) values.push_back(ValueAt(i, t));
  PROM_TRY(a.Row(0, t, values, {}));
  PROM_TRY(a.Sample(kColumns, t, ValueAt(kColumns, t)));
  return a.Commit(static_cast<std::uint64_t>(t));
}

void Want(Content* want, std::int64_t t) {
  for (int i = 0; i < kColumns; ++i) (*want)[Series("c", i).ToString()][t] = Bits(ValueAt(i, t));
  (*want)[Series("loose", 0).ToString()][t] = Bits(ValueAt(kColumns, t));
}

WriterOptions Small() {
  WriterOptions o = Quiet();
  o.head.segment_bytes = 8'000;
  o.head.max_pending_loose = 10;
  return o;
}

// Opening, appending, syncing, rolling over: every kind of write, `batches` times.
// Acknowledged times go to *acknowledged, others that were tried to *tried.
void RunScript(Io& io, const std::string& dir, std::set<std::int64_t>* acknowledged, std::set<std::int64_t>* tried, int first, int batches, const std::string& boot = "") {
  FixedClock clock(kT0 + 10'000'000);
  WriterOptions options = Small();
  options.boot_id = boot;
  options.block_ms = 100'000;
  options.slack_ms = 5'000;
  auto writer = Writer::Open(io, clock, dir, options);
  if (!writer) return;
  auto a = (*writer)->NewAppender();
  if (!DefineAll(*a)) return;
  for (int r = first; r < first + batches; ++r) {
    const std::int64_t t = kT0 + r * 1000;
    tried->insert(t);
    a->Discard();
    if (AppendBatch(*a, t)) acknowledged->insert(t);
    if (r % 10 == 9) (void)(*writer)->Sync();
  }
}

// Everything acknowledged is there with the right values, and nothing that was never tried.
void CheckContent(const Content& got, const std::set<std::int64_t>& acknowledged, const std::set<std::int64_t>& tried) {
  std::size_t missing = 0, wrong = 0, torn = 0;
  for (int i = 0; i <= kColumns; ++i) {
    const auto it = got.find(Series(i < kColumns ? "c" : "loose", i < kColumns ? i : 0).ToString());
    const std::map<std::int64_t, std::uint64_t> none;
    const auto& samples = it == got.end() ? none : it->second;
    for (const std::int64_t t : acknowledged) missing += !samples.contains(t);
    for (const auto& [t, bits] : samples) wrong += !tried.contains(t) || bits != Bits(ValueAt(i, t));
    // A batch is there as a whole or not at all.
    const auto& first = got.empty() ? none : got.begin()->second;
    for (const std::int64_t t : tried) torn += samples.contains(t) != first.contains(t);
  }
  BOOST_TEST(missing == 0u);
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(torn == 0u);
}

// A head of so many batches, a second apart; what is in it.
Content Fill(const std::string& dir, int batches) {
  Content want;
  FixedClock clock;
  auto writer = Writer::Open(SystemIo(), clock, dir, Small());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  REQUIRE_OK(DefineAll(*a));
  for (int r = 0; r < batches; ++r) {
    REQUIRE_OK(AppendBatch(*a, kT0 + r * 1000));
    Want(&want, kT0 + r * 1000);
  }
  return want;
}

}  // namespace

BOOST_AUTO_TEST_CASE(head_every_call_fails_once) {
  // How many calls a run without failures makes.
  std::uint64_t calls = 0;
  {
    prom::testing::TempDir dir;
    FaultIo io(SystemIo());
    std::set<std::int64_t> acknowledged, tried;
    RunScript(io, dir.path(), &acknowledged, &tried, 0, 130);
    calls = io.calls();
    BOOST_TEST(acknowledged.size() == 130u);
  }
  BOOST_TEST(calls > 100u);
  const int step = FromEnv("PROMKIT_FAULT_STEP", 7 * 8 / prom::testing::Rounds(8));  // 1: every call
  for (const auto fault : {FaultIo::Fault::kIo, FaultIo::Fault::kNoSpace, FaultIo::Fault::kShortWrite}) {
    for (std::uint64_t n = 1 + static_cast<unsigned>(fault); n <= calls; n += static_cast<unsigned>(step)) {
      BOOST_TEST_CONTEXT("call " << n << " fault " << static_cast<int>(fault)) {
        prom::testing::TempDir dir;
        FaultIo io(SystemIo());
        io.FailCall(n, fault);
        std::set<std::int64_t> acknowledged, tried;
        RunScript(io, dir.path(), &acknowledged, &tried, 0, 130);
        if (n > 40) BOOST_TEST(acknowledged.size() >= (n > 60 ? 100u : 0u));  // one failure costs little
        // And again without failures, over what was left.
        FaultIo healthy(SystemIo());
        RunScript(healthy, dir.path(), &acknowledged, &tried, 130, 20);
        BOOST_TEST(acknowledged.contains(kT0 + 149'000));
        CheckContent(ReadHeads(dir.path()), acknowledged, tried);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(head_full_disk_refuses_and_resumes) {
  prom::testing::TempDir dir;
  FaultIo io(SystemIo());
  FixedClock clock;
  auto writer = Writer::Open(io, clock, dir.path(), Small());
  REQUIRE_OK(writer);
  auto a = (*writer)->NewAppender();
  REQUIRE_OK(DefineAll(*a));
  Content want;
  for (int r = 0; r < 300; ++r) {
    const std::int64_t t = kT0 + r * 1000;
    if (r % 50 == 20) io.FailCall(1, FaultIo::Fault::kShortWrite, true);
    if (r % 50 == 40) io.Heal();
    const auto done = AppendBatch(*a, t);
    if (r % 50 >= 20 && r % 50 < 40) {
      BOOST_TEST_REQUIRE(!done.has_value());
      BOOST_TEST((done.error().code == Errc::kNoSpace));
      a->Discard();
    } else {
      BOOST_TEST(done.has_value(), "row " << r);
      Want(&want, t);
    }
    if (r % 10 == 5) BOOST_TEST((ReadHeads(dir.path()) == want), "row " << r);
  }
  a.reset();
  writer->reset();
  BOOST_TEST((ReadHeads(dir.path()) == want));
}

BOOST_AUTO_TEST_CASE(head_power_cuts) {
  const int trials = FromEnv("PROMKIT_POWER_TRIALS", prom::testing::Rounds(40));
  for (int trial = 0; trial < trials; ++trial) {
    BOOST_TEST_CONTEXT("trial " << trial) {
      prom::testing::TempDir dir;
      std::set<std::int64_t> durable, tried;
      for (int life = 0; life < 3; ++life) {
        FaultIo io(SystemIo());
        io.TrackUnsynced();
        {
          FixedClock clock;
          WriterOptions options = Small();
          options.boot_id = "boot " + std::to_string(life);
          auto writer = Writer::Open(io, clock, dir.path(), options);
          REQUIRE_OK(writer);
          auto a = (*writer)->NewAppender();
          REQUIRE_OK(DefineAll(*a));
          std::mt19937 random(static_cast<unsigned>(trial * 3 + life));
          std::set<std::int64_t> committed;
          const int rows = 20 + static_cast<int>(random() % 100);
          for (int r = 0; r < rows; ++r) {
            const std::int64_t t = kT0 + (life * 1000 + r) * 1000;
            tried.insert(t);
            REQUIRE_OK(AppendBatch(*a, t));
            committed.insert(t);
            if (random() % 8 == 0) {
              REQUIRE_OK((*writer)->Sync());
              durable.insert(committed.begin(), committed.end());
            }
          }
          // The power goes: no orderly close.
          io.FailCall(1, FaultIo::Fault::kIo, true);
        }
        io.Heal();
        REQUIRE_OK(io.PowerCut(trial % 4 == 0 ? 0 : static_cast<unsigned>(trial * 7 + life)));
      }
      FixedClock clock;
      WriterOptions options = Small();
      options.boot_id = "last boot";
      auto writer = Writer::Open(SystemIo(), clock, dir.path(), options);
      REQUIRE_OK(writer);
      auto heads = OpenHeads(dir.path());
      REQUIRE_OK(heads);
      Content got;
      std::vector<std::string> warnings;
      for (const auto& head : *heads) REQUIRE_OK(ReadAll(*head, &got, &warnings));
      BOOST_TEST(warnings.empty(), (warnings.empty() ? "" : warnings[0]));
      CheckContent(got, durable, tried);
    }
  }
}

// A child appends and tells each acknowledged time through a pipe until it is killed.
BOOST_AUTO_TEST_CASE(head_kill_9) {
  const int trials = FromEnv("PROMKIT_KILL_TRIALS", 20);
  prom::testing::TempDir dir;
  std::mt19937 random(7);
  std::set<std::int64_t> acknowledged, tried;
  std::int64_t next = kT0;

  // Two readers poll all the while, in processes of their own.
  std::vector<pid_t> readers;
  const std::string stop = dir / "stop";
  std::filesystem::create_directory(dir / "data");
  const std::string data = dir / "data";
  for (int k = 0; k < 2; ++k) {
    const pid_t pid = ::fork();
    BOOST_TEST_REQUIRE(pid >= 0);
    if (pid == 0) {
      std::size_t least = 0;
      int status = 0;
      while (status == 0 && !std::filesystem::exists(stop)) {
        ::usleep(500);
        if (!std::filesystem::exists(data + "/CURRENT") || !std::filesystem::exists(data + "/manifest-1")) continue;
        auto heads = OpenHeads(data);
        if (!heads) {
          // Between the page and the first manifest, and at no other time, there is nothing to read.
          if (least == 0 && heads.error().code == Errc::kNotFound) continue;
          std::fprintf(stderr, "reader: %s\n", heads.error().message.c_str());
          status = 10;
          continue;
        }
        Content got;
        std::vector<std::string> warnings;
        for (const auto& head : *heads) {
          if (auto done = ReadAll(*head, &got, &warnings); !done) {
            std::fprintf(stderr, "reader: %s\n", done.error().message.c_str());
            status = 11;
          }
          for (const std::string& w : head->warnings()) warnings.push_back(w);
        }
        if (!warnings.empty()) {
          std::fprintf(stderr, "reader: %s\n", warnings[0].c_str());
          status = 12;
        }
        // Batches are whole, values right, and nothing that was seen goes away.
        std::size_t rows = got.empty() ? 0 : got.begin()->second.size();
        for (const auto& [series, samples] : got) {
          if (samples.size() != rows) status = 13;
        }
        for (int i = 0; i < kColumns && status == 0; ++i)
          for (const auto& [t, bits] : got[Series("c", i).ToString()])
            if (bits != Bits(ValueAt(i, t))) status = 14;
        if (rows < least) status = 15;
        least = rows;
      }
      ::_exit(status);
    }
    readers.push_back(pid);
  }

  for (int trial = 0; trial < trials; ++trial) {
    int pipe_fds[2];
    BOOST_TEST_REQUIRE(::pipe(pipe_fds) == 0);
    const pid_t pid = ::fork();
    BOOST_TEST_REQUIRE(pid >= 0);
    if (pid == 0) {
      ::close(pipe_fds[0]);
      FixedClock clock;
      WriterOptions options = Small();
      options.head.segment_bytes = 100'000;
      auto writer = Writer::Open(SystemIo(), clock, data, options);
      if (!writer) {
        std::fprintf(stderr, "writer: %s\n", writer.error().message.c_str());
        ::_exit(20);
      }
      if (!(*writer)->warnings().empty()) {
        std::fprintf(stderr, "writer: %s\n", (*writer)->warnings()[0].c_str());
        ::_exit(21);
      }
      auto a = (*writer)->NewAppender();
      if (!DefineAll(*a)) ::_exit(22);
      for (std::int64_t t = next;; t += 1000) {
        if (!AppendBatch(*a, t)) ::_exit(23);
        if (::write(pipe_fds[1], &t, sizeof t) != sizeof t) ::_exit(24);
        if (t / 1000 % 50 == 0) (void)(*writer)->Maintain();
        if (t / 1000 % 20 == 0) (void)(*writer)->Sync();
      }
    }
    ::close(pipe_fds[1]);
    std::thread killer([&, wait = (2000 + random() % 30'000) * (8 / prom::testing::Rounds(8))] {
      ::usleep(wait);
      ::kill(pid, SIGKILL);
    });
    std::int64_t t = 0, last = next - 1000;
    while (::read(pipe_fds[0], &t, sizeof t) == sizeof t) {
      acknowledged.insert(t);
      last = t;
    }
    ::close(pipe_fds[0]);
    killer.join();
    int status = 0;
    ::waitpid(pid, &status, 0);
    BOOST_TEST_REQUIRE(WIFSIGNALED(status), "the writer ended by itself: " << WEXITSTATUS(status));
    for (std::int64_t k = next; k <= last + 1000; k += 1000) tried.insert(k);
    next = last + 2000;  // the one after the last acknowledged one may be there or not
  }
  std::ofstream(stop).put('x');
  for (const pid_t pid : readers) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0), "a reader ended with " << (WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)));
  }
  BOOST_TEST(acknowledged.size() > static_cast<std::size_t>(trials));
  CheckContent(ReadHeads(data), acknowledged, tried);
}

namespace {

std::string Bytes(const std::string& path) { return prom::testing::ReadFile(path); }

std::vector<std::string> FilesOf(const std::string& dir) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir))
    if (entry.is_regular_file() && entry.path().filename() != "lock") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

// One flipped bit anywhere: every value that is still there is right, and what is missing has been told.
BOOST_AUTO_TEST_CASE(head_flipped_bits) {
  prom::testing::TempDir dir;
  Content want = Fill(dir.path(), 75);
  BOOST_TEST((ReadHeads(dir.path()) == want));
  std::mt19937_64 random(11);
  const int flips = FromEnv("PROMKIT_FLIPS", 1);  // a file of n bytes gets n * flips / 64
  int silent = 0, wrong = 0, told = 0, trials = 0, refused = 0;
  for (const std::string& path : FilesOf(dir.path())) {
    const std::string good = Bytes(path);
    const bool tiles = path.ends_with("/tiles");
    for (std::size_t k = 0; k < std::max<std::size_t>(good.size() * static_cast<unsigned>(flips) / 64, 8); ++k) {
      std::string bad = good;
      const std::size_t at = random() % good.size();
      bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
      // In place: what readers have mapped stays the same file.
      std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).write(bad.data(), static_cast<std::streamsize>(bad.size()));
      ++trials;
      auto heads = OpenHeads(dir.path());
      if (!heads) {
        ++refused;
        BOOST_TEST((heads.error().code == Errc::kCorrupt || heads.error().code == Errc::kUnsupported || heads.error().code == Errc::kNotFound),
                   path << " byte " << at << ": " << heads.error().message);
        continue;
      }
      Content got;
      std::vector<std::string> warnings;
      bool error = false;
      for (const auto& head : *heads) {
        error |= !ReadAll(*head, &got, &warnings);
        for (const std::string& w : head->warnings()) warnings.push_back(w);
      }
      bool whole = true;
      for (const auto& [series, samples] : got)
        for (const auto& [t, bits] : samples) {
          const auto it = want.find(series);
          if (it == want.end() || !it->second.contains(t) || it->second.at(t) != bits) {
            ++wrong;
            BOOST_TEST_MESSAGE("wrong value: " << path << " byte " << at);
          }
        }
      if (got != want) whole = false;
      if (!whole && warnings.empty() && !error) {
        // A state of the tile table that was zeroed by the flip is told by nobody else; the table is checked below.
        ++silent;
        BOOST_TEST_MESSAGE("silent loss: " << path << " byte " << at << (tiles ? " (tiles)" : ""));
      }
      told += !warnings.empty() || error;
    }
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).write(good.data(), static_cast<std::streamsize>(good.size()));
  }
  BOOST_TEST(wrong == 0);
  BOOST_TEST(silent == 0);
  BOOST_TEST(told > 0);
  BOOST_TEST_MESSAGE(trials << " flips: " << told << " told, " << refused << " refused");
  BOOST_TEST((ReadHeads(dir.path()) == want));
}

// The writer opens what is damaged, says so, and goes on.
BOOST_AUTO_TEST_CASE(head_writer_opens_damaged_files) {
  prom::testing::TempDir dir;
  Content want = Fill(dir.path(), 75);
  std::mt19937_64 random(5);
  for (const std::string& path : FilesOf(dir.path())) {
    const std::size_t size = Bytes(path).size();
    for (int k = 0; k < 6; ++k) {
      prom::testing::TempDir copy;
      std::filesystem::copy(dir.path(), copy.path(), std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
      const std::string damaged = copy.path() + path.substr(dir.path().size());
      std::string bytes = Bytes(damaged);
      const std::size_t at = k == 5 ? size / 2 : random() % size;
      if (k == 5) bytes.resize(at);  // cut off
      else bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
      prom::testing::WriteFile(damaged, bytes);
      BOOST_TEST_CONTEXT(damaged << " byte " << at << " of " << size) {
        FixedClock clock;
        auto writer = Writer::Open(SystemIo(), clock, copy.path(), Small());
        if (!writer) {  // a header or the manifest: one clear line
          BOOST_TEST((writer.error().code == Errc::kCorrupt || writer.error().code == Errc::kUnsupported), writer.error().message);
          continue;
        }
        auto a = (*writer)->NewAppender();
        BOOST_TEST(DefineAll(*a).has_value());
        const std::int64_t t = kT0 + 1'000'000;
        BOOST_TEST(AppendBatch(*a, t).has_value());
        auto heads = OpenHeads(copy.path());
        REQUIRE_OK(heads);
        Content got;
        std::vector<std::string> warnings;
        for (const auto& head : *heads) REQUIRE_OK(ReadAll(*head, &got, &warnings));
        std::size_t wrong = 0, fresh = 0;
        for (const auto& [series, samples] : got) {
          for (const auto& [when, bits] : samples) {
            if (when == t) ++fresh;
            else wrong += !want[series].contains(when) || want[series][when] != bits;
          }
        }
        BOOST_TEST(wrong == 0u);
        BOOST_TEST(fresh == static_cast<std::size_t>(kColumns) + 1);
      }
    }
  }
}

// One damaged byte in a file header is repaired; a file of another kind is not touched.
BOOST_AUTO_TEST_CASE(head_writer_repairs_file_headers) {
  for (const char* name : {"series", "layouts", "homes", "homes_more", "tiles"}) {
    for (const std::size_t at : {2, 8, 14, 99}) {  // 99: all of the header
      BOOST_TEST_CONTEXT(name << " byte " << at) {
        prom::testing::TempDir dir;
        FixedClock clock;
        const Content want = Fill(dir.path(), 1);
        const std::string path = EpochDir(dir.path(), 1) + "/" + name;
        std::string bytes = Bytes(path);
        if (at == 99) bytes.replace(0, 16, "another file....");
        else bytes[at] = static_cast<char>(bytes[at] ^ 4);
        prom::testing::WriteFile(path, bytes);
        auto writer = Writer::Open(SystemIo(), clock, dir.path(), Small());
        BOOST_REQUIRE(writer.has_value() == (at != 99));
        if (!writer) {
          BOOST_TEST((writer.error().code == Errc::kCorrupt));
          BOOST_TEST((Bytes(path) == bytes));
          continue;
        }
        BOOST_TEST((*writer)->warnings().size() == 1u);
        BOOST_TEST((ReadHeads(dir.path()) == want));
      }
    }
  }
}

// What is cut off behind the header is found elsewhere or told to whoever reads.
BOOST_AUTO_TEST_CASE(head_readers_tell_of_cut_files) {
  prom::testing::TempDir dir;
  const Content want = Fill(dir.path(), 20);
  std::size_t all = 0;
  for (const auto& [series, samples] : want) all += samples.size();
  for (const char* name : {"series", "homes", "tiles"}) {
    const std::string path = EpochDir(dir.path(), 1) + "/" + name;
    const std::string good = Bytes(path);
    // Tiles: in the middle of a slot.
    for (const std::size_t size : {std::size_t{28}, good.size() / 2 + 5, good.size() - 1}) {
      BOOST_TEST_CONTEXT(name << " cut to " << size << " of " << good.size()) {
        prom::testing::WriteFile(path, good.substr(0, size));
        auto data = DataDir::Open(SystemIo(), dir.path());
        REQUIRE_OK(data);
        auto snapshot = (*data)->Snapshot();
        REQUIRE_OK(snapshot);
        auto selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
        std::size_t samples = 0, warnings = selection ? 0 : 1;
        for (std::size_t i = 0; selection && i < (*selection)->size(); ++i) {
          SeriesColumns columns;
          REQUIRE_OK((*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &columns));
          samples += columns.t.size() + columns.histograms.size();
          warnings += columns.warnings.size();
        }
        BOOST_TEST(warnings > 0u);
        if (std::string_view(name) == "homes") BOOST_TEST(samples == all);  // the layouts know it, too
      }
    }
    prom::testing::WriteFile(path, good);
  }
}

}  // namespace prom::store

// Commands that rewrite a data directory while calls fail, the process dies or the power
// goes: the directory opens, has what it had before or all of the command's work, and the
// command succeeds the next time.
#include <functional>
#include <random>

#include "../../testing.h"
#include "../store/head_testing.h"
#include "base/fault_io.h"
#include "store/data_dir.h"
#include "store/requests.h"
#include "store/snapshot.h"
#include "transfer/block_import.h"
#include "transfer/relabel_history.h"

namespace prom::transfer {
namespace {

using store::testing::Content;

constexpr std::int64_t kDay = 86'400'000, kNow = 1'700'000'000'000;

int FromEnv(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : fallback;
}

Result<void> Import(Io& io, const std::string& dir, std::int64_t start_ms, double base) {
  BlockImportOptions options;
  options.data_dir = dir;
  PROM_ASSIGN(const auto import, BlockImport::Start(io, SystemClock(), options));
  for (std::uint32_t s = 0; s < 10; ++s) {
    PROM_TRY(import->DefineSeries(s, Labels{{"__name__", "m"}, {"s", std::to_string(s)}, {"host", s < 5 ? "a:9100" : "b"}}));
    for (int i = 0; i < 50; ++i) PROM_TRY(import->Sample(s, start_ms + i * 15'000, base + s * i));
  }
  PROM_ASSIGN(const auto summary, import->Finish());
  BOOST_TEST(summary.samples == 500u);
  return {};
}

// Two imports that overlap, a head, a deletion: what every command has work with.
Result<void> MakeData(Io& io, const std::string& dir) {
  PROM_TRY(Import(io, dir, kNow - 3 * kDay, 1));
  PROM_TRY(Import(io, dir, kNow - 3 * kDay + 60'000, 1000));
  store::WriterOptions options;
  options.background = false;
  PROM_ASSIGN(const auto writer, store::Writer::Open(io, SystemClock(), dir, options));
  const auto appender = writer->NewAppender();
  PROM_TRY(appender->DefineSeries(0, Labels{{"__name__", "m"}, {"s", "1"}, {"host", "a:9100"}}));
  for (int i = 0; i < 20; ++i) PROM_TRY(appender->Sample(0, kNow + i, i));
  PROM_TRY(appender->Commit(1));
  PROM_TRY(writer->Delete({Matchers{Matcher::Equal("s", "3")}}, kMinTimeMs, kNow - 3 * kDay + 200'000));
  return writer->Close();
}

Content Read(const std::string& dir) {
  Content out;
  std::vector<std::string> warnings;
  const auto data = store::DataDir::Open(SystemIo(), dir);
  BOOST_TEST_REQUIRE(bool(data), (data ? "" : data.error().message));
  const auto source = (*data)->Snapshot();
  BOOST_TEST_REQUIRE(bool(source), (source ? "" : source.error().message));
  const auto done = store::testing::ReadAll(**source, &out, &warnings);
  BOOST_TEST_REQUIRE(bool(done), (done ? "" : done.error().message));
  BOOST_TEST(warnings.empty());
  return out;
}

struct Command {
  const char* name;
  std::function<Result<void>(Io&, const std::string& dir)> run;
};

Result<void> Access(Io& io, const std::string& dir, const std::function<Result<void>(store::WriterAccess&)>& use) {
  PROM_ASSIGN(const auto access, store::WriterAccess::Open(io, SystemClock(), dir, {}));
  PROM_TRY(use(*access));
  return access->Close();
}

Result<RelabelOptions> HostsWithoutPorts(const std::string& dir) {
  relabel::Config host, drop;
  host.source_labels = {"host"};
  host.regex = "(.*):9100";
  host.target_label = "host";
  drop.source_labels = {"s"};
  drop.regex = "8";
  drop.action = relabel::Action::kDrop;
  RelabelOptions options;
  options.data_dir = dir;
  PROM_ASSIGN(options.job.rules, relabel::CompileAll({host, drop}, relabel::NameScheme::kUtf8));
  return options;
}

const Command kCommands[] = {
    {"import", [](Io& io, const std::string& dir) { return Import(io, dir, kNow - 2 * kDay, 7); }},
    {"compact",
     [](Io& io, const std::string& dir) {
       return Access(io, dir, [](store::WriterAccess& access) -> Result<void> {
         PROM_TRY(access.Compact());
         return {};
       });
     }},
    {"delete",
     [](Io& io, const std::string& dir) {
       return Access(io, dir, [](store::WriterAccess& access) -> Result<void> {
         PROM_TRY(access.Delete({Matchers{Matcher::Equal("s", "7")}}, kMinTimeMs, kMaxTimeMs));
         return {};
       });
     }},
    {"relabel",
     [](Io& io, const std::string& dir) -> Result<void> {
       PROM_ASSIGN(const RelabelOptions options, HostsWithoutPorts(dir));
       PROM_TRY(RelabelHistory(io, SystemClock(), options));
       return {};
     }},
    {"snapshot",
     [](Io& io, const std::string& dir) -> Result<void> {
       const std::string to = dir + ".snapshot";
       PROM_ASSIGN(const bool there, SystemIo().Exists(to));
       if (there) PROM_TRY(RemoveTree(SystemIo(), to));  // a run that only failed at its very end
       PROM_TRY(store::MakeSnapshot(io, SystemClock(), dir, to, {}));
       return {};
     }},
};

class Fixture {
 public:
  Fixture() {
    REQUIRE_OK(MakeData(SystemIo(), original_));
    before_ = Read(original_);
  }
  // A copy to work on.
  std::string Fresh() {
    for (const char* name : {"/D", "/D.snapshot", "/D.snapshot.partial"}) std::filesystem::remove_all(dir_.path() + name);
    std::filesystem::copy(original_, dir_ / "D", std::filesystem::copy_options::recursive);
    return dir_ / "D";
  }
  // `done`: the command had said that it was.
  void Check(const Command& command, const std::string& dir, const Content& after, bool done) {
    const Content now = Read(dir);
    BOOST_TEST((now == after || (!done && now == before_)));
    FaultIo healthy(SystemIo());
    REQUIRE_OK(command.run(healthy, dir));
    BOOST_TEST((Read(dir) == after));
    if (command.name == std::string("snapshot")) BOOST_TEST((Read(dir + ".snapshot") == after));
    // Nothing is left but, for a minute, what was not locked yet.
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(dir + "/staging", none)) BOOST_TEST(entry.path().string().ends_with(".new"));
  }
  // What the command makes of it, and the calls that it takes.
  Content After(const Command& command, std::uint64_t* calls) {
    const std::string dir = Fresh();
    FaultIo io(SystemIo());
    REQUIRE_OK(command.run(io, dir));
    *calls = io.calls();
    return Read(dir);
  }

 private:
  prom::testing::TempDir dir_;
  const std::string original_ = dir_ / "W";
  Content before_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(rewriting_calls_fail) {
  Fixture fixture;
  const auto step = static_cast<std::uint64_t>(FromEnv("PROMKIT_FAULT_STEP", 7));  // 1: every call
  for (const Command& command : kCommands) {
    std::uint64_t calls = 0;
    const Content after = fixture.After(command, &calls);
    BOOST_TEST(calls > 5u);
    for (const auto fault : {FaultIo::Fault::kIo, FaultIo::Fault::kNoSpace, FaultIo::Fault::kShortWrite}) {
      for (const bool stay : {false, true}) {  // all that follow, too: killed there, or a disk that stays full
        for (std::uint64_t n = 1 + static_cast<unsigned>(fault) % step; n <= calls; n += step) {
          BOOST_TEST_CONTEXT(command.name << ", call " << n << " of " << calls << ", fault " << static_cast<int>(fault) << (stay ? ", stays" : "")) {
            const std::string dir = fixture.Fresh();
            FaultIo io(SystemIo());
            io.FailCall(n, fault, stay);
            const auto done = command.run(io, dir);
            if (!done && stay && fault == FaultIo::Fault::kNoSpace) BOOST_TEST(done.error().code == Errc::kNoSpace, done.error().message);
            fixture.Check(command, dir, after, done.has_value());
          }
        }
      }
    }
  }
}

// The store merges what is being relabelled, and takes samples: the blocks that came in the
// place of others are relabelled as well.
BOOST_AUTO_TEST_CASE(rewriting_relabel_beside_a_merge) {
  Fixture fixture;
  std::uint64_t calls = 0;
  const Content after = fixture.After(kCommands[3], &calls);
  const std::string dir = fixture.Fresh();
  auto options = HostsWithoutPorts(dir);
  REQUIRE_OK(options);
  bool merged = false;
  options->on_progress = [&](const char* what, std::uint64_t, std::uint64_t) {
    if (merged || what != std::string("writing")) return;
    merged = true;
    REQUIRE_OK(kCommands[1].run(SystemIo(), dir));
  };
  const auto summary = RelabelHistory(SystemIo(), SystemClock(), *options);
  REQUIRE_OK(summary);
  BOOST_TEST(merged);
  BOOST_TEST((Read(dir) == after));
  BOOST_TEST(!std::filesystem::exists(dir + "/staging"));
}

BOOST_AUTO_TEST_CASE(rewriting_power_cuts) {
  Fixture fixture;
  const int trials = FromEnv("PROMKIT_POWER_TRIALS", 20);
  for (const Command& command : kCommands) {
    std::uint64_t calls = 0;
    const Content after = fixture.After(command, &calls);
    std::mt19937 random(7);
    for (int trial = 0; trial < trials; ++trial) {
      const std::uint64_t n = 1 + random() % (calls + 2);  // behind the last one: the command had ended
      BOOST_TEST_CONTEXT(command.name << ", call " << n << " of " << calls << ", trial " << trial) {
        const std::string dir = fixture.Fresh();
        FaultIo io(SystemIo());
        io.TrackUnsynced();
        io.FailCall(n, FaultIo::Fault::kIo, true);
        const auto done = command.run(io, dir);
        REQUIRE_OK(io.PowerCut(static_cast<std::uint64_t>(trial % 4 == 0 ? 0 : trial)));
        {
          store::WriterOptions options;
          options.background = false;
          options.boot_id = "the next one";
          const auto writer = store::Writer::Open(SystemIo(), SystemClock(), dir, options);
          REQUIRE_OK(writer);
          REQUIRE_OK((*writer)->Close());
        }
        fixture.Check(command, dir, after, done.has_value());
      }
    }
  }
}

}  // namespace prom::transfer

// The ingest socket against producers that are right, hostile, slow, or die.
#include "store/ingest_server.h"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "exposition/stream_socket.h"
#include "store/data_dir.h"
#include "../../testing.h"

namespace prom::store {
namespace {

constexpr std::int64_t kT0 = 1'700'000'000'000;

struct Fixture {
  explicit Fixture(IngestOptions options = {}, std::uint64_t max_series = 0) {
    WriterOptions writer_options;
    writer_options.max_series = max_series;
    writer_options.background = false;
    options.idle_page_ms = 20;
    auto opened = Writer::Open(SystemIo(), SystemClock(), dir.path(), writer_options);
    BOOST_REQUIRE(bool(opened));
    writer = std::move(*opened);
    auto started = IngestServer::Start(*writer, SystemClock(), path, options);
    BOOST_REQUIRE(bool(started));
    server = std::move(*started);
  }
  // "name=v,v,... " of each series, sorted.
  std::string Stored() {
    auto data = DataDir::Open(SystemIo(), dir.path());
    BOOST_REQUIRE(bool(data));
    auto snapshot = (*data)->Snapshot();
    BOOST_REQUIRE(bool(snapshot));
    auto selection = (*snapshot)->Select({}, kMinTimeMs, kMaxTimeMs);
    BOOST_REQUIRE(bool(selection));
    std::string out;
    SeriesColumns c;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      BOOST_REQUIRE(bool((*selection)->Read(i, kMinTimeMs, kMaxTimeMs, &c)));
      if (c.t.empty()) continue;
      out += (*selection)->labels(i).ToSeries() + "=";
      for (std::size_t k = 0; k < c.v.size(); ++k) out += (k != 0 ? "," : "") + std::to_string(static_cast<int>(c.v[k]));
      out += " ";
    }
    return out;
  }
  testing::TempDir dir;
  const std::string path = dir / "ingest.sock";
  std::unique_ptr<Writer> writer;
  std::unique_ptr<IngestServer> server;
};

// A socket without manners.
struct Raw {
  explicit Raw(const std::string& path) : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    BOOST_REQUIRE_EQUAL(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Raw() { ::close(fd); }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  // What comes until the other side closes, or `until` is in it, or 5 s are over.
  std::string Receive(std::string_view until = {}) {
    std::string got;
    char buffer[4096];
    pollfd p{fd, POLLIN, 0};
    while ((until.empty() || got.find(until) == std::string::npos) && ::poll(&p, 1, 5000) > 0) {
      const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      got.append(buffer, static_cast<std::size_t>(n));
    }
    return got;
  }
  int fd;
};

// A stream of one batch a value: series x, values 1..n; the last batch may be left open.
std::string Stream(int batches, bool commit_last = true, std::string_view name = "x") {
  std::string out;
  StreamEncoder encoder([&](std::string_view bytes) -> Result<void> {
    out += bytes;
    return {};
  });
  BOOST_REQUIRE(bool(encoder.DefineSeries(0, Labels{{"__name__", name}})));
  for (int i = 1; i <= batches; ++i) {
    BOOST_REQUIRE(bool(encoder.Sample(0, kT0 + i, i)));
    if (i < batches || commit_last) BOOST_REQUIRE(bool(encoder.Commit(static_cast<std::uint64_t>(i))));
  }
  BOOST_REQUIRE(bool(encoder.Flush()));
  return out;
}

struct Replies {
  std::uint64_t sequence = 0, accepted = 0, refused = 0;
  Durability durability = Durability::kProcess;
  std::string failure;
  Errc code = Errc::kInternal;
};
Replies Decode(std::string_view bytes) {
  Replies r;
  ReplyDecoder decoder;
  auto done = decoder.Feed(
      bytes,
      [&](const StreamAck& ack) {
        r.sequence = ack.sequence;
        r.accepted += ack.accepted;
        r.refused += ack.refused;
        r.durability = ack.durability;
      },
      [&](const StreamFailure& f) {
        r.failure = f.message;
        r.code = f.code;
      });
  BOOST_TEST(bool(done));
  return r;
}

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ingest_server)

BOOST_AUTO_TEST_CASE(batches_are_acknowledged_once_visible) {
  Fixture f;
  struct stat st {};
  BOOST_REQUIRE_EQUAL(::stat(f.path.c_str(), &st), 0);
  BOOST_TEST((st.st_mode & 0777) == 0660u);
  auto socket = StreamSocket::Connect(f.path, 1000);
  BOOST_REQUIRE(bool(socket));
  BOOST_REQUIRE(bool((*socket)->Send(Stream(3))));
  while ((*socket)->acked() < 3) BOOST_REQUIRE(bool((*socket)->TakeReplies(1000)));
  BOOST_TEST(f.Stored() == "x=1,2,3 ");
  BOOST_TEST((*socket)->accepted() == 3u);
  BOOST_TEST((*socket)->refused() == 0u);
  BOOST_TEST(((*socket)->durability() == Durability::kProcess));
}

BOOST_AUTO_TEST_CASE(refused_samples_are_counted_in_the_acknowledgement) {
  Fixture f;
  std::string bytes;
  StreamEncoder encoder([&](std::string_view b) -> Result<void> {
    bytes += b;
    return {};
  });
  BOOST_REQUIRE(bool(encoder.DefineSeries(0, Labels{{"__name__", "x"}})));
  const std::pair<int, double> samples[] = {{5, 1}, {5, 1}, {5, 2}, {4, 1}, {6, 1}};  // taken, again, other value, older, taken
  std::uint64_t sequence = 0;
  for (const auto& [t, v] : samples) {
    BOOST_REQUIRE(bool(encoder.Sample(0, kT0 + t, v)));
    BOOST_REQUIRE(bool(encoder.Commit(++sequence)));
  }
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send(bytes));
  ::shutdown(raw.fd, SHUT_WR);
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.sequence == 5u);
  BOOST_TEST(r.accepted == 3u);
  BOOST_TEST(r.refused == 2u);
  BOOST_TEST(r.failure == "");
}

// Beyond the series limit samples are refused one by one, in rows and singly; what is there goes on,
// also from another producer that defines it anew.
BOOST_AUTO_TEST_CASE(series_over_the_limit_are_refused) {
  Fixture f({}, 2);
  for (int producer = 0; producer < 2; ++producer) {
    auto socket = StreamSocket::Connect(f.path, 1000);
    BOOST_REQUIRE(bool(socket));
    StreamEncoder encoder([&](std::string_view bytes) { return (*socket)->Send(bytes); });
    const char* const names[] = {"a", "b", "c", "d"};
    std::uint32_t ids[4];
    for (std::uint32_t i = 0; i < 4; ++i) {
      ids[i] = i;
      // The second producer has them in another order.
      BOOST_REQUIRE(bool(encoder.DefineSeries(i, Labels{{"__name__", names[producer == 0 ? i : 3 - i]}})));
    }
    BOOST_REQUIRE(bool(encoder.DefineLayout(0, ids)));
    const double values[] = {1, 2, 3, 4};
    BOOST_REQUIRE(bool(encoder.Row(0, kT0 + 100 * producer, values, {})));
    BOOST_REQUIRE(bool(encoder.Sample(0, kT0 + 100 * producer + 10, 5)));
    BOOST_REQUIRE(bool(encoder.Sample(3, kT0 + 100 * producer + 10, 6)));
    BOOST_REQUIRE(bool(encoder.ExemplarOf(3, Exemplar{})));
    BOOST_REQUIRE(bool(encoder.HistogramAt(producer == 0 ? 2 : 1, kT0 + 11, Histogram{})));
    BOOST_REQUIRE(bool(encoder.Commit(1)));
    while ((*socket)->acked() < 1) BOOST_REQUIRE(bool((*socket)->TakeReplies(1000)));
    BOOST_TEST((*socket)->totals().accepted == 3u);
    BOOST_TEST((*socket)->totals().refused == 4u);
    BOOST_TEST((*socket)->totals().over_limit == 4u);
  }
  BOOST_TEST(f.Stored() == "a=1,5,4,6 b=2,3 ");
  BOOST_TEST(f.server->counters().over_limit == 8u);
  BOOST_TEST(f.writer->counters().series == 2u);
}

BOOST_AUTO_TEST_CASE(sync_promises_the_disk) {
  IngestOptions options;
  options.sync = true;
  Fixture f(options);
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send(Stream(2)));
  ::shutdown(raw.fd, SHUT_WR);
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.sequence == 2u);
  BOOST_TEST((r.durability == Durability::kDisk));
  BOOST_TEST(f.writer->durable_sequence() == f.writer->committed_sequence());
}

BOOST_AUTO_TEST_CASE(bytes_cut_anywhere) {
  Fixture f;
  Raw raw(f.path);
  for (const char byte : Stream(3)) BOOST_REQUIRE(raw.Send({&byte, 1}));
  ::shutdown(raw.fd, SHUT_WR);
  BOOST_TEST(Decode(raw.Receive()).sequence == 3u);
  BOOST_TEST(f.Stored() == "x=1,2,3 ");
}

BOOST_AUTO_TEST_CASE(death_in_the_middle_leaves_whole_batches) {
  // Cut at every byte: what is visible are the batches whose commit frame is whole.
  const std::string whole = Stream(3);
  for (std::size_t cut = 0; cut < whole.size(); cut += 7) {
    BOOST_TEST_CONTEXT("cut at " << cut) {
      Fixture f;
      {
        Raw raw(f.path);
        BOOST_REQUIRE(raw.Send(std::string_view(whole).substr(0, cut)));
      }
      BOOST_REQUIRE(Eventually([&] { return f.server->counters().accepted == 1 && f.server->counters().connections == 0; }));
      const std::string stored = f.Stored();
      std::size_t batches = 0;
      for (int n = 1; n <= 3; ++n) batches += cut >= Stream(n).size() ? 1 : 0;
      BOOST_TEST(stored == (batches == 0 ? "" : batches == 1 ? "x=1 " : batches == 2 ? "x=1,2 " : "x=1,2,3 "));
    }
  }
  Fixture f;
  {
    Raw raw(f.path);
    BOOST_REQUIRE(raw.Send(Stream(3, false)));  // the third is not committed
  }
  BOOST_REQUIRE(Eventually([&] { return f.server->counters().accepted == 1 && f.server->counters().connections == 0; }));
  BOOST_TEST(f.Stored() == "x=1,2 ");
}

BOOST_AUTO_TEST_CASE(hostile_bytes_end_their_connection_only) {
  Fixture f;
  Raw good(f.path);
  const std::string stream = Stream(2, true, "good");
  BOOST_REQUIRE(good.Send(std::string_view(stream).substr(0, stream.size() / 2)));

  std::mt19937 random(7);
  std::string flipped = Stream(3, true, "evil");
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  std::string newer = Stream(1);
  newer[6] = 9;
  std::string huge = Stream(0);
  AppendStreamHeader(&huge);
  huge.append("\xff\xff\xff\x7f\x03\0\0\0\0\0\0\0", 12);
  for (const auto& [bytes, want] : {std::pair(flipped, "checksum"), std::pair(newer, "version"), std::pair(huge, "byte")}) {
    BOOST_TEST_CONTEXT(want) {
      Raw raw(f.path);
      raw.Send(bytes);
      const Replies r = Decode(raw.Receive());
      BOOST_TEST(r.failure.find(want) != std::string::npos, r.failure);
    }
  }
  for (int i = 0; i < 30; ++i) {
    std::string bytes;
    AppendStreamHeader(&bytes);
    if (i % 2 == 0) bytes[0] = 'a';  // as text
    for (int k = 0; k < 3000; ++k) bytes.push_back(static_cast<char>(random()));
    Raw raw(f.path);
    raw.Send(bytes);
    ::shutdown(raw.fd, SHUT_WR);
    raw.Receive();
  }
  BOOST_REQUIRE(good.Send(std::string_view(stream).substr(stream.size() / 2)));
  ::shutdown(good.fd, SHUT_WR);
  BOOST_TEST(Decode(good.Receive()).sequence == 2u);
  BOOST_TEST(f.Stored().find("good=1,2 ") != std::string::npos);
  BOOST_TEST(f.server->counters().failed >= 3u);
}

BOOST_AUTO_TEST_CASE(rows_of_unknown_layouts_and_series_are_refused) {
  // Frames that are whole and have the right checksum, but no sense: by the decoder.
  Fixture f;
  std::string bytes = Stream(1);
  std::string second = Stream(1);
  bytes += second.substr(8);  // series 0 again
  Raw raw(f.path);
  raw.Send(bytes);
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.sequence == 1u);
  BOOST_TEST(r.failure != "");
  BOOST_TEST(f.Stored() == "x=1 ");
}

BOOST_AUTO_TEST_CASE(ids_may_run_ahead) {
  Fixture f;
  std::string bytes;
  StreamEncoder encoder([&](std::string_view b) -> Result<void> {
    bytes += b;
    return {};
  });
  BOOST_REQUIRE(bool(encoder.DefineSeries(2, Labels{{"__name__", "c"}})));
  BOOST_REQUIRE(bool(encoder.DefineSeries(0, Labels{{"__name__", "a"}})));
  const std::uint32_t layout[] = {2, 0};
  BOOST_REQUIRE(bool(encoder.DefineLayout(1, layout)));
  const double values[] = {3, 1};
  BOOST_REQUIRE(bool(encoder.Row(1, kT0, values, {})));
  BOOST_REQUIRE(bool(encoder.Commit(1)));
  BOOST_REQUIRE(bool(encoder.DefineSeries(1, Labels{{"__name__", "b"}})));
  BOOST_REQUIRE(bool(encoder.Sample(1, kT0, 2)));
  BOOST_REQUIRE(bool(encoder.Commit(2)));
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send(bytes));
  ::shutdown(raw.fd, SHUT_WR);
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.failure == "");
  BOOST_TEST(f.Stored() == "a=1 b=2 c=3 ");
}

BOOST_AUTO_TEST_CASE(text_is_taken_and_answered_in_text) {
  Fixture f;
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send("x 1 1700000000000\nbad{ 1\ny 2 1700000000000\n"));
  // The page ends when nothing comes.
  const std::string first = raw.Receive("safe process\n");
  BOOST_TEST(first.find("refused line 2: ") != std::string::npos, first);
  BOOST_TEST(first.find("ack 1 accepted 2 refused 0 safe process\n") != std::string::npos, first);
  BOOST_TEST(f.Stored() == "x=1 y=2 ");
  // A line that does not end may be half of one.
  BOOST_REQUIRE(raw.Send("x 2 1700000001000\nx 123 1700000"));
  ::shutdown(raw.fd, SHUT_WR);
  const std::string rest = raw.Receive();
  BOOST_TEST(rest.find("the input ends inside this line") != std::string::npos, rest);
  BOOST_TEST(f.Stored() == "x=1,2 y=2 ");
}

BOOST_AUTO_TEST_CASE(a_producer_that_reads_no_answers_is_not_waited_for) {
  Fixture f;
  Raw raw(f.path);
  // Far more acknowledgements than a socket buffer holds.
  BOOST_REQUIRE(raw.Send(Stream(20'000)));
  BOOST_TEST(Eventually([&] { return f.server->counters().batches == 20'000; }));
  ::shutdown(raw.fd, SHUT_WR);
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.sequence == 20'000u);
  BOOST_TEST(r.accepted == 20'000u);
}

BOOST_AUTO_TEST_CASE(slow_and_idle_producers_delay_nobody) {
  Fixture f;
  Raw idle(f.path), half(f.path);
  const std::string stream = Stream(1, true, "half");
  BOOST_REQUIRE(half.Send(std::string_view(stream).substr(0, 20)));
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send(Stream(5)));
  ::shutdown(raw.fd, SHUT_WR);
  BOOST_TEST(Decode(raw.Receive()).sequence == 5u);
  f.server->Stop();  // ends them, too
  BOOST_TEST(Decode(idle.Receive()).failure == "the store is stopping");
  BOOST_TEST(f.Stored() == "x=1,2,3,4,5 ");
}

BOOST_AUTO_TEST_CASE(too_many_connections_are_told_so) {
  IngestOptions options;
  options.max_connections = 2;
  Fixture f(options);
  {
    Raw a(f.path), b(f.path);
    BOOST_REQUIRE(Eventually([&] { return f.server->counters().connections == 2; }));
    Raw c(f.path);
    const Replies r = Decode(c.Receive());
    BOOST_TEST((r.code == Errc::kLimit));
    BOOST_TEST(r.failure == "too many connections (2)");
  }
  BOOST_REQUIRE(Eventually([&] { return f.server->counters().connections == 0; }));
  Raw d(f.path);
  BOOST_REQUIRE(d.Send(Stream(1)));
  ::shutdown(d.fd, SHUT_WR);
  BOOST_TEST(Decode(d.Receive()).sequence == 1u);
}

BOOST_AUTO_TEST_CASE(what_was_sent_before_the_stop_is_stored) {
  Fixture f;
  Raw raw(f.path);
  BOOST_REQUIRE(raw.Send(Stream(500)));
  BOOST_REQUIRE(Eventually([&] { return f.server->counters().connections == 1; }));
  f.server->Stop();
  const Replies r = Decode(raw.Receive());
  BOOST_TEST(r.sequence == 500u);
  BOOST_TEST(r.accepted == 500u);
  BOOST_TEST(::access(f.path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(a_dead_socket_is_replaced_and_other_files_are_not) {
  testing::TempDir dir;
  WriterOptions writer_options;
  writer_options.background = false;
  auto writer = Writer::Open(SystemIo(), SystemClock(), dir.path(), writer_options);
  BOOST_REQUIRE(bool(writer));
  const std::string path = dir / "ingest.sock";
  testing::WriteFile(path, "mine");
  auto started = IngestServer::Start(**writer, SystemClock(), path, {});
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().message.find("in the way") != std::string::npos);
  BOOST_TEST(testing::ReadFile(path) == "mine");
  auto too_long = IngestServer::Start(**writer, SystemClock(), dir / std::string(200, 'x'), {});
  BOOST_REQUIRE(!too_long);
  BOOST_TEST((too_long.error().code == Errc::kInvalid));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace prom::store

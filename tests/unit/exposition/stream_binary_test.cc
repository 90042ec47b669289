#include "exposition/stream_binary.h"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "../../testing.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "recording_sink.h"

using namespace prom;
using prom::testing::ProduceRandom;
using prom::testing::RecordingSink;

namespace {

std::string Encode(const std::function<void(StreamSink*)>& produce) {
  std::string out;
  StreamEncoder encoder([&](std::string_view bytes) { return out.append(bytes), Result<void>(); }, 1000);
  produce(&encoder);
  BOOST_TEST_REQUIRE(bool(encoder.Flush()));
  return out;
}

// A frame with a checksum that holds, whatever is in it.
std::string Frame(std::uint32_t type, const std::string& payload) {
  std::string head, out;
  AppendLe<std::uint32_t>(&head, static_cast<std::uint32_t>(payload.size()));
  AppendLe<std::uint32_t>(&head, type);
  out = head;
  AppendLe<std::uint32_t>(&out, Crc32c(head + payload));
  return out + payload;
}

std::string Header() {
  std::string out;
  AppendStreamHeader(&out);
  return out;
}

Error DecodeError(const std::string& bytes, StreamLimits limits = {}) {
  RecordingSink sink;
  StreamDecoder decoder(&sink, limits);
  auto done = decoder.Feed(bytes);
  if (done) done = decoder.Finish();
  return done ? Error{Errc::kInternal, "decoded"} : done.error();
}

std::string Varints(std::initializer_list<std::uint64_t> values) {
  std::string out;
  for (const auto v : values) AppendVarint(&out, v);
  return out;
}

// Series 0 and 1, layout 0 of both.
std::string Preamble() {
  return Encode([](StreamSink* sink) {
    BOOST_TEST_REQUIRE(bool(sink->DefineSeries(0, Labels({{"__name__", "a"}}))));
    BOOST_TEST_REQUIRE(bool(sink->DefineSeries(1, Labels({{"__name__", "b"}}))));
    const std::uint32_t ids[] = {0, 1};
    BOOST_TEST_REQUIRE(bool(sink->DefineLayout(0, ids)));
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(binary_stream_loses_nothing) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    RecordingSink direct, back, cut;
    ProduceRandom(&direct, seed, 500);
    const std::string bytes = Encode([&](StreamSink* sink) { ProduceRandom(sink, seed, 500); });
    BOOST_TEST((DetectStream(bytes.substr(0, 1)) == StreamForm::kBinary));
    StreamDecoder decoder(&back);
    BOOST_TEST_REQUIRE(bool(decoder.Feed(bytes)));
    BOOST_TEST_REQUIRE(bool(decoder.Finish()));
    BOOST_TEST(decoder.offset_bytes() == bytes.size());
    BOOST_TEST((back.log == direct.log));
    BOOST_TEST(back.rows == direct.rows);
    BOOST_TEST(back.resets == direct.resets);
    StreamDecoder pieces(&cut);
    for (std::size_t at = 0; at < bytes.size(); at += 1 + seed) BOOST_TEST_REQUIRE(bool(pieces.Feed(std::string_view(bytes).substr(at, 1 + seed))));
    BOOST_TEST_REQUIRE(bool(pieces.Finish()));
    BOOST_TEST((cut.log == direct.log));
  }
}

BOOST_AUTO_TEST_CASE(forms_are_told_apart) {
  BOOST_TEST((DetectStream("") == StreamForm::kUnknown));
  BOOST_TEST((DetectStream("up 1\n") == StreamForm::kText));
  BOOST_TEST((DetectStream("#") == StreamForm::kText));
  BOOST_TEST((DetectStream("\n") == StreamForm::kText));
  BOOST_TEST((DetectStream("\xc3\xbc") == StreamForm::kText));
}

BOOST_AUTO_TEST_CASE(binary_truncated_at_every_byte) {
  const std::string bytes = Encode([&](StreamSink* sink) { ProduceRandom(sink, 3, 60); });
  RecordingSink whole;
  StreamDecoder all(&whole);
  BOOST_TEST_REQUIRE(bool(all.Feed(bytes)));
  std::size_t at_frame_ends = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    RecordingSink sink;
    StreamDecoder decoder(&sink);
    BOOST_TEST_REQUIRE(bool(decoder.Feed(std::string_view(bytes).substr(0, n))));
    const auto done = decoder.Finish();
    if (done) {
      BOOST_TEST(decoder.offset_bytes() == n);
      ++at_frame_ends;
    } else {
      BOOST_TEST((done.error().code == Errc::kCorrupt));
      BOOST_TEST(done.error().message == "the stream ends inside a frame at byte " + std::to_string(decoder.offset_bytes()));
    }
    // What came through is the beginning of the whole.
    BOOST_TEST_REQUIRE(sink.log.size() <= whole.log.size());
    BOOST_TEST((std::equal(sink.log.begin(), sink.log.end(), whole.log.begin())));
  }
  BOOST_TEST(at_frame_ends > 5u);
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_is_found) {
  const std::string bytes = Encode([&](StreamSink* sink) { ProduceRandom(sink, 4, 12); });
  BOOST_TEST_REQUIRE(bytes.size() < 20000u);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    const auto error = DecodeError(damaged);
    BOOST_TEST_REQUIRE((error.code == Errc::kCorrupt || error.code == Errc::kUnsupported), "bit " << i << ": " << error.message);
    BOOST_TEST_REQUIRE(error.message.find(" at byte ") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(hostile_frames) {
  struct Row {
    const char* what;
    std::uint32_t type;
    std::string payload;
    const char* want;
  };
  const std::string labels = Labels({{"__name__", "x"}}).bytes();
  const auto series = [&](std::uint64_t id) {
    std::string out;
    AppendVarint(&out, id);
    AppendLengthPrefixed(&out, labels);
    return out;
  };
  const auto row = [](std::uint32_t layout, std::uint32_t n, std::uint32_t flags, std::size_t values) {
    std::string out;
    AppendLe<std::uint32_t>(&out, layout);
    AppendLe<std::uint32_t>(&out, n);
    AppendLe<std::int64_t>(&out, 1);
    AppendLe<std::uint32_t>(&out, flags);
    return out + std::string(values * 8, '\0');
  };
  const auto sample = [](std::uint64_t head) {
    std::string out;
    AppendVarint(&out, head);
    AppendVarint(&out, 0);
    return out + std::string(8, '\0');
  };
  const std::string histogram_head = Varints({0}) + std::string(16, '\0') + std::string(2, '\0') + Varints({0}) + std::string(32, '\0');
  const Row kRows[] = {
      {"type 0", 0, "", "frame of unknown type 0"},
      {"type 200", 200, "", "frame of unknown type 200"},
      {"reserved", 256, "", "frame with reserved bits set"},
      {"series twice", 1, series(0), "series 0 is defined twice"},
      {"far series", 1, series(1'000'000), "series id 1000000 is out of order or over the limit"},
      {"huge series", 1, series(~0ull), "series id 18446744073709551615 is out of order or over the limit"},
      {"labels cut", 1, Varints({2, 100}), "bad series frame"},
      {"labels unsorted", 1, Varints({2, 8}) + std::string("\1b\1x\1a\1x", 8), "series 2: label set: names not ascending"},
      {"layout of nobody", 2, Varints({1, 1, 2 * 9}), "layout 1 names a series that is not defined"},
      {"layout with a count", 2, Varints({1, 1ull << 60}), "bad layout frame"},
      {"layout with more", 2, Varints({1, 1, 0, 0}), "bad layout frame"},
      {"far layout", 2, Varints({100000, 0}), "layout id 100000 is out of order or over the limit"},
      {"row of nobody", 3, row(7, 2, 0, 2), "row does not fit layout 7"},
      {"row too short", 3, row(0, 1, 0, 1), "row does not fit layout 0"},
      {"row with a count", 3, row(0, 0xffffffff, 0, 2), "bad row frame"},
      {"row without bits", 3, row(0, 2, 1, 2), "bad row frame"},
      {"row flags", 3, row(0, 2, 2, 2), "row frame with reserved bits set"},
      {"empty row", 3, "", "bad row frame"},
      {"sample of nobody", 4, sample(2 << 1), "sample of series 2, which is not defined"},
      {"sample cut", 4, sample(0).substr(0, 5), "bad samples frame"},
      {"histogram spans", 5, histogram_head + Varints({1ull << 50}), "bad histogram frame"},
      {"histogram buckets", 5, histogram_head + Varints({0, 1ull << 61}), "bad histogram frame"},
      {"histogram sides", 5, histogram_head + Varints({1, 0, 3, 0, 0, 0, 0}),
       "bad histogram: positive side: spans need 3 buckets, have 0 buckets: histogram spans specify different number of buckets than provided"},
      {"exemplar", 6, Varints({0, 5}), "bad exemplar frame"},
      {"metadata type", 7, std::string("\1a\77\0\0", 5), "bad metadata frame"},
      {"commit", 8, "1234", "bad commit frame"},
      {"reset", 9, "1", "bad reset frame"},
      {"acknowledgement the wrong way", 64, "", "frame of unknown type 64"},
  };
  const std::string preamble = Preamble();
  for (const auto& one : kRows) {
    BOOST_TEST_CONTEXT(one.what) {
      const auto error = DecodeError(preamble + Frame(one.type, one.payload));
      BOOST_TEST((error.code == Errc::kCorrupt));
      BOOST_TEST(error.message == std::string(one.want) + " at byte " + std::to_string(preamble.size()));
    }
  }
  // A length alone: refused before anything is held for it.
  std::string length = Header();
  AppendLe<std::uint32_t>(&length, 0xffffffff);
  length += std::string(8, '\0');
  BOOST_TEST(DecodeError(length).message == "frame of 4294967295 bytes is over the limit of 67108864 at byte 8");
  // Wrapping ids in layouts must not reach the sink.
  BOOST_TEST(DecodeError(preamble + Frame(2, Varints({1, 2, 0, ~0ull}))).message.starts_with("layout 1 names a series"));
  StreamLimits few;
  few.max_columns = 3;
  BOOST_TEST(DecodeError(preamble + Frame(2, Varints({1, 2, 0, 0})), few).message.starts_with("layouts with more columns than the limit of 3"));
}

BOOST_AUTO_TEST_CASE(versions) {
  std::string newer = Header();
  newer[6] = 2;
  auto error = DecodeError(newer);
  BOOST_TEST((error.code == Errc::kUnsupported));
  BOOST_TEST(error.message == "stream version 2 is newer than version 1, the newest this program reads, at byte 0");
  BOOST_TEST(DecodeError("\x89PNG\r\n\x1a\n").message == "not a binary stream: bad magic at byte 0");
  // The same again after an error.
  RecordingSink sink;
  StreamDecoder decoder(&sink);
  BOOST_TEST(!decoder.Feed(newer));
  BOOST_TEST(!decoder.Feed(Header()));
  BOOST_TEST(!decoder.Finish());
}

BOOST_AUTO_TEST_CASE(encoder_refuses_what_a_decoder_would) {
  std::string out;
  StreamEncoder encoder([&](std::string_view bytes) { return out.append(bytes), Result<void>(); });
  BOOST_TEST(!encoder.Sample(0, 1, 1));
  BOOST_TEST(bool(encoder.DefineSeries(0, Labels({{"__name__", "a"}}))));
  BOOST_TEST(!encoder.DefineSeries(0, Labels({{"__name__", "a"}})));
  BOOST_TEST(!encoder.DefineSeries(1'000'000, Labels({{"__name__", "a"}})));
  const std::uint32_t ids[] = {0, 5};
  BOOST_TEST(!encoder.DefineLayout(0, ids));
  BOOST_TEST(bool(encoder.DefineLayout(0, std::span(ids, 1))));
  const double values[] = {1, 2};
  BOOST_TEST(!encoder.Row(0, 1, values, {}));
  BOOST_TEST(!encoder.Row(1, 1, values, {}));
  Histogram bad;
  bad.schema = 99;
  BOOST_TEST(!encoder.HistogramAt(0, 1, bad));
  BOOST_TEST(bool(encoder.Row(0, 1, std::span(values, 1), {})));
  BOOST_TEST(bool(encoder.Commit(1)));
  RecordingSink sink;
  StreamDecoder decoder(&sink);
  BOOST_TEST(bool(decoder.Feed(out)));
  BOOST_TEST(sink.log.size() == 2u);
}

BOOST_AUTO_TEST_CASE(replies) {
  std::string bytes = Header();
  AppendAck(&bytes, {.sequence = 7, .durability = Durability::kDisk, .accepted = 1000, .refused = 10, .out_of_order = 1, .duplicates = 2, .too_old = 3, .over_limit = 300});
  AppendAck(&bytes, {.sequence = 9, .accepted = 5});
  AppendFailure(&bytes, {.code = Errc::kNoSpace, .sequence = 8, .message = "write wal: No space left on device"});
  for (const std::size_t step : {std::size_t{1}, bytes.size()}) {
    ReplyDecoder decoder;
    std::vector<std::string> log;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      BOOST_TEST_REQUIRE(bool(decoder.Feed(
          std::string_view(bytes).substr(at, step),
          [&](const StreamAck& a) { log.push_back(std::to_string(a.sequence) + " " + std::to_string(static_cast<int>(a.durability)) + " " + std::to_string(a.accepted) + " " + std::to_string(a.refused) + " " + std::to_string(a.out_of_order) + " " + std::to_string(a.duplicates) + " " +
                               std::to_string(a.too_old) + " " + std::to_string(a.over_limit)); },
          [&](const StreamFailure& f) { log.push_back(std::to_string(f.sequence) + " " + std::to_string(static_cast<int>(f.code)) + " " + f.message); })));
    }
    BOOST_TEST_REQUIRE(log.size() == 3u);
    BOOST_TEST(log[0] == "7 2 1000 10 1 2 3 300");
    BOOST_TEST(log[1] == "9 1 5 0 0 0 0 0");
    BOOST_TEST(log[2] == "8 5 write wal: No space left on device");
  }
  ReplyDecoder decoder;
  BOOST_TEST(!decoder.Feed(Header() + Frame(8, std::string(8, '\0')), [](const StreamAck&) {}, [](const StreamFailure&) {}));
}

BOOST_AUTO_TEST_CASE(examples_of_the_manual) {
  const auto page = prom::testing::ReadFile(PROMKIT_SOURCE_DIR "/man/man5/prom-stream.5");
  BOOST_TEST_REQUIRE(!page.empty());
  // Runs of lines that are nothing but hex bytes.
  std::vector<std::string> examples;
  bool inside = false;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    at = end + 1;
    const bool hex = line.size() > 20 && line.find_first_not_of("0123456789abcdef ") == std::string::npos;
    if (hex && !inside) examples.emplace_back();
    inside = hex;
    for (std::size_t i = 0; hex && i + 1 < line.size(); i += 3) examples.back().push_back(static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16)));
  }
  BOOST_TEST_REQUIRE(examples.size() == 2u);
  RecordingSink sink;
  StreamDecoder decoder(&sink);
  BOOST_TEST_REQUIRE(bool(decoder.Feed(examples[0])));
  BOOST_TEST_REQUIRE(bool(decoder.Finish()));
  const std::vector<std::string> want = {
      "sample {__name__=\"up\", job=\"a\"} 1700000000000 3ff0000000000000 0",
      "sample {__name__=\"x\"} 1700000000000 3fe0000000000000 0",
      "sample {__name__=\"x\"} 1700000000500 4000000000000000 1600000000000",
      "commit 1",
  };
  BOOST_TEST(sink.log == want, boost::test_tools::per_element());
  BOOST_TEST(sink.rows == 1u);
  int acks = 0;
  ReplyDecoder replies;
  BOOST_TEST_REQUIRE(bool(replies.Feed(
      examples[1],
      [&](const StreamAck& ack) {
        ++acks;
        BOOST_TEST(ack.sequence == 1u);
        BOOST_TEST((ack.durability == Durability::kDisk));
        BOOST_TEST(ack.accepted == 3u);
        BOOST_TEST(ack.refused == 0u);
      },
      [](const StreamFailure&) { BOOST_TEST(false); })));
  BOOST_TEST(acks == 1);
}

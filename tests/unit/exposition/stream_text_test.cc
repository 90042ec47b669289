#include "exposition/stream_text.h"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "recording_sink.h"

using namespace prom;
using prom::testing::ProduceRandom;
using prom::testing::RecordingSink;

namespace {

class FakeClock : public Clock {
 public:
  std::int64_t now_ms = 5000;
  std::int64_t NowMs() override { return now_ms; }
  std::int64_t MonotonicNs() override { return 0; }
};

struct Reading {
  RecordingSink sink;
  FakeClock clock;
  std::vector<std::string> refused;
  StreamTextReader reader;
  explicit Reading(StreamTextReader::Options options = {})
      : reader(&sink, &clock, options, [this](std::uint64_t line, std::string_view reason) { refused.push_back(std::to_string(line) + ": " + std::string(reason)); }) {}
  void All(std::string_view text) {
    BOOST_TEST_REQUIRE(bool(reader.Feed(text)));
    BOOST_TEST_REQUIRE(bool(reader.Finish()));
  }
};

std::string Write(const std::function<void(StreamSink*)>& produce) {
  std::string out;
  StreamTextWriter writer([&](std::string_view bytes) { return out.append(bytes), Result<void>(); });
  produce(&writer);
  BOOST_TEST_REQUIRE(bool(writer.Flush()));
  return out;
}

std::string Rewrite(const std::string& text) {
  return Write([&](StreamSink* writer) {
    FakeClock clock;
    std::string why;
    StreamTextReader reader(writer, &clock, {}, [&](std::uint64_t line, std::string_view reason) { why += std::to_string(line) + ": " + std::string(reason) + "\n"; });
    BOOST_TEST_REQUIRE(bool(reader.Feed(text)));
    BOOST_TEST_REQUIRE(bool(reader.Finish()));
    BOOST_TEST(why == "");
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(text_spellings) {
  Reading r;
  r.All(
      "# HELP up Is it \\\\ up?\\nYes.\n# TYPE up gauge\n# UNIT up bool\n"
      "up{job=\"a\"} 1 1000\n"
      "#@stale up{job=\"a\"} 2000\n"
      "#@value up{job=\"a\"} 0x7ff8000000000bad 3000\n"
      "#@start c_total 4000 500\n"
      "c_total 7 4000\n"
      "{\"a.b\",\"c d\"=\"e\\\"f\"} NaN -5\n"
      "#@exemplar c_total {trace=\"x y\"} 0.25 3999\n"
      "#@exemplar c_total {} 1\n"
      "#@histogram h{x=\"1\"} 5000 int schema:3 count:12 sum:18.5 zero_threshold:0.001 zero_count:2 spans:0*2,1*1 buckets:1,2,3 hint:gauge start:77\n"
      "# TYPE i untyped\n#@type i info\n"
      "#@commit 42\n");
  static const char* kWant[] = {
      "metadata up|gauge|Is it \\ up?\nYes.|bool",
      "sample {__name__=\"up\", job=\"a\"} 1000 3ff0000000000000 0",
      "sample {__name__=\"up\", job=\"a\"} 2000 7ff0000000000002 0",
      "sample {__name__=\"up\", job=\"a\"} 3000 7ff8000000000bad 0",
      "sample {__name__=\"c_total\"} 4000 401c000000000000 500",
      "sample {__name__=\"a.b\", \"c d\"=\"e\\\"f\"} -5 7ff8000000000001 0",
      "exemplar {__name__=\"c_total\"} {trace=\"x y\"} 3fd0000000000000 3999",
      "exemplar {__name__=\"c_total\"} {} 3ff0000000000000",
      ("histogram {__name__=\"h\", x=\"1\"} 5000 0 3 3 3f50624dd2f1a9fc 4000000000000000 4028000000000000 4032800000000000 [0*2,1*1,] [] "
       "[3ff0000000000000,4000000000000000,4008000000000000,] [] [] 77"),
      "metadata i|info||",
      "commit 42",
  };
  BOOST_TEST(r.refused.empty());
  BOOST_TEST_REQUIRE(r.sink.log.size() == std::size(kWant));
  for (std::size_t i = 0; i < std::size(kWant); ++i) BOOST_TEST(r.sink.log[i] == kWant[i]);
}

BOOST_AUTO_TEST_CASE(text_stream_text_loses_nothing) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      RecordingSink direct;
      ProduceRandom(&direct, seed, 400);
      const std::string text = Write([&](StreamSink* sink) { ProduceRandom(sink, seed, 400); });
      Reading back;
      back.All(text);
      for (const auto& why : back.refused) BOOST_TEST(why == "");
      BOOST_TEST_REQUIRE(back.sink.log.size() == direct.log.size());
      for (std::size_t i = 0; i < direct.log.size(); ++i) BOOST_TEST_REQUIRE(back.sink.log[i] == direct.log[i]);
      BOOST_TEST((Rewrite(text) == text));
    }
  }
}

BOOST_AUTO_TEST_CASE(bytes_may_be_cut_anywhere) {
  const std::string text = Write([&](StreamSink* sink) { ProduceRandom(sink, 99, 200); });
  Reading whole;
  whole.All(text);
  for (const std::size_t step : {1, 2, 7, 100}) {
    Reading cut;
    for (std::size_t at = 0; at < text.size(); at += step) BOOST_TEST_REQUIRE(bool(cut.reader.Feed(std::string_view(text).substr(at, step))));
    BOOST_TEST_REQUIRE(bool(cut.reader.Finish()));
    BOOST_TEST((cut.sink.log == whole.sink.log));
  }
}

BOOST_AUTO_TEST_CASE(older_tools_can_read_it) {
  // Every line must pass upstream's grammar: directives are comments to it. Times before 1970 are the exception.
  std::string text = Write([](StreamSink* sink) {
    BOOST_TEST_REQUIRE(bool(sink->DefineSeries(0, Labels({{"__name__", "a.b"}, {"c d", "x\ny"}}))));
    BOOST_TEST_REQUIRE(bool(sink->DefineSeries(1, Labels({{"__name__", "up"}, {"job", "\\\""}}))));
    BOOST_TEST_REQUIRE(bool(sink->MetadataOf("up", {MetricType::kStateSet, "Help.", "u"})));
    BOOST_TEST_REQUIRE(bool(sink->Sample(0, 1000, StaleNan(), 5)));
    BOOST_TEST_REQUIRE(bool(sink->Sample(1, 1000, 1.5, 7)));
    BOOST_TEST_REQUIRE(bool(sink->HistogramAt(1, 1, Histogram())));
    BOOST_TEST_REQUIRE(bool(sink->ExemplarOf(1, Exemplar())));
    BOOST_TEST_REQUIRE(bool(sink->Commit(1)));
  });
  TextParser parser(text, TextFormat::kPrometheus);
  int samples = 0;
  for (auto e = parser.Next(); e != TextParser::Entry::kEnd; e = parser.Next()) {
    BOOST_TEST_REQUIRE((e != TextParser::Entry::kError), parser.error().message);
    samples += e == TextParser::Entry::kSeries;
  }
  BOOST_TEST(samples == 1);
}

BOOST_AUTO_TEST_CASE(refused_lines_are_counted_and_others_go_through) {
  StreamTextReader::Options options;
  options.max_line_bytes = 100;
  options.max_labels = 3;
  options.max_label_bytes = 20;
  Reading r(options);
  r.All("good 1 1\nbad{ 1 1\n#@stale x\n#@what is it\n" + std::string(300, 'x') + "\ngood 2 2\na{b=\"1\",c=\"2\",d=\"3\"} 1 1\na{b=\"" + std::string(21, 'v') +
        "\"} 1 1\na{b=\"1\",b=\"2\"} 1 1\n#@start good 9 5\ngood 3 3\n#@commit x\n#@histogram good 1 int schema:99\n#@exemplar good {a} 1\n"
        "# a comment\n#another\ngood 4 4 # {a=\"b\"} 1\ngood 5 5");
  static const char* kRefused[] = {
      "2: expected label name, got \"1\" (\"INVALID\") while parsing: \"bad{ 1\"",
      "3: bad timestamp \"\"",
      "4: unknown directive \"what\"",
      "5: line longer than 100 bytes",
      "7: more than 3 labels",
      "8: label name or value longer than 20 bytes",
      "9: label name \"b\" is not unique: invalid sample",
      "10: start timestamp without the sample it belongs to behind it",
      "12: bad commit number: \"x\"",
      "13: histogram schema 99 is not between -4 and 8",
      "14: bad exemplar labels \"{a}\"",
      "17: expected next entry after timestamp, got \"#\" (\"INVALID\") while parsing: \"good 4 4 #\"",
  };
  BOOST_TEST(r.reader.refused() == std::size(kRefused));
  BOOST_TEST_REQUIRE(r.refused.size() == std::size(kRefused));
  for (std::size_t i = 0; i < std::size(kRefused); ++i) {
    BOOST_TEST(r.refused[i] == kRefused[i]);
  }
  BOOST_TEST(r.reader.samples() == 4u);
  BOOST_TEST(r.sink.log.back() == "commit 1");
}

BOOST_AUTO_TEST_CASE(pages_without_times) {
  Reading r;
  const auto feed = [&](std::string_view text) { BOOST_TEST_REQUIRE(bool(r.reader.Feed(text))); };
  r.clock.now_ms = 1000;
  feed("a 1\nb");
  r.clock.now_ms = 2000;
  feed(" 2\n\nc 3\n# EOF\n");  // the page began at 1000; the next one begins now
  r.clock.now_ms = 3000;
  feed("d");
  r.clock.now_ms = 4000;
  feed(" 4\n#@commit 9\n\n\n");
  feed("e 5 77\n#@commit 3\n");
  r.clock.now_ms = 5000;
  feed("f 6");
  BOOST_TEST_REQUIRE(bool(r.reader.Finish()));
  static const char* kWant[] = {
      "sample {__name__=\"a\"} 1000 3ff0000000000000 0", "sample {__name__=\"b\"} 1000 4000000000000000 0", "commit 1",
      "sample {__name__=\"c\"} 2000 4008000000000000 0", "commit 2",
      "sample {__name__=\"d\"} 3000 4010000000000000 0", "commit 9",
      "sample {__name__=\"e\"} 77 4014000000000000 0",   "commit 10",  // numbers grow, whatever they are told
      "sample {__name__=\"f\"} 5000 4018000000000000 0", "commit 11",
  };
  BOOST_TEST_REQUIRE(r.sink.log.size() == std::size(kWant));
  for (std::size_t i = 0; i < std::size(kWant); ++i) BOOST_TEST(r.sink.log[i] == kWant[i]);
}

BOOST_AUTO_TEST_CASE(bounds_of_memory) {
  StreamTextReader::Options options;
  options.max_series = 10;
  options.max_batch_samples = 4;
  Reading r(options);
  std::string text;
  for (int i = 0; i < 35; ++i) text += "s{i=\"" + std::to_string(i % 20) + "\"} " + std::to_string(i) + " 1\n";
  r.All(text);
  BOOST_TEST(r.sink.resets == 3u);
  BOOST_TEST(r.sink.defined == 35u);
  std::size_t commits = 0, samples = 0;
  for (const auto& line : r.sink.log) (line.starts_with("commit") ? commits : samples)++;
  BOOST_TEST(samples == 35u);
  BOOST_TEST(commits == 9u);
}

BOOST_AUTO_TEST_CASE(openmetrics_pages) {
  StreamTextReader::Options options;
  options.format = TextFormat::kOpenMetrics;
  Reading r(options);
  r.All("# TYPE a counter\n# UNIT a_seconds seconds\na_total 1 1.5 # {t=\"u\"} 2 3.25\n# EOF\n");
  static const char* kWant[] = {"metadata a|counter||", "metadata a_seconds|unknown||seconds", "sample {__name__=\"a_total\"} 1500 3ff0000000000000 0",
                                "exemplar {__name__=\"a_total\"} {t=\"u\"} 4000000000000000 3250", "commit 1"};
  BOOST_TEST_REQUIRE(r.sink.log.size() == std::size(kWant));
  for (std::size_t i = 0; i < std::size(kWant); ++i) BOOST_TEST(r.sink.log[i] == kWant[i]);
}

// Prediction must change nothing but the time it takes: a text given byte by byte has
// none. The texts are sorted by series, or pages of all series again and again, with
// what breaks the pattern strewn in.
BOOST_AUTO_TEST_CASE(prediction_changes_nothing) {
  const char* const odd[] = {"", "#@commit 7\n", "# HELP a text\n", "a{i=\"1\"} x\n", "a{i=\"1\"}\t5 12\n", "a{i=\"2\"} 5 12 13\n", "a{i=\"2\"} NaN 77\n", "a{i=\"3\"} 1e400\n",
                             "a{i=\"3\"} 5 -12\n", "#@stale b{} 9\n", "\n", "a{i=\"4\"} 123456789012345678901234567890 1\n", "a{i=\"4\"} 1 1234567890123456789012\n", "a{i=\"1\"} 0x1p-2 5\n"};
  for (const auto format : {TextFormat::kPrometheus, TextFormat::kOpenMetrics}) {
    for (const bool sorted : {true, false}) {
      for (std::size_t strewn = 0; strewn < std::size(odd); ++strewn) {
        BOOST_TEST_CONTEXT("openmetrics=" << (format == TextFormat::kOpenMetrics) << " sorted=" << sorted << " odd=" << odd[strewn]) {
          std::string text;
          for (int outer = 0; outer < 12; ++outer) {
            for (int inner = 0; inner < 12; ++inner) {
              const int series = sorted ? outer : inner, t = sorted ? inner : outer;
              text += "a{i=\"" + std::to_string(series) + "\"} " + std::to_string(t * 3) + ".25 17000000" + std::to_string(10 + t) + (format == TextFormat::kPrometheus ? "000" : ".123") + "\n";
              if (inner == 7) text += odd[strewn];
            }
          }
          StreamTextReader::Options options;
          options.format = format;
          Reading whole(options), bytes(options);
          whole.All(text);
          for (const char& c : text) BOOST_TEST_REQUIRE(bool(bytes.reader.Feed({&c, 1})));
          BOOST_TEST_REQUIRE(bool(bytes.reader.Finish()));
          BOOST_TEST(whole.sink.log == bytes.sink.log, boost::test_tools::per_element());
          BOOST_TEST(whole.refused == bytes.refused, boost::test_tools::per_element());
          BOOST_TEST(whole.reader.lines() == bytes.reader.lines());
          BOOST_TEST(bytes.reader.predicted() == 0u);
          // Of 144 lines all but the first of each series, and those around what is strewn in.
          BOOST_TEST(whole.reader.predicted() >= (strewn == 0 ? 130u : 100u));
        }
      }
    }
  }
}

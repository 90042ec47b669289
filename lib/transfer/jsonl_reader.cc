#include "transfer/jsonl_reader.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/number.h"
#include "base/strings.h"
#include "exposition/float_text.h"
#include "exposition/series_table.h"
#include "exposition/stream_text.h"

namespace prom::transfer {
namespace {

constexpr std::size_t kMaxLineBytes = 256u << 20;
constexpr std::size_t kMaxSeries = 2u << 20;  // then all ids are given anew

// One line. Arrays of numbers are read in place; the small object of labels goes
// through the general reader.
class LineParser {
 public:
  explicit LineParser(std::string_view line) : p_(line.data()), begin_(line.data()), end_(line.data() + line.size()) {}

  std::string_view metric_text;  // the object, as written
  std::vector<double> values;
  std::vector<std::int64_t> timestamps;

  Result<void> Run() {
    bool has_values = false, has_timestamps = false;
    PROM_TRY(Expect('{'));
    for (bool first = true; !Take('}'); first = false) {
      if (!first) PROM_TRY(Expect(','));
      PROM_ASSIGN(const std::string_view key, String());
      PROM_TRY(Expect(':'));
      if (key == "metric") {
        Blanks();
        const char* const start = p_;
        PROM_TRY(Skip());
        metric_text = {start, static_cast<std::size_t>(p_ - start)};
      } else if (key == "values") {
        has_values = true;
        PROM_TRY(Values());
      } else if (key == "timestamps") {
        has_timestamps = true;
        PROM_TRY(Timestamps());
      } else {
        PROM_TRY(Skip());
      }
    }
    Blanks();
    if (p_ != end_) return Fail("text behind the object");
    if (metric_text.empty()) return Fail("no \"metric\"");
    if (!has_values || !has_timestamps) return Fail("no \"values\" or no \"timestamps\"");
    if (values.size() != timestamps.size()) return Fail(std::to_string(values.size()) + " values but " + std::to_string(timestamps.size()) + " timestamps");
    return {};
  }

 private:
  Error Fail(const std::string& what) const { return {Errc::kCorrupt, what + " at byte " + std::to_string(p_ - begin_)}; }
  void Blanks() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\r' || *p_ == '\n')) ++p_;
  }
  bool Take(char c) {
    Blanks();
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  Result<void> Expect(char c) {
    if (!Take(c)) return Fail(std::string("no '") + c + "'");
    return {};
  }
  // As written, without the quotes.
  Result<std::string_view> String() {
    PROM_TRY(Expect('"'));
    const char* const start = p_;
    while (p_ < end_ && *p_ != '"') p_ += *p_ == '\\' && end_ - p_ > 1 ? 2 : 1;
    if (p_ >= end_) return Fail("a string that does not end");
    return std::string_view(start, static_cast<std::size_t>(p_++ - start));
  }
  // Any value; what is skipped is not checked beyond its brackets and strings.
  Result<void> Skip() {
    int depth = 0;
    do {
      Blanks();
      if (p_ == end_) return Fail("a value that does not end");
      if (*p_ == '"') {
        PROM_TRY(String());
      } else if (*p_ == '{' || *p_ == '[') {
        ++depth;
        ++p_;
      } else if (*p_ == '}' || *p_ == ']') {
        if (depth == 0) return Fail("no value");
        --depth;
        ++p_;
      } else if (depth > 0 && (*p_ == ',' || *p_ == ':')) {
        ++p_;
      } else {
        const char* const start = p_;
        while (p_ < end_ && std::strchr("-+.0123456789eEtrufalsn", *p_) != nullptr && *p_ != '\0') ++p_;
        if (p_ == start) return Fail("no value");
      }
    } while (depth > 0);
    return {};
  }
  Result<void> Values() {
    PROM_TRY(Expect('['));
    if (Take(']')) return {};
    do {
      Blanks();
      double v = 0;
      if (p_ < end_ && *p_ == '"') {
        PROM_ASSIGN(const std::string_view text, String());
        const std::string_view spelled = text == "Infinity" ? "+Inf" : text == "-Infinity" ? "-Inf" : text;
        const auto parsed = ParseStreamFloat(spelled);
        if (!parsed) return Fail("not a number: " + Quote(text.substr(0, 100)));
        v = *parsed;
      } else if (end_ - p_ >= 4 && std::memcmp(p_, "null", 4) == 0) {
        p_ += 4;
        v = StaleNan();
      } else {
        const char* stop = p_;
        while (stop < end_ && *stop != ',' && *stop != ']' && *stop != ' ') ++stop;
        if (!ParseFloatFast(p_, stop, &v)) {
          const auto [ptr, error] = std::from_chars(p_, stop, v);
          if (error != std::errc() || ptr != stop) return Fail("not a number: " + Quote(std::string_view(p_, static_cast<std::size_t>(std::min<std::ptrdiff_t>(stop - p_, 100)))));
        }
        p_ = stop;
      }
      values.push_back(v);
    } while (Take(','));
    return Expect(']');
  }
  Result<void> Timestamps() {
    PROM_TRY(Expect('['));
    if (Take(']')) return {};
    do {
      Blanks();
      std::int64_t t = 0;
      const auto [ptr, error] = std::from_chars(p_, end_, t);
      if (error != std::errc()) return Fail("not a time in ms");
      p_ = ptr;
      timestamps.push_back(t);
    } while (Take(','));
    return Expect(']');
  }

  const char *p_, *begin_, *end_;
};

class JsonLinesReader : public RecordReader {
 public:
  JsonLinesReader(StreamSink* sink, RefusedFn refused) : sink_(sink), on_refused_(std::move(refused)) {}

  Result<void> Feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t newline = bytes.find('\n');
      const bool whole = newline != std::string_view::npos;
      const auto piece = bytes.substr(0, whole ? newline : bytes.size());
      bytes.remove_prefix(piece.size() + (whole ? 1 : 0));
      if (!skipping_ && partial_.size() + piece.size() > kMaxLineBytes) {
        ++lines_;
        Refuse("line longer than " + std::to_string(kMaxLineBytes) + " bytes");
        partial_ = std::string();
        skipping_ = true;
        if (whole) skipping_ = false;
        continue;
      }
      if (skipping_) {
        skipping_ = !whole;
        continue;
      }
      if (!whole) {
        partial_.append(piece);
      } else if (partial_.empty()) {
        PROM_TRY(TakeLine(piece));
      } else {
        partial_.append(piece);
        PROM_TRY(TakeLine(partial_));
        partial_.clear();
      }
    }
    return {};
  }
  Result<void> Finish() override {
    if (!partial_.empty()) PROM_TRY(TakeLine(partial_));
    partial_.clear();
    return sink_->Commit(++sequence_);
  }
  std::uint64_t lines() const override { return lines_; }
  std::uint64_t refused() const override { return refused_; }

 private:
  void Refuse(std::string_view reason) {
    ++refused_;
    if (on_refused_) on_refused_(lines_, reason);
  }

  Result<void> TakeLine(std::string_view line) {
    ++lines_;
    if (TrimSpace(line).empty()) return {};
    parser_.emplace(line);
    if (auto read = parser_->Run(); !read) {
      Refuse(read.error().message);
      return {};
    }
    PROM_ASSIGN(const std::uint32_t id, SeriesId(parser_->metric_text));
    if (id == SeriesTable::kNone) return {};
    for (std::size_t i = 0; i < parser_->values.size(); ++i) PROM_TRY(sink_->Sample(id, parser_->timestamps[i], parser_->values[i]));
    return sink_->Commit(++sequence_);
  }

  Result<std::uint32_t> SeriesId(std::string_view text) {
    const auto key = SeriesTable::MakeKey(text);
    if (const std::uint32_t known = table_.Find(key); known != SeriesTable::kNone) return known;
    const auto json = ParseJson(text);
    std::vector<std::pair<std::string, std::string>> pairs;
    std::string bad;
    if (!json || json->kind != JsonValue::Kind::kObject) bad = "\"metric\" is not an object";
    if (bad.empty())
      for (const auto& [name, value] : json->members) {
        if (value.kind != JsonValue::Kind::kString) bad = "label " + Quote(name) + " is not a string";
        else if (!IsValidLabelName(name) || !IsValidUtf8(value.text)) bad = "bad label " + Quote(name);
        pairs.emplace_back(name, value.text);
      }
    Labels labels = Labels::FromPairs(std::move(pairs));
    if (bad.empty() && labels.empty()) bad = "a series without labels";
    if (!bad.empty()) {
      Refuse(bad);
      return SeriesTable::kNone;
    }
    if (table_.size() >= kMaxSeries) {
      table_.Clear();
      PROM_TRY(sink_->Reset());
    }
    const std::uint32_t id = table_.Add(key);
    PROM_TRY(sink_->DefineSeries(id, labels));
    return id;
  }

  StreamSink* sink_;
  RefusedFn on_refused_;
  std::string partial_;
  std::optional<LineParser> parser_;
  SeriesTable table_;
  bool skipping_ = false;
  std::uint64_t lines_ = 0, refused_ = 0, sequence_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> NewJsonLinesReader(StreamSink* sink, RefusedFn refused) { return std::make_unique<JsonLinesReader>(sink, std::move(refused)); }

}  // namespace prom::transfer

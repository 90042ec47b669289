// TextParser: one page of exposition text as a stream of entries, pulled one by one.
//
// Reads Prometheus text 0.0.4 and 1.0.0 and OpenMetrics text 1.0.0 and 0.0.1, takes
// and refuses what upstream's parsers take and refuse, with the same error texts.
// PageParser gives the same samples and is much faster for a target seen before;
// this one is for pages read once and for whoever wants every entry.
//
// All views are into the page, which must outlive the parser, and stay valid with
// it; exceptions say so. Times are ms. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exposition/text_lexer.h"
#include "model/sample.h"

namespace prom {

// Where a page breaks the rules. `message` is upstream's text.
struct TextError {
  std::string message;
  std::size_t line = 0;    // from 1
  std::size_t column = 0;  // from 1, in bytes; of the token that does not fit
  Error ToError() const { return {Errc::kCorrupt, message}; }
};

class TextParser {
 public:
  enum class Entry { kEnd, kError, kSeries, kHelp, kType, kUnit, kComment };

  struct Options {
    // le of histograms and quantile of summaries become the text OpenMetrics gives
    // floats ("1" -> "1.0"), as upstream's scrapes store them. The kind is that of the last # TYPE line.
    bool normalize_float_labels = true;
    // {"",a="b"} names a series without a metric name (prom-stream(5)); otherwise that is an error.
    bool allow_empty_name = false;
    // false: every line token by token. For tests, which compare both ways.
    bool fast_path = true;
  };

  TextParser(std::string_view page, TextFormat format, Options options);
  TextParser(std::string_view page, TextFormat format) : TextParser(page, format, Options()) {}

  // Starts again on another page, keeping the memory.
  void Rebind(std::string_view page) {
    page_ = page;
    lexer_ = TextLexer(page, format_);
    type_ = MetricType::kUnknown;
  }

  // Steps to the next entry. After kEnd and kError it must not be called again.
  Entry Next();
  const TextError& error() const { return error_; }

  // kSeries. The bytes that name the series, as written.
  std::string_view series() const { return page_.substr(entry_start_, series_end_ - entry_start_); }
  double value() const { return value_; }
  bool has_timestamp() const { return has_timestamp_; }
  std::int64_t timestamp_ms() const { return timestamp_ms_; }
  // kInvalid: a label name appears twice or is not UTF-8, or the metric name is empty.
  Result<Labels> labels();
  bool has_exemplar() const { return has_exemplar_; }
  Exemplar exemplar() const;

  // kHelp, kType, kUnit. The name as written, without quotes.
  std::string_view metric() const { return page_.substr(offsets_[0], offsets_[1] - offsets_[0]); }
  // kHelp: escapes resolved. kUnit, kComment: as written.
  std::string text() const;
  std::string_view raw_text() const { return page_.substr(text_start_, text_end_ - text_start_); }
  // Of the last # TYPE line.
  MetricType type() const { return type_; }

  // For PageParser: an entry as bytes of the page, and starting in the middle.
  std::size_t entry_start() const { return entry_start_; }
  std::size_t value_start() const { return value_start_; }
  std::size_t value_end() const { return value_end_; }
  // Behind the entry's newline; one past the page's end when the last line has none.
  std::size_t entry_end() const { return lexer_.position(); }
  void Seek(std::size_t position, MetricType type) {
    lexer_.Seek(position);
    type_ = type;
  }
  bool at_line_start() const { return lexer_.at_line_start(); }
  // Whether labels() has a le or quantile that normalize_float_labels rewrote.
  bool normalization_applies() const;
  // An error about the entry as a whole.
  TextError MakeError(std::string message) const;

 private:
  bool FastSeries();
  Entry FastMetadata();
  TextToken NextToken();
  Entry Metadata(TextToken kind);
  Entry Suffix(TextToken token);
  Entry Braces(bool named);
  bool LabelPairs(std::vector<std::size_t>* offsets, bool exemplar);
  bool SampleValue(TextToken token, std::string_view after, double* out);
  bool SecondsToMs(std::string_view what, std::int64_t* out);
  bool ExemplarPart();
  bool IsFloatLabel(std::string_view name) const;
  Entry Fail(std::string message);
  Entry FailNoEof();
  TextError ErrorAt(std::size_t position, std::string message) const;
  Entry FailToken(std::string_view expected, TextToken got);
  std::string QuoteRange(std::size_t begin, std::size_t end) const;

  std::string_view page_;
  TextFormat format_;
  Options options_;
  TextLexer lexer_;
  TextError error_;

  std::size_t entry_start_ = 0, series_end_ = 0, value_start_ = 0, value_end_ = 0;
  std::size_t text_start_ = 0, text_end_ = 0;
  bool is_help_ = false;
  MetricType type_ = MetricType::kUnknown;
  double value_ = 0;
  bool has_timestamp_ = false, has_exemplar_ = false, has_escapes_ = false;
  std::int64_t timestamp_ms_ = 0;
  double exemplar_value_ = 0;
  bool exemplar_has_time_ = false;
  std::int64_t exemplar_t_ms_ = 0;
  // Begin and end of the metric name, then of each label name and value, within the page.
  std::vector<std::size_t> offsets_, exemplar_offsets_;
  std::vector<Label> pairs_;  // room of labels()
  std::string scratch_;
};

// A sample value as both formats take it: ParseFloat without hexadecimal and underscores.
std::optional<double> ParseSampleValue(std::string_view s);

// A float as OpenMetrics spells it in le and quantile: 1 -> "1.0", 1e6 -> "1e+06".
std::string FormatOpenMetricsFloat(double v);

// Resolves \\ and \n, with `quotes` also \"; any other backslash stays.
void AppendUnescaped(std::string* out, std::string_view s, bool quotes);

}  // namespace prom

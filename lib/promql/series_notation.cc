#include "promql/series_notation.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "promql/histogram_math.h"
#include "promql/parse_literal.h"
#include "promql/parser.h"

namespace prom::promql {

// Works on the tokens of a Parser, whose handling of errors it shares.
class SeriesParser {
 public:
  SeriesParser(std::string_view input, std::vector<ParseIssue>* issues) : p_(input, {}, issues, true) {}

  SeriesDescription Run() {
    SeriesDescription out;
    if (!p_.Metric(&out.labels)) return out;
    values_ = &out.values;
    const TokenType first = p_.PeekType();
    if (first != TokenType::kSpace && first != TokenType::kEof && first != TokenType::kError) p_.Report("series values", "");
    // Values are separated by blanks, also from the metric; some may stand at the end.
    while (p_.PeekType() == TokenType::kSpace) {
      p_.Take();
      if (!StartsItem(p_.PeekType())) continue;
      if (!Item()) {
        if (!p_.Catch()) return out;
        p_.Report("series values", "");
        break;
      }
    }
    p_.ExpectEnd();
    return out;
  }

  bool too_many() const { return too_many_; }

 private:
  static bool StartsItem(TokenType t) {
    return t == TokenType::kBlank || t == TokenType::kIdentifier || t == TokenType::kNumber || t == TokenType::kDuration ||
           t == TokenType::kAdd || t == TokenType::kSub || t == TokenType::kOpenHist;
  }

  bool Item() {
    switch (p_.PeekType()) {
      case TokenType::kBlank: {
        p_.Take();
        std::uint64_t count = 1;
        if (p_.PeekType() == TokenType::kTimes && !Times(&count)) return false;
        return Add({.omitted = true}, count);
      }
      case TokenType::kOpenHist: return HistogramItem();
      case TokenType::kIdentifier: {
        if (p_.Peek().text != "stale") p_.Unexpected("series values", "number or \"stale\"");
        p_.Take();
        return FloatItem(StaleNan());
      }
      default: {
        double value = 0;
        return Number(true, &value) && FloatItem(value);
      }
    }
  }

  // The rest of value, value x count, or value +step x count. Upstream counts from
  // time zero, so there is one value more than the count.
  bool FloatItem(double value) {
    const TokenType next = p_.PeekType();
    double step = 0;
    std::uint64_t times = 0;
    const bool stepped = next == TokenType::kAdd || next == TokenType::kSub;
    if (stepped && !Number(true, &step)) return false;
    if ((stepped || next == TokenType::kTimes) && !Times(&times)) return false;
    if (!Room(times)) return false;
    for (std::uint64_t i = 0; i <= times; ++i) {
      values_->push_back({.value = value});
      if (stepped) value += step;  // as upstream: rounding adds up
    }
    return true;
  }

  bool HistogramItem() {
    Histogram base;
    bool hint = false;
    if (!ReadHistogram(&base, &hint)) return false;
    const TokenType next = p_.PeekType();
    const auto shared = [](Histogram h) { return std::make_shared<const Histogram>(std::move(h)); };
    if (next != TokenType::kTimes && next != TokenType::kAdd && next != TokenType::kSub)
      return Add({.histogram = shared(std::move(base)), .reset_hint_set = hint}, 1);
    std::uint64_t times = 0;
    if (next == TokenType::kTimes) return Times(&times) && Room(times) && Add({.histogram = shared(std::move(base)), .reset_hint_set = hint}, times + 1);

    p_.Take();
    Histogram step;
    if (p_.PeekType() != TokenType::kOpenHist) return p_.DropUnfit();  // the lexer yields nothing else here
    if (!ReadHistogram(&step, &hint) || !Times(&times) || !Room(times)) return false;
    const PosRange pos = p_.token_.pos();
    Add({.histogram = shared(base), .reset_hint_set = hint}, 1);
    for (std::uint64_t i = 0; i < times; ++i) {
      // Every sum is a histogram of its own: it counts for as many values as it holds.
      summed_ += sizeof(Histogram) / sizeof(double) + base.positive_buckets.size() + base.negative_buckets.size() + base.custom_values.size();
      if (!Room(summed_)) return false;
      if (base.schema > step.schema) {
        p_.Issue(pos, StringPrintf("error combining histograms: cannot merge from schema %d to %d", step.schema, base.schema));
        return true;
      }
      const auto notes = next == TokenType::kAdd ? AddHistogram(&base, step) : SubtractHistogram(&base, step);
      if (notes.incompatible) {
        p_.Issue(pos, "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas");
        return true;
      }
      Add({.histogram = shared(base), .reset_hint_set = hint}, 1);
    }
    return true;
  }

  // {{ key:value ... }}
  bool ReadHistogram(Histogram* h, bool* hint) {
    p_.Take();
    *hint = false;
    if (p_.PeekType() == TokenType::kCloseHist || p_.PeekType() == TokenType::kSpace) {  // {{}} and {{ }}
      if (p_.PeekType() == TokenType::kSpace) p_.Take();
      return p_.Expect(TokenType::kCloseHist);
    }
    while (!IsKey(p_.PeekType()))
      if (!p_.DropUnfit()) return false;

    constexpr std::string_view kContext = "histogram description", kExpected = "histogram description key, e.g. buckets:[5 10 7]";
    std::set<TokenType> seen;
    std::int32_t offset = 0, negative_offset = 0;
    if (!Entry(h, &seen, &offset, &negative_offset, hint)) return false;
    while (p_.PeekType() != TokenType::kCloseHist) {
      if (p_.PeekType() == TokenType::kSpace) {
        p_.Take();
        if (IsKey(p_.PeekType())) {
          if (Entry(h, &seen, &offset, &negative_offset, hint)) continue;
          if (!p_.Catch()) return false;
          p_.Report(kContext, kExpected);
        } else if (p_.PeekType() != TokenType::kCloseHist) {
          p_.Report(kContext, kExpected);
        }
      } else if (!p_.fresh_error_) {
        p_.Report(kContext, kExpected);
      } else if (!p_.DropUnfit()) {
        return false;
      }
    }
    p_.Take();
    const auto span = [](std::int32_t at, const std::vector<double>& buckets) {
      using Spans = std::vector<Histogram::Span>;
      return buckets.empty() ? Spans{} : Spans{{at, static_cast<std::uint32_t>(buckets.size())}};
    };
    h->positive_spans = span(offset, h->positive_buckets);
    h->negative_spans = span(negative_offset, h->negative_buckets);
    return true;
  }

  static bool IsKey(TokenType t) { return t >= TokenType::kSumDesc && t <= TokenType::kCounterResetHintDesc; }

  // key ":" value. A key that was there before is reported and its value dropped.
  bool Entry(Histogram* h, std::set<TokenType>* seen, std::int32_t* offset, std::int32_t* negative_offset, bool* hint) {
    const Token key = p_.Take();
    if (!p_.Expect(TokenType::kColon)) return false;
    double number = 0;
    std::int32_t integer = 0;
    std::vector<double> list;
    TokenType reset = TokenType::kEof;
    switch (key.type) {
      case TokenType::kSchemaDesc:
      case TokenType::kOffsetDesc:
      case TokenType::kNegativeOffsetDesc:
        if (!Integer(&integer)) return false;
        break;
      case TokenType::kBucketsDesc:
      case TokenType::kNegativeBucketsDesc:
      case TokenType::kCustomValuesDesc:
        if (!List(&list)) return false;
        break;
      case TokenType::kCounterResetHintDesc:
        while (p_.PeekType() < TokenType::kUnknownReset || p_.PeekType() > TokenType::kGaugeType)
          if (!p_.DropUnfit()) return false;
        reset = p_.Take().type;
        break;
      default:
        if (!Number(key.type != TokenType::kZeroBucketWidthDesc, &number)) return false;
    }
    if (!seen->insert(key.type).second) {
      p_.Issue({0, 0}, "duplicate key \"" + ToLower(key.text) + "\" in histogram");
      return true;
    }
    switch (key.type) {
      case TokenType::kSchemaDesc:
        // -9 to 52 is what upstream calls known, of which it has use for -4 to 8.
        if (integer != Histogram::kCustomSchema && (integer < -9 || integer > 52)) p_.Issue({0, 0}, "unknown histogram schema " + std::to_string(integer));
        else h->schema = integer;
        break;
      case TokenType::kOffsetDesc: *offset = integer; break;
      case TokenType::kNegativeOffsetDesc: *negative_offset = integer; break;
      case TokenType::kSumDesc: h->sum = number; break;
      case TokenType::kCountDesc: h->count = number; break;
      case TokenType::kZeroBucketDesc: h->zero_count = number; break;
      case TokenType::kZeroBucketWidthDesc: h->zero_threshold = number; break;
      case TokenType::kBucketsDesc: h->positive_buckets = std::move(list); break;
      case TokenType::kNegativeBucketsDesc: h->negative_buckets = std::move(list); break;
      case TokenType::kCustomValuesDesc: h->custom_values = std::move(list); break;
      default:
        *hint = true;
        h->reset_hint = reset == TokenType::kReset      ? Histogram::ResetHint::kReset
                        : reset == TokenType::kNotReset ? Histogram::ResetHint::kNotReset
                        : reset == TokenType::kGaugeType ? Histogram::ResetHint::kGauge
                                                         : Histogram::ResetHint::kUnknown;
    }
    return true;
  }

  // "[" numbers "]", with one blank between them and perhaps before the end.
  bool List(std::vector<double>* list) {
    if (!p_.Expect(TokenType::kLeftBracket)) return false;
    for (;;) {
      double value = 0;
      if (!Number(true, &value)) return false;
      list->push_back(value);
      if (p_.PeekType() == TokenType::kSpace) {
        p_.Take();
        if (p_.PeekType() != TokenType::kRightBracket) continue;
      }
      return p_.Expect(TokenType::kRightBracket);
    }
  }

  bool Number(bool sign_allowed, double* value) {
    bool negative = false;
    const TokenType type = p_.PeekType();
    if (sign_allowed && (type == TokenType::kAdd || type == TokenType::kSub)) negative = p_.Take().type == TokenType::kSub;
    while (p_.PeekType() != TokenType::kNumber && p_.PeekType() != TokenType::kDuration)
      if (!p_.DropUnfit()) return false;
    const ExprPtr number = p_.Number(p_.Take());
    *value = As<NumberLiteral>(*number).value;
    if (negative) *value = -*value;
    return true;
  }

  bool Unsigned(std::uint64_t* value) {
    while (p_.PeekType() != TokenType::kNumber)
      if (!p_.DropUnfit()) return false;
    const Token token = p_.Take();
    *value = 0;
    if (const auto n = ParseUint64(token.text)) {
      *value = *n;
    } else {
      const bool digits = token.text.find_first_not_of("0123456789") == std::string_view::npos;
      p_.Issue(token.pos(), "invalid repetition in series values: strconv.ParseUint: parsing " + Quote(token.text) + ": " +
                                (digits ? "value out of range" : "invalid syntax"));
    }
    return true;
  }

  bool Integer(std::int32_t* value) {
    bool negative = false;
    if (p_.PeekType() == TokenType::kSub) {
      p_.Take();
      negative = true;
    }
    std::uint64_t magnitude = 0;
    if (!Unsigned(&magnitude)) return false;
    if (magnitude > 0x7fffffff) {
      p_.Issue(p_.token_.pos(), "number in histogram description out of range");
      magnitude = 0;
    }
    *value = static_cast<std::int32_t>(magnitude) * (negative ? -1 : 1);
    return true;
  }

  bool Times(std::uint64_t* count) { return p_.Expect(TokenType::kTimes) && Unsigned(count); }

  bool Room(std::uint64_t count) {
    if (count < kMaxSeriesValues && values_->size() + count < kMaxSeriesValues) return true;
    if (!too_many_) p_.Issue(p_.token_.pos(), "more than " + std::to_string(kMaxSeriesValues) + " values in a series");
    too_many_ = true;
    p_.failure_ = Parser::Failure::kAbort;
    return false;
  }

  bool Add(const SeriesValue& value, std::uint64_t count) {
    if (!Room(count)) return false;
    values_->insert(values_->end(), static_cast<std::size_t>(count), value);
    return true;
  }

  Parser p_;
  std::vector<SeriesValue>* values_ = nullptr;
  std::uint64_t summed_ = 0;  // numbers in histograms that were summed up
  bool too_many_ = false;
};

Result<SeriesDescription> ParseSeriesDescription(std::string_view input) {
  std::vector<ParseIssue> issues;
  SeriesParser parser(input, &issues);
  SeriesDescription out = parser.Run();
  if (!issues.empty()) return Error{parser.too_many() ? Errc::kLimit : Errc::kInvalid, IssueText(issues.front(), input)};
  return out;
}

namespace {

// A duration with a sign at the front of *text, in milliseconds; taken off.
std::optional<std::int64_t> TakeDuration(std::string_view* text) {
  const bool negative = !text->empty() && text->front() == '-';
  if (negative || (!text->empty() && text->front() == '+')) text->remove_prefix(1);
  const std::size_t end = std::min(text->find_first_not_of("0123456789ymwdhs"), text->size());
  const auto ms = ParseDuration(text->substr(0, end));
  if (!ms) return std::nullopt;
  text->remove_prefix(end);
  return negative ? -*ms : *ms;
}

Error BadStart(std::string_view item, std::string_view why) {
  return {Errc::kInvalid, "invalid ST item " + Quote(item) + ": " + std::string(why)};
}

}  // namespace

Result<std::vector<SeriesValue>> ParseStartTimes(std::string_view input) {
  std::vector<SeriesValue> out;
  std::size_t at = 0;
  while ((at = input.find_first_not_of(" \t\r\n", at)) != std::string_view::npos) {
    const std::size_t end = std::min(input.find_first_of(" \t\r\n", at), input.size());
    const std::string_view item = input.substr(at, end - at);
    at = end;

    std::string_view rest = item;
    const bool omitted = rest.front() == '_';
    std::int64_t offset_ms = 0, step_ms = 0;
    bool stepped = false;
    if (omitted) {
      rest.remove_prefix(1);
    } else {
      const auto first = TakeDuration(&rest);
      if (!first) return BadStart(item, "invalid duration");
      offset_ms = *first;
      stepped = !rest.empty() && (rest.front() == '+' || rest.front() == '-');
      if (stepped) {
        const auto step = TakeDuration(&rest);
        if (!step) return BadStart(item, "invalid step duration");
        step_ms = *step;
      }
    }
    std::uint64_t times = omitted ? 1 : 0;
    if (!rest.empty() || stepped) {
      if (rest.empty() || rest.front() != 'x') return BadStart(item, "expected 'x<count>'");
      const auto count = ParseUint64(rest.substr(1));
      if (!count || (omitted && *count == 0)) return BadStart(item, "invalid repeat count");
      times = *count;
    }
    if (times >= kMaxSeriesValues || out.size() + times >= kMaxSeriesValues)
      return Error{Errc::kLimit, "more than " + std::to_string(kMaxSeriesValues) + " values in a series"};
    if (omitted) {
      out.insert(out.end(), static_cast<std::size_t>(times), SeriesValue{.omitted = true});
      continue;
    }
    for (std::uint64_t i = 0; i <= times; ++i)
      out.push_back({.value = static_cast<double>(offset_ms) + static_cast<double>(i) * static_cast<double>(step_ms)});
  }
  return out;
}

namespace {

void AppendBuckets(std::vector<std::string>* parts, std::string_view buckets_key, std::string_view offset_key,
                   const std::vector<Histogram::Span>& spans, const std::vector<double>& buckets) {
  if (spans.empty()) return;
  if (spans.front().offset != 0) parts->push_back(std::string(offset_key) + ":" + std::to_string(spans.front().offset));
  std::string list;
  const auto put = [&](double v) { list += (list.empty() ? "" : " ") + FormatFloatG(v); };
  std::size_t next = 0;
  for (std::size_t s = 0; s < spans.size(); ++s) {
    if (s > 0)
      for (std::int32_t gap = 0; gap < spans[s].offset; ++gap) put(0);
    for (std::uint32_t i = 0; i < spans[s].length && next < buckets.size(); ++i) put(buckets[next++]);
  }
  if (!list.empty()) parts->push_back(std::string(buckets_key) + ":[" + list + "]");
}

}  // namespace

std::string HistogramNotation(const Histogram& h) {
  std::vector<std::string> parts;
  const auto number = [&](const char* key, double v) {
    if (v != 0) parts.push_back(key + (":" + FormatFloatG(v)));
  };
  if (h.schema != 0) parts.push_back("schema:" + std::to_string(h.schema));
  number("count", h.count);
  number("sum", h.sum);
  number("z_bucket", h.zero_count);
  number("z_bucket_w", h.zero_threshold);
  if (h.uses_custom_buckets()) {
    std::string list;
    for (const double v : h.custom_values) list += (list.empty() ? "" : " ") + FormatFloatG(v);
    parts.push_back("custom_values:[" + list + "]");
  }
  switch (h.reset_hint) {
    case Histogram::ResetHint::kUnknown: break;
    case Histogram::ResetHint::kReset: parts.push_back("counter_reset_hint:reset"); break;
    case Histogram::ResetHint::kNotReset: parts.push_back("counter_reset_hint:not_reset"); break;
    case Histogram::ResetHint::kGauge: parts.push_back("counter_reset_hint:gauge"); break;
  }
  AppendBuckets(&parts, "buckets", "offset", h.positive_spans, h.positive_buckets);
  AppendBuckets(&parts, "n_buckets", "n_offset", h.negative_spans, h.negative_buckets);
  return "{{" + Join(parts, " ") + "}}";
}

}  // namespace prom::promql

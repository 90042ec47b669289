// Two paths: FastSeries takes the plain spelling of a sample, which is nearly every
// line of every exporter; anything else, valid or not, goes token by token through
// TextLexer, whose stops are upstream's. The fast path accepts only lines on which
// both would agree, and says no rather than decide an error.
#include "exposition/text_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/number.h"
#include "base/strings.h"
#include "exposition/float_text.h"

namespace prom {
namespace {

using Token = TextToken;
using Entry = TextParser::Entry;

// Bits: 1 may start a name, 2 may continue a label name, 4 may continue a metric name.
constexpr std::array<std::uint8_t, 256> kNameClass = [] {
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (letter) table[c] = 1 | 2 | 4;
    if (c >= '0' && c <= '9') table[c] = 2 | 4;
    if (c == ':') table[c] = 4;
  }
  return table;
}();
std::uint8_t NameClass(char c) { return kNameClass[static_cast<unsigned char>(c)]; }

// First byte at or after p that is a quote, a backslash, a control character or not ASCII.
[[gnu::always_inline]] inline const char* SkipPlain(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    // Signed: bytes above 0x7f are negative, so "below space" finds them too.
    const __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), _mm_cmplt_epi8(bytes, space));
    const int mask = _mm_movemask_epi8(stop);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (p < end && *p != '"' && *p != '\\' && static_cast<signed char>(*p) >= ' ') ++p;
  return p;
}

// First byte at or after p that no metric name goes on with.
[[gnu::always_inline]] inline const char* SkipName(const char* p, const char* end) {
#if defined(__SSE2__)
  // Letters are one range with the case bit set; digits and the colon are neighbours.
  const __m128i case_bit = _mm_set1_epi8(0x20), underscore = _mm_set1_epi8('_');
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i lower = _mm_or_si128(bytes, case_bit);
    const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)), _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
    const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8('0' - 1)), _mm_cmplt_epi8(bytes, _mm_set1_epi8(':' + 1)));
    const __m128i name = _mm_or_si128(_mm_or_si128(letter, digit), _mm_cmpeq_epi8(bytes, underscore));
    const int mask = _mm_movemask_epi8(name);
    if (mask != 0xffff) return p + __builtin_ctz(~static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (p < end && (NameClass(*p) & 4) != 0) ++p;
  return p;
}

// No control characters and nothing beyond ASCII.
bool IsPlainAscii(std::string_view s) {
  const char* p = s.data();
  const char* const end = p + s.size();
  while ((p = SkipPlain(p, end)) < end) {
    if (*p != '"' && *p != '\\') return false;
    ++p;
  }
  return true;
}

// Whether `s` is what FormatOpenMetricsFloat prints for it, told without computing for
// the plain spellings, "0.25" or "10.0". At most 15 digits are their own shortest text.
bool IsPlainFloatText(std::string_view s) {
  if (s == "+Inf") return true;
  const std::size_t point = s.find('.');
  if (point == std::string_view::npos || point == 0 || point > 6 || s.size() > 16) return false;
  const auto whole = s.substr(0, point), fraction = s.substr(point + 1);
  if (s.find_first_not_of("0123456789.") != std::string_view::npos || fraction.empty() || fraction.find('.') != std::string_view::npos) return false;
  if (whole[0] == '0' && whole.size() > 1) return false;
  if (fraction == "0") return true;
  return fraction.back() != '0' && (whole != "0" || !fraction.starts_with("0000"));
}

// Go's text for a float that strconv.ParseFloat refuses.
std::string FloatErrorText(std::string_view s) {
  if (s.find_first_of("pP_") != std::string_view::npos) return "unsupported character in float";
  // What reads as a number and was still refused is one too large.
  double ignored;
  std::string_view digits = s;
  if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
  const bool number = !digits.empty() && ((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.') &&
                      std::from_chars(digits.data(), digits.data() + digits.size(), ignored).ptr == digits.data() + digits.size();
  return "strconv.ParseFloat: parsing " + Quote(s) + (number ? ": value out of range" : ": invalid syntax");
}

}  // namespace

std::optional<double> ParseSampleValue(std::string_view s) {
  double fast;
  if (ParseFloatFast(s.data(), s.data() + s.size(), &fast)) return fast;
  if (s.find_first_of("pP_") != std::string_view::npos) return std::nullopt;
  return ParseFloat(s);
}

std::string FormatOpenMetricsFloat(double v) {
  std::string out = FormatFloatG(v);
  if (std::isfinite(v) && out.find_first_of("e.") == std::string::npos) out += ".0";
  return out;
}

void AppendUnescaped(std::string* out, std::string_view s, bool quotes) {
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = s.find('\\', begin);
    if (at == std::string_view::npos || at + 1 == s.size()) break;
    const char next = s[at + 1];
    if (next != '\\' && next != 'n' && (next != '"' || !quotes)) {  // not an escape: both bytes stay
      out->append(s.substr(begin, at + 1 - begin));
      begin = at + 1;
      continue;
    }
    out->append(s.substr(begin, at - begin));
    out->push_back(next == 'n' ? '\n' : next);
    begin = at + 2;
  }
  out->append(s.substr(begin));
}

TextParser::TextParser(std::string_view page, TextFormat format, Options options)
    : page_(page), format_(format), options_(options), lexer_(page, format) {}

std::string TextParser::QuoteRange(std::size_t begin, std::size_t end) const {
  end = std::min(end, lexer_.size());
  std::string bytes(page_.substr(begin, end - begin));
  if (end > page_.size()) bytes += '\n';
  return Quote(bytes);
}

TextError TextParser::ErrorAt(std::size_t position, std::string message) const {
  const std::size_t at = std::min(position, page_.size());
  const auto before = page_.substr(0, at);
  const std::size_t newline = before.rfind('\n');
  return {std::move(message), 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
          at - (newline == std::string_view::npos ? 0 : newline + 1) + 1};
}

Entry TextParser::Fail(std::string message) {
  error_ = ErrorAt(lexer_.start(), std::move(message));
  return Entry::kError;
}

Entry TextParser::FailNoEof() {
  error_ = ErrorAt(lexer_.position(), "data does not end with # EOF");
  return Entry::kError;
}

TextError TextParser::MakeError(std::string message) const { return ErrorAt(entry_start_, std::move(message)); }

Entry TextParser::FailToken(std::string_view expected, TextToken got) {
  const std::size_t end = lexer_.position() + 1;
  std::string message(expected);
  message += ", got " + QuoteRange(lexer_.start(), end) + " (\"";
  message += TextTokenName(got);
  message += "\") while parsing: " + QuoteRange(entry_start_, end);
  return Fail(std::move(message));
}

TextToken TextParser::NextToken() {
  Token token;
  do token = lexer_.Next();
  while (token == Token::kWhitespace);
  return token;
}

Entry TextParser::Next() {
  if (options_.fast_path && lexer_.at_line_start()) {
    if (FastSeries()) return Entry::kSeries;
    if (const Entry entry = FastMetadata(); entry != Entry::kError) return entry;
  }
  const bool open_metrics = format_ == TextFormat::kOpenMetrics;
  for (;;) {
    entry_start_ = lexer_.position();
    offsets_.clear();
    exemplar_offsets_.clear();
    has_timestamp_ = has_exemplar_ = exemplar_has_time_ = false;
    has_escapes_ = true;
    const Token token = NextToken();
    switch (token) {
      case Token::kEof:
        if (open_metrics) return FailNoEof();
        return Entry::kEnd;
      case Token::kEofWord:
        if (NextToken() != Token::kEof) return Fail("unexpected data after # EOF");
        return Entry::kEnd;
      case Token::kLinebreak: continue;
      case Token::kHelp:
      case Token::kType:
      case Token::kUnit: return Metadata(token);
      case Token::kComment: {
        text_start_ = lexer_.start();
        text_end_ = std::min(lexer_.position(), page_.size());
        is_help_ = false;
        if (const Token next = NextToken(); next != Token::kLinebreak) return FailToken("linebreak expected after comment", next);
        return Entry::kComment;
      }
      case Token::kBraceOpen: return Braces(false);
      case Token::kName: {
        // Blanks in front of the name are part of the series' bytes but not of its name.
        offsets_ = {lexer_.start(), lexer_.position()};
        series_end_ = lexer_.position();
        const Token next = NextToken();
        return next == Token::kBraceOpen ? Braces(true) : Suffix(next);
      }
      default: return FailToken("expected a valid start token", token);
    }
  }
}

Entry TextParser::Metadata(TextToken kind) {
  const auto name = std::string(TextTokenName(kind));
  if (const Token token = NextToken(); token != Token::kName) return FailToken("expected metric name after " + name, token);
  std::size_t begin = lexer_.start(), end = lexer_.position();
  if (page_[begin] == '"') ++begin, --end;
  offsets_ = {begin, end};
  const bool open_metrics = format_ == TextFormat::kOpenMetrics;
  if (const Token token = NextToken(); token != Token::kText) {
    return Fail("expected text in " + name + (open_metrics ? "" : ", got " + std::string(TextTokenName(token))));
  }
  // The byte behind the name is not text; OpenMetrics has the newline in the token.
  text_end_ = std::max(lexer_.position() - (open_metrics ? 1 : 0), lexer_.start());
  text_start_ = std::min(lexer_.start() + 1, text_end_);
  const auto raw = page_.substr(text_start_, text_end_ - text_start_);
  is_help_ = kind == Token::kHelp;
  if (kind == Token::kType) {
    const MetricType type = ParseMetricType(raw);
    const bool om_only = type == MetricType::kGaugeHistogram || type == MetricType::kInfo || type == MetricType::kStateSet;
    const std::string_view unknown = open_metrics ? "unknown" : "untyped";
    if (type == MetricType::kUnknown ? raw != unknown : (om_only && !open_metrics)) return Fail("invalid metric type " + Quote(raw));
    type_ = type;
  } else if (is_help_ && !IsValidUtf8(raw)) {
    return Fail("help text " + Quote(raw) + " is not a valid utf8 string");
  }
  if (!open_metrics) {
    if (const Token token = NextToken(); token != Token::kLinebreak) return FailToken("linebreak expected after metadata", token);
  }
  if (kind == Token::kHelp) return Entry::kHelp;
  if (kind == Token::kType) return Entry::kType;
  const auto name_text = metric();
  if (!raw.empty() && (name_text.size() < raw.size() + 1 || !name_text.ends_with(raw) || name_text[name_text.size() - raw.size() - 1] != '_')) {
    return Fail("unit " + Quote(raw) + " not a suffix of metric " + Quote(name_text));
  }
  return Entry::kUnit;
}

Entry TextParser::Braces(bool named) {
  constexpr auto kNone = static_cast<std::size_t>(-1);
  if (!named) offsets_ = {kNone, kNone};
  if (!LabelPairs(&offsets_, false)) return Entry::kError;
  series_end_ = lexer_.position();
  const Token token = NextToken();
  if (offsets_[0] == kNone) return Fail("metric name not set while parsing: " + QuoteRange(entry_start_, lexer_.position()));
  return Suffix(token);
}

bool TextParser::LabelPairs(std::vector<std::size_t>* offsets, bool exemplar) {
  constexpr auto kNone = static_cast<std::size_t>(-1);
  Token token = NextToken();
  for (;;) {
    if (token == Token::kBraceClose) return true;
    const bool quoted = token == Token::kQuoted;
    if (!quoted && token != Token::kLabelName) return FailToken("expected label name", token), false;
    std::size_t begin = lexer_.start(), end = lexer_.position();
    if (quoted) ++begin, --end;
    token = NextToken();
    if (quoted && (token == Token::kComma || token == Token::kBraceClose)) {  // a metric name
      if (exemplar) return FailToken("expected label name", token), false;
      if ((*offsets)[0] != kNone) return Fail("metric name already set while parsing: " + QuoteRange(entry_start_, lexer_.position())), false;
      (*offsets)[0] = begin;
      (*offsets)[1] = end;
      if (token == Token::kBraceClose) return true;
      token = NextToken();
      continue;
    }
    if (token != Token::kEqual) return FailToken("expected equal", token), false;
    token = NextToken();
    if (token != Token::kLabelValue) return FailToken("expected label value", token), false;
    if (!IsValidUtf8(lexer_.token())) return Fail("invalid UTF-8 label value: " + Quote(lexer_.token())), false;
    offsets->insert(offsets->end(), {begin, end, lexer_.start() + 1, lexer_.position() - 1});
    // A comma may trail. Prometheus text takes pairs without commas between them, too.
    token = NextToken();
    if (token == Token::kComma) {
      token = NextToken();
    } else if (format_ == TextFormat::kOpenMetrics && token != Token::kBraceClose) {
      return FailToken("expected comma or brace close", token), false;
    }
  }
}

bool TextParser::SampleValue(TextToken token, std::string_view after, double* out) {
  if (token != Token::kValue) return FailToken("expected value after " + std::string(after), token), false;
  auto s = lexer_.token();
  if (format_ == TextFormat::kOpenMetrics) s.remove_prefix(1);
  if (const auto v = ParseSampleValue(s)) {
    *out = *v;
    return true;
  }
  return Fail(FloatErrorText(s) + " while parsing: " + QuoteRange(entry_start_, lexer_.position())), false;
}

// The current token, blank and seconds, as ms; truncated, as upstream does.
bool TextParser::SecondsToMs(std::string_view what, std::int64_t* out) {
  const auto s = lexer_.token().substr(1);
  const auto seconds = ParseSampleValue(s);
  if (!seconds) return Fail(FloatErrorText(s) + " while parsing: " + QuoteRange(entry_start_, lexer_.position())), false;
  if (!std::isfinite(*seconds)) {
    const char* text = std::isnan(*seconds) ? "NaN" : *seconds > 0 ? "+Inf" : "-Inf";
    return Fail("invalid " + std::string(what) + " " + text), false;
  }
  const double ms = *seconds * 1000;
  // Outside int64 upstream's conversion gives the least value.
  *out = ms >= -0x1p63 && ms < 0x1p63 ? static_cast<std::int64_t>(ms) : INT64_MIN;
  return true;
}

Entry TextParser::Suffix(TextToken token) {
  const bool open_metrics = format_ == TextFormat::kOpenMetrics;
  if (!SampleValue(token, "metric", &value_)) return Entry::kError;
  value_start_ = lexer_.start() + (open_metrics ? 1 : 0);
  value_end_ = lexer_.position();
  token = NextToken();
  if (token == Token::kLinebreak) return Entry::kSeries;
  if (!open_metrics) {
    if (token != Token::kTimestamp) return FailToken("expected timestamp or new record", token);
    const auto t = ParseInt64(lexer_.token());
    if (!t) {
      return Fail("strconv.ParseInt: parsing " + Quote(lexer_.token()) + ": value out of range while parsing: " +
                  QuoteRange(entry_start_, lexer_.position()));
    }
    has_timestamp_ = true;
    timestamp_ms_ = *t;
    if (token = NextToken(); token != Token::kLinebreak) return FailToken("expected next entry after timestamp", token);
    return Entry::kSeries;
  }
  if (token == Token::kEof) return FailNoEof();
  if (token == Token::kTimestamp) {
    if (!SecondsToMs("timestamp", &timestamp_ms_)) return Entry::kError;
    has_timestamp_ = true;
    token = NextToken();
    if (token == Token::kLinebreak) return Entry::kSeries;
    if (token != Token::kComment) return FailToken("expected next entry after timestamp", token);
  }
  // Anything else does not fit; as upstream, the sample counts and the next call says so.
  if (token != Token::kComment) return Entry::kSeries;
  return ExemplarPart() ? Entry::kSeries : Entry::kError;
}

bool TextParser::ExemplarPart() {
  if (!LabelPairs(&exemplar_offsets_, true)) return false;
  if (!SampleValue(NextToken(), "exemplar labels", &exemplar_value_)) return false;
  has_exemplar_ = true;
  Token token = NextToken();
  if (token == Token::kLinebreak) return true;
  if (token == Token::kEof) return FailNoEof(), false;
  if (token != Token::kTimestamp) return FailToken("expected timestamp or comment", token), false;
  if (!SecondsToMs("exemplar timestamp", &exemplar_t_ms_)) return false;
  exemplar_has_time_ = true;
  if (token = NextToken(); token != Token::kLinebreak) return FailToken("expected next entry after exemplar timestamp", token), false;
  return true;
}

// name{label="value",...} value[ timestamp]\n with single blanks. False: not that
// spelling, and nothing was consumed.
bool TextParser::FastSeries() {
  const char* const base = page_.data();
  const char* const end = base + page_.size();
  const char* const start = base + lexer_.position();
  const char* p = start;
  if (p >= end || (NameClass(*p) & 1) == 0) return false;
  p = SkipName(p, end);
  constexpr int kMost = 2 + 4 * 32;  // more labels are rare enough for the long way
  std::size_t offsets[kMost];
  int count = 0;
  bool escapes = false;
  const auto note = [&](const char* at) { offsets[count++] = static_cast<std::size_t>(at - base); };
  note(start);
  note(p);
  if (p < end && *p == '{') {
    ++p;
    for (;;) {
      if (p >= end) return false;
      if (*p == '}') break;
      const char* const name = p;
      if ((NameClass(*p) & 1) == 0) return false;
      while (p < end && (NameClass(*p) & 2) != 0) ++p;
      const char* const name_end = p;
      if (end - p < 3 || p[0] != '=' || p[1] != '"') return false;
      p += 2;
      const char* const value = p;
      bool ascii = true;
      for (;;) {
        p = SkipPlain(p, end);
        if (p >= end || *p == '\n' || *p == '\0') return false;
        if (*p == '"') break;
        if (*p == '\\') {
          if (end - p < 2 || p[1] == '\n' || p[1] == '\0') return false;
          ++p;
          escapes = true;
        }
        if (static_cast<signed char>(*p) < 0) ascii = false;
        ++p;
      }
      if (!ascii && !IsValidUtf8({value, static_cast<std::size_t>(p - value)})) return false;
      if (count == kMost) return false;
      note(name);
      note(name_end);
      note(value);
      note(p);
      ++p;
      if (p < end && *p == ',') {
        ++p;
        if (p < end && *p == ' ' && format_ == TextFormat::kPrometheus) ++p;  // some exporters put a blank
      } else if (p >= end || *p != '}') {
        return false;
      }
    }
    ++p;
  }
  const char* const series_end = p;
  if (end - p < 2 || *p != ' ') return false;
  ++p;
  const char* const value = p;
  while (p < end && *p != '\n' && *p != ' ') {
    if (*p == '\0' || *p == '\t' || *p == '{') return false;
    ++p;
  }
  const char* const value_end = p;
  if (const auto v = ParseSampleValue({value, static_cast<std::size_t>(value_end - value)})) {
    value_ = *v;
  } else {
    return false;
  }
  std::int64_t t_ms = 0;
  bool timestamp = false;
  if (p < end && *p == ' ') {
    const char* const digits = ++p;
    std::uint64_t t = 0;  // may wrap before its length is found too large
    for (; p < end && *p >= '0' && *p <= '9'; ++p) t = t * 10 + static_cast<unsigned char>(*p - '0');
    if (format_ == TextFormat::kOpenMetrics) {
      if (p < end && *p == '.')
        while (++p < end && *p >= '0' && *p <= '9') {}
      const auto seconds = p - digits > 18 ? std::nullopt : ParseSampleValue({digits, static_cast<std::size_t>(p - digits)});
      if (!seconds) return false;
      t_ms = static_cast<std::int64_t>(*seconds * 1000);  // as SecondsToMs
    } else {
      if (p == digits || p - digits > 18) return false;
      t_ms = static_cast<std::int64_t>(t);
    }
    timestamp = true;
  }
  if (p < end ? *p != '\n' : format_ == TextFormat::kOpenMetrics) return false;
  offsets_.assign(offsets, offsets + count);
  entry_start_ = static_cast<std::size_t>(start - base);
  series_end_ = static_cast<std::size_t>(series_end - base);
  value_start_ = static_cast<std::size_t>(value - base);
  value_end_ = static_cast<std::size_t>(value_end - base);
  has_timestamp_ = timestamp;
  timestamp_ms_ = t_ms;
  has_exemplar_ = false;
  has_escapes_ = escapes;
  lexer_.Seek(static_cast<std::size_t>(p - base) + 1);
  return true;
}

// "# HELP name text\n" and "# TYPE name type\n" with single blanks and a plain name.
// kError: not that spelling, and nothing was consumed.
Entry TextParser::FastMetadata() {
  constexpr std::size_t kKeyword = 7;  // "# HELP "
  const char* const base = page_.data();
  const char* const end = base + page_.size();
  const char* const start = base + lexer_.position();
  if (start >= end || end - start < static_cast<std::ptrdiff_t>(kKeyword)) return Entry::kError;
  const bool help = std::memcmp(start, "# HELP ", kKeyword) == 0;
  if (!help && std::memcmp(start, "# TYPE ", kKeyword) != 0) return Entry::kError;
  const char* p = start + kKeyword;
  const char* const name = p;
  if (p >= end || (NameClass(*p) & 1) == 0) return Entry::kError;
  p = SkipName(p, end);
  const char* const name_end = p;
  if (end - p < 2 || *p != ' ' || p[1] == ' ') return Entry::kError;
  const char* const text = ++p;
  const char* const newline = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
  if (newline == nullptr || newline == text) return Entry::kError;
  // The lexer would step over zero bytes here.
  if (format_ == TextFormat::kOpenMetrics && newline + 1 < end && newline[1] == '\0') return Entry::kError;
  const std::string_view raw(text, static_cast<std::size_t>(newline - text));
  MetricType type = MetricType::kUnknown;
  if (help) {
    if (!IsPlainAscii(raw)) return Entry::kError;
  } else {
    type = ParseMetricType(raw);
    // The rest is either not a type or not one of both formats.
    const bool untyped = raw == "untyped" && format_ == TextFormat::kPrometheus;
    if (!untyped && type != MetricType::kCounter && type != MetricType::kGauge && type != MetricType::kHistogram && type != MetricType::kSummary) return Entry::kError;
    type_ = type;
  }
  entry_start_ = static_cast<std::size_t>(start - base);
  offsets_ = {static_cast<std::size_t>(name - base), static_cast<std::size_t>(name_end - base)};
  text_start_ = static_cast<std::size_t>(text - base);
  text_end_ = static_cast<std::size_t>(newline - base);
  is_help_ = help;
  lexer_.Seek(text_end_ + 1);
  return help ? Entry::kHelp : Entry::kType;
}

bool TextParser::IsFloatLabel(std::string_view name) const {
  return options_.normalize_float_labels &&
         ((type_ == MetricType::kHistogram && name == "le") || (type_ == MetricType::kSummary && name == "quantile"));
}

bool TextParser::normalization_applies() const {
  if (type_ != MetricType::kHistogram && type_ != MetricType::kSummary) return false;
  for (std::size_t i = 2; i < offsets_.size(); i += 4) {
    if (!IsFloatLabel(page_.substr(offsets_[i], offsets_[i + 1] - offsets_[i]))) continue;
    const auto raw = page_.substr(offsets_[i + 2], offsets_[i + 3] - offsets_[i + 2]);
    if (IsPlainFloatText(raw)) continue;
    const auto v = ParseFloat(raw);
    if (v && FormatOpenMetricsFloat(*v) != raw) return true;
  }
  return false;
}

namespace {

// Sorted, unique labels out of raw pairs; escapes resolved in *scratch, which must not move.
Result<Labels> BuildLabels(std::vector<Label>* pairs) {
  for (std::size_t i = 1; i < pairs->size(); ++i) {  // insertion sort: few, and often in order already
    const Label label = (*pairs)[i];
    std::size_t j = i;
    for (; j > 0 && label.name < (*pairs)[j - 1].name; --j) (*pairs)[j] = (*pairs)[j - 1];
    (*pairs)[j] = label;
  }
  for (std::size_t i = 1; i < pairs->size(); ++i) {
    if ((*pairs)[i].name == (*pairs)[i - 1].name) return Error{Errc::kInvalid, "label name " + Quote((*pairs)[i].name) + " is not unique: invalid sample"};
  }
  std::erase_if(*pairs, [](const Label& label) { return label.value.empty(); });
  return Labels::FromSorted(*pairs);
}

}  // namespace

Result<Labels> TextParser::labels() {
  auto& pairs = pairs_;
  auto& scratch = scratch_;
  pairs.clear();
  scratch.clear();
  pairs.reserve(offsets_.size());
  // Room for all that is rewritten below, so that views into it hold.
  if (has_escapes_ || type_ == MetricType::kHistogram || type_ == MetricType::kSummary) scratch.reserve(series().size() + 32 * offsets_.size());
  const auto plain = [&](std::size_t i) {
    const auto raw = page_.substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
    if (!has_escapes_ || raw.find('\\') == std::string_view::npos) return raw;
    const std::size_t begin = scratch.size();
    AppendUnescaped(&scratch, raw, true);
    return std::string_view(scratch).substr(begin);
  };
  const auto name = plain(0);
  if (name.empty() && !options_.allow_empty_name) return Error{Errc::kInvalid, "missing metric name (__name__ label)"};
  if (!name.empty()) pairs.push_back({kMetricName, name});
  for (std::size_t i = 2; i < offsets_.size(); i += 4) {
    const auto label = plain(i);
    auto value = plain(i + 2);
    if (IsFloatLabel(label) && !IsPlainFloatText(value)) {
      if (const auto v = ParseFloat(value)) {
        const std::size_t begin = scratch.size();
        scratch += FormatOpenMetricsFloat(*v);
        value = std::string_view(scratch).substr(begin);
      }
    }
    pairs.push_back({label, value});
  }
  // Quoted names are the only ones that need not be ASCII; values were checked.
  const bool valid = !has_escapes_ || (IsValidUtf8(name) && std::all_of(pairs.begin(), pairs.end(), [](const Label& l) { return IsValidUtf8(l.name); }));
  auto built = BuildLabels(&pairs);
  if (built && !valid) return Error{Errc::kInvalid, "invalid metric name or label names: " + built->ToString()};
  return built;
}

Exemplar TextParser::exemplar() const {
  Exemplar out;
  out.value = exemplar_value_;
  out.has_time = exemplar_has_time_;
  out.t_ms = exemplar_has_time_ ? exemplar_t_ms_ : 0;
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto& at = exemplar_offsets_;
  const auto plain = [&](std::size_t i) {
    std::string s;
    AppendUnescaped(&s, page_.substr(at[i], at[i + 1] - at[i]), true);
    return s;
  };
  for (std::size_t i = 0; i + 3 < at.size(); i += 4) pairs.emplace_back(plain(i), plain(i + 2));
  out.labels = Labels::FromPairs(std::move(pairs));
  return out;
}

std::string TextParser::text() const {
  const auto raw = page_.substr(text_start_, text_end_ - text_start_);
  if (!is_help_) return std::string(raw);
  std::string out;
  AppendUnescaped(&out, raw, format_ == TextFormat::kOpenMetrics);
  return out;
}

}  // namespace prom

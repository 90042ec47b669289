// Reads prom-stream(5), section "Text form". Lines go through TextParser one by one,
// so that one that breaks the rules takes no other with it.
#include <algorithm>
#include <cstring>

#include "base/number.h"
#include "base/strings.h"
#include "exposition/float_text.h"
#include "exposition/stream_text.h"

namespace prom {
namespace {

using Entry = TextParser::Entry;

constexpr std::uint32_t kNone = SeriesTable::kNone;
constexpr std::size_t kMaxMetadata = 1u << 20;
constexpr std::size_t kMaxTexts = 16u << 20;  // of series that are predicted

// Bytes of the series at the front of `s`: up to a blank outside braces.
std::size_t SeriesLength(std::string_view s) {
  bool braces = false, quotes = false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (quotes) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quotes = false;
      }
    } else if (c == '"' && braces) {
      quotes = true;
    } else if (c == '{') {
      braces = true;
    } else if (c == '}') {
      return i + 1;
    } else if (c == ' ' && !braces) {
      return i;
    }
  }
  return s.size();
}

// The word at the front, which goes, with the blank behind it.
std::string_view TakeWord(std::string_view* s) {
  const std::size_t end = std::min(s->find(' '), s->size());
  const auto word = s->substr(0, end);
  s->remove_prefix(std::min(end + 1, s->size()));
  return word;
}

std::string_view TakeSeries(std::string_view* s) {
  const std::size_t end = SeriesLength(*s);
  const auto series = s->substr(0, end);
  s->remove_prefix(end);
  if (!s->empty() && s->front() == ' ') s->remove_prefix(1);
  return series;
}

// Calls `each` for the parts between commas; false when one is not taken.
template <typename Each>
bool ForList(std::string_view list, Each each) {
  for (const auto part : Split(list, ',')) {
    if (!each(part)) return false;
  }
  return true;
}

bool ParseList(std::string_view text, std::vector<double>* out) {
  return ForList(text, [&](std::string_view part) {
    const auto v = ParseStreamFloat(part);
    if (v) out->push_back(*v);
    return v.has_value();
  });
}

bool ParseSpans(std::string_view text, std::vector<Histogram::Span>* out) {
  return ForList(text, [&](std::string_view part) {
    const std::size_t star = part.find('*');
    if (star == std::string_view::npos) return false;
    const auto offset = ParseInt64(part.substr(0, star));
    const auto length = ParseUint64(part.substr(star + 1));
    if (!offset || !length || *offset < INT32_MIN || *offset > INT32_MAX || *length > UINT32_MAX) return false;
    out->push_back({static_cast<std::int32_t>(*offset), static_cast<std::uint32_t>(*length)});
    return true;
  });
}

}  // namespace

std::optional<double> ParseStreamFloat(std::string_view s) {
  if (!s.starts_with("0x")) return ParseSampleValue(s);
  if (s.size() != 18) return std::nullopt;
  std::uint64_t bits = 0;
  for (const char c : s.substr(2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    bits = bits << 4 | static_cast<std::uint64_t>(digit);
  }
  double v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

Result<Histogram> ParseHistogramText(std::string_view text) {
  const auto invalid = [](std::string what) { return Error{Errc::kInvalid, std::move(what)}; };
  Histogram h;
  const auto kind = TakeWord(&text);
  if (kind != "int" && kind != "float") return invalid("histogram is neither int nor float: " + Quote(kind));
  h.is_float = kind == "float";
  while (!text.empty()) {
    const auto field = TakeWord(&text);
    const std::size_t colon = std::min(field.find(':'), field.size());
    const auto key = field.substr(0, colon);
    const auto value = field.substr(std::min(colon + 1, field.size()));
    bool good = true;
    const auto number = [&](double* out) {
      const auto v = ParseStreamFloat(value);
      if (v) *out = *v;
      return v.has_value();
    };
    if (key == "schema") {
      const auto v = ParseInt64(value);
      good = v && *v >= -128 && *v <= 127;
      if (good) h.schema = static_cast<std::int32_t>(*v);
    } else if (key == "hint") {
      using Hint = Histogram::ResetHint;
      h.reset_hint = value == "reset" ? Hint::kReset : value == "not_reset" ? Hint::kNotReset : value == "gauge" ? Hint::kGauge : Hint::kUnknown;
      good = h.reset_hint != Hint::kUnknown || value == "unknown";
    } else if (key == "zero_threshold") {
      good = number(&h.zero_threshold);
    } else if (key == "zero_count") {
      good = number(&h.zero_count);
    } else if (key == "count") {
      good = number(&h.count);
    } else if (key == "sum") {
      good = number(&h.sum);
    } else if (key == "spans") {
      good = ParseSpans(value, &h.positive_spans);
    } else if (key == "buckets") {
      good = ParseList(value, &h.positive_buckets);
    } else if (key == "negative_spans") {
      good = ParseSpans(value, &h.negative_spans);
    } else if (key == "negative_buckets") {
      good = ParseList(value, &h.negative_buckets);
    } else if (key == "custom") {
      good = ParseList(value, &h.custom_values);
    } else {
      return invalid("unknown histogram field " + Quote(key));
    }
    if (!good) return invalid("bad histogram field " + Quote(field));
  }
  PROM_TRY(h.Validate());
  return h;
}

StreamTextReader::StreamTextReader(StreamSink* sink, Clock* clock, Options options, RefusedFn refused)
    : sink_(sink),
      clock_(clock),
      options_(options),
      on_refused_(std::move(refused)),
      // Label values are taken as they are: a stream has them as they are stored.
      parser_({}, options.format, {.normalize_float_labels = false, .allow_empty_name = true}),
      piece_parser_({}, TextFormat::kPrometheus, {.normalize_float_labels = false, .allow_empty_name = true}) {}

void StreamTextReader::OpenPage() {
  if (page_open_) return;
  page_open_ = true;
  page_ms_ = clock_->NowMs();
}

Result<void> StreamTextReader::Refuse(std::string_view reason) {
  ++refused_;
  if (on_refused_) on_refused_(lines_, reason);
  return {};
}

void StreamTextReader::DropStart() {
  if (!start_.set) return;
  start_.set = false;
  --lines_;  // it is the line before that did not fit
  (void)Refuse("start timestamp without the sample it belongs to behind it");
  ++lines_;
}

// The series at the front of `bytes`, if it is the one expected here.
std::uint32_t StreamTextReader::Predict(std::string_view bytes) const {
  if (last_ >= known_.size()) return kNone;
  const auto is = [&](std::uint32_t id) {
    if (id >= known_.size()) return false;
    const Known& k = known_[id];
    return bytes.size() > k.length && bytes[k.length] == ' ' && std::memcmp(bytes.data(), texts_.data() + k.offset, k.length) == 0;
  };
  const std::uint32_t next = known_[last_].next;
  if (is(next)) return next;
  return next != last_ && is(last_) ? last_ : kNone;
}

void StreamTextReader::Learn(std::uint32_t series, std::string_view text) {
  constexpr std::uint32_t kNoText = 0xffffffffu;  // longer than any line
  if (texts_.size() + text.size() <= kMaxTexts) {
    // Series of directives have ids too, but no text here as long as no sample line has them.
    while (series >= known_.size()) known_.push_back({0, kNoText, static_cast<std::uint32_t>(known_.size())});
    if (Known& k = known_[series]; k.length == kNoText) {
      k.offset = static_cast<std::uint32_t>(texts_.size());
      k.length = static_cast<std::uint32_t>(text.size());
      texts_.append(text);
    }
  }
  if (last_ < known_.size()) known_[last_].next = series;
  last_ = series;
}

// Takes lines off the front as long as their series are the expected ones; how many bytes
// they have. Everything unusual is left to the long way, which decides alone what is right.
Result<std::size_t> StreamTextReader::TakePredicted(std::string_view bytes) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* line = begin;
  while (line != end) {
    const std::uint32_t series = Predict({line, static_cast<std::size_t>(end - line)});
    if (series == kNone) break;
    const char* const value_text = line + known_[series].length + 1;
    const char* p = value_text;
    while (p != end && *p > ' ') ++p;
    if (p == end) break;
    double value = 0;
    if (!ParseFloatFast(value_text, p, &value)) {
      const auto slow = ParseSampleValue({value_text, static_cast<std::size_t>(p - value_text)});
      if (!slow) break;
      value = *slow;
    }
    bool timed = false;
    std::int64_t t_ms = 0;
    if (*p == ' ') {
      const char* const time = ++p;
      timed = true;
      if (options_.format == TextFormat::kPrometheus) {
        std::uint64_t t = 0;
        for (; p != end && *p >= '0' && *p <= '9'; ++p) t = t * 10 + static_cast<unsigned char>(*p - '0');
        if (p == time || p - time > 18) break;
        t_ms = static_cast<std::int64_t>(t);
      } else {
        double seconds = 0;
        while (p != end && *p > ' ') ++p;
        if (!ParseFloatFast(time, p, &seconds)) break;
        const double ms = seconds * 1000;
        if (!(ms >= -0x1p63 && ms < 0x1p63)) break;
        t_ms = static_cast<std::int64_t>(ms);
      }
    }
    if (p == end || *p != '\n' || static_cast<std::size_t>(p + 1 - line) > options_.max_line_bytes) break;
    line = p + 1;
    ++lines_;
    ++predicted_;
    OpenPage();
    known_[last_].next = series;
    last_ = series;
    PROM_TRY(Emit(series, timed ? t_ms : page_ms_, value));
  }
  return static_cast<std::size_t>(line - begin);
}

Result<void> StreamTextReader::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (partial_.empty() && !skipping_) {
      PROM_ASSIGN(const std::size_t taken, TakePredicted(bytes));
      bytes.remove_prefix(taken);
      if (bytes.empty()) break;
    }
    const std::size_t newline = bytes.find('\n');
    const std::size_t end = newline == std::string_view::npos ? bytes.size() : newline + 1;
    const auto piece = bytes.substr(0, end);
    bytes.remove_prefix(end);
    const bool whole = newline != std::string_view::npos;
    if (skipping_) {
      skipping_ = !whole;
      continue;
    }
    if (partial_.size() + piece.size() > options_.max_line_bytes) {
      ++lines_;
      (void)Refuse("line longer than " + std::to_string(options_.max_line_bytes) + " bytes");
      partial_ = std::string();
      skipping_ = !whole;
      OpenPage();
      continue;
    }
    if (!whole) {
      OpenPage();
      partial_.append(piece);
    } else if (partial_.empty()) {
      PROM_TRY(TakeLine(piece));
    } else {
      partial_.append(piece);
      std::string line;
      line.swap(partial_);
      auto done = TakeLine(line);
      line.clear();
      partial_.swap(line);  // keeps the room
      PROM_TRY(std::move(done));
    }
  }
  return {};
}

Result<void> StreamTextReader::Finish() {
  if (!partial_.empty()) PROM_TRY(Feed("\n"));
  skipping_ = false;
  return EndPage(0);
}

Result<void> StreamTextReader::TakeLine(std::string_view line) {
  ++lines_;
  if (line == "\n" || line == "# EOF\n") return EndPage(0);
  OpenPage();
  if (line[0] != '#') return TakeSample(line);
  if (line.starts_with("#@")) return TakeDirective(line.substr(2, line.size() - 3));
  return TakeComment(line);
}

Result<void> StreamTextReader::EndPage(std::uint64_t sequence) {
  DropStart();
  PROM_TRY(FlushMetadata());
  page_open_ = false;
  batch_samples_ = 0;
  // Nothing to commit, or it was just now, for its size.
  if (batch_empty_ && (sequence == 0 || committed_for_size_)) return {};
  batch_empty_ = true;
  // Streams put one behind the other each count from the start: ours goes on growing.
  sequence_ = std::max(sequence, sequence_ + 1);
  return sink_->Commit(sequence_);
}

// What the pieces are, put together as one line.
Entry StreamTextReader::ParsePieces(std::string_view before, std::string_view text, std::string_view behind) {
  scratch_.assign(before);
  scratch_.append(text);
  scratch_.append(behind);
  piece_parser_.Rebind(scratch_);
  const Entry entry = piece_parser_.Next();
  return piece_parser_.entry_end() == scratch_.size() ? entry : Entry::kError;
}

Result<std::uint32_t> StreamTextReader::SeriesIdOf(TextParser* parser) {
  const auto key = SeriesTable::MakeKey(parser->series());
  if (const std::uint32_t known = table_.Find(key); known != kNone) return known;
  auto labels = parser->labels();
  if (!labels) {
    (void)Refuse(labels.error().message);
    return kNone;
  }
  std::size_t count = 0;
  for (const Label label : *labels) {
    ++count;
    if (std::max(label.name.size(), label.value.size()) > options_.max_label_bytes) {
      (void)Refuse("label name or value longer than " + std::to_string(options_.max_label_bytes) + " bytes");
      return kNone;
    }
  }
  if (count > options_.max_labels) {
    (void)Refuse("more than " + std::to_string(options_.max_labels) + " labels");
    return kNone;
  }
  if (table_.size() >= options_.max_series) {
    DropStart();
    table_.Clear();
    texts_.clear();
    known_.clear();
    last_ = kNone;
    PROM_TRY(sink_->Reset());
  }
  const std::uint32_t id = table_.Add(key);
  PROM_TRY(sink_->DefineSeries(id, *labels));
  return id;
}

Result<std::uint32_t> StreamTextReader::SeriesId(std::string_view series) {
  if (const std::uint32_t known = table_.Find(SeriesTable::MakeKey(series)); known != kNone) return known;
  if (ParsePieces({}, series, " 0\n") != Entry::kSeries || piece_parser_.series() != series) {
    (void)Refuse("bad series in directive: " + Quote(series.substr(0, 200)));
    return kNone;
  }
  return SeriesIdOf(&piece_parser_);
}

Result<void> StreamTextReader::Emit(std::uint32_t series, std::int64_t t_ms, double v) {
  std::int64_t st_ms = 0;
  if (start_.set) {
    if (start_.series == series && start_.t_ms == t_ms) {
      st_ms = start_.st_ms;
      start_.set = false;
    } else {
      DropStart();
    }
  }
  PROM_TRY(FlushMetadata());
  BatchHasContent();
  ++samples_;
  PROM_TRY(sink_->Sample(series, t_ms, v, st_ms));
  if (++batch_samples_ < options_.max_batch_samples) return {};
  batch_samples_ = 0;
  batch_empty_ = true;
  committed_for_size_ = true;
  return sink_->Commit(++sequence_);
}

Result<void> StreamTextReader::TakeSample(std::string_view line) {
  parser_.Rebind(line);
  Entry entry = parser_.Next();
  bool before_1970 = false;
  std::int64_t t_ms = 0;
  if (entry == Entry::kError && options_.format == TextFormat::kPrometheus) {
    // The format has no negative times, but a stream must be able to carry them.
    const std::size_t blank = line.rfind(' ');
    if (blank != std::string_view::npos && line.substr(blank).starts_with(" -")) {
      const auto t = ParseInt64(line.substr(blank + 1, line.size() - blank - 2));
      if (t && ParsePieces({}, line.substr(0, blank), "\n") == Entry::kSeries && !piece_parser_.has_timestamp()) {
        before_1970 = true;
        t_ms = *t;
      }
    }
  }
  TextParser* const parser = before_1970 ? &piece_parser_ : &parser_;
  if (!before_1970) {
    if (entry == Entry::kError) return Refuse(parser_.error().message);
    if (entry != Entry::kSeries) return Refuse("not a sample");
    if (!parser_.at_line_start() || parser_.entry_end() != line.size()) return Refuse("unexpected text behind the value");
    t_ms = parser_.has_timestamp() ? parser_.timestamp_ms() : page_ms_;
  }
  PROM_ASSIGN(const std::uint32_t id, SeriesIdOf(parser));
  if (id == kNone) return {};
  Learn(id, parser->series());
  const bool has_exemplar = parser->has_exemplar();
  PROM_TRY(Emit(id, t_ms, parser->value()));
  if (has_exemplar) {
    BatchHasContent();
    return sink_->ExemplarOf(id, parser->exemplar());
  }
  return {};
}

Result<void> StreamTextReader::TakeComment(std::string_view line) {
  Entry entry;
  TextParser* parser = &parser_;
  const bool unit = line.starts_with("# UNIT ") && options_.format == TextFormat::kPrometheus;
  if (unit) {  // a comment to the Prometheus format; spelled like HELP
    parser = &piece_parser_;
    entry = ParsePieces("# HELP ", line.substr(7), {}) == Entry::kHelp ? Entry::kUnit : Entry::kError;
  } else {
    parser_.Rebind(line);
    entry = parser_.Next();
  }
  if (entry == Entry::kError) return Refuse(parser->error().message);
  if (entry != Entry::kHelp && entry != Entry::kType && entry != Entry::kUnit) return {};
  DropStart();
  std::string metric;
  AppendUnescaped(&metric, parser->metric(), true);
  if (entry == Entry::kType) {
    return ChangeMetadata(metric, 2, [&](Metadata* m) { m->type = parser->type(); });
  }
  std::string text = parser->text();
  // Blanks alone cannot be told from no text, so they are none.
  if (text.find_first_not_of(std::string_view(" \t\0", 3)) == std::string::npos) text.clear();
  return ChangeMetadata(metric, entry == Entry::kHelp ? 1 : 4, [&](Metadata* m) { (entry == Entry::kHelp ? m->help : m->unit) = text; });
}

// What the lines of one metric say together is passed on as one, as long as they come
// in the order of a writer, HELP 1, TYPE 2, #@type 3, UNIT 4; otherwise `line` begins anew.
Result<void> StreamTextReader::ChangeMetadata(const std::string& metric, int line, const std::function<void(Metadata*)>& change) {
  if (metadata_pending_ && (metric != pending_metric_ || line <= pending_line_)) PROM_TRY(FlushMetadata());
  if (!metadata_pending_) pending_metric_ = metric;
  pending_line_ = line;
  if (metadata_.size() >= kMaxMetadata && metadata_.find(pending_metric_) == metadata_.end()) metadata_.clear();
  const auto [it, is_new] = metadata_.try_emplace(pending_metric_);
  const Metadata before = it->second;
  change(&it->second);
  if (is_new || !(it->second == before)) metadata_pending_ = true;  // pages say it again and again
  return {};
}

Result<void> StreamTextReader::FlushMetadata() {
  if (!metadata_pending_) return {};
  metadata_pending_ = false;
  BatchHasContent();
  return sink_->MetadataOf(pending_metric_, metadata_[pending_metric_]);
}

Result<void> StreamTextReader::TakeDirective(std::string_view line) {
  auto rest = line;
  const auto word = TakeWord(&rest);
  if (word == "commit") {
    const auto sequence = ParseUint64(rest);
    if (!sequence || *sequence == 0) return Refuse("bad commit number: " + Quote(rest));
    return EndPage(*sequence);
  }
  if (word == "type") {
    const std::size_t blank = std::min(rest.rfind(' '), rest.size());
    const auto name = rest.substr(0, blank);
    const auto type = ParseMetricType(rest.substr(std::min(blank + 1, rest.size())));
    if (ParsePieces("# HELP ", name, " x\n") != Entry::kHelp || type == MetricType::kUnknown) return Refuse("bad type directive: " + Quote(rest));
    std::string metric;
    AppendUnescaped(&metric, piece_parser_.metric(), true);
    return ChangeMetadata(metric, 3, [&](Metadata* m) { m->type = type; });
  }
  if (word != "stale" && word != "value" && word != "start" && word != "histogram" && word != "exemplar") {
    return Refuse("unknown directive " + Quote(word.substr(0, 100)));
  }
  const auto series = TakeSeries(&rest);
  if (word == "exemplar") return TakeExemplar(series, rest);
  double value = StaleNan();
  if (word == "value") {
    const auto text = TakeWord(&rest);
    const auto v = ParseStreamFloat(text);
    if (!v) return Refuse("bad value " + Quote(text));
    value = *v;
  }
  const auto time = TakeWord(&rest);
  if (word == "histogram") return TakeHistogram(series, time, rest);
  const auto t_ms = ParseInt64(time);
  if (!t_ms) return Refuse("bad timestamp " + Quote(time));
  std::int64_t st_ms = 0;
  if (word == "start") {
    const auto st = ParseInt64(TakeWord(&rest));
    if (!st || *st == 0) return Refuse("bad start timestamp");
    st_ms = *st;
    DropStart();
  }
  if (!rest.empty()) return Refuse("unexpected text behind the directive: " + Quote(rest.substr(0, 100)));
  PROM_ASSIGN(const std::uint32_t id, SeriesId(series));
  if (id == kNone) return {};
  if (word != "start") return Emit(id, *t_ms, value);
  start_ = {true, id, *t_ms, st_ms};
  return {};
}

Result<void> StreamTextReader::TakeHistogram(std::string_view series, std::string_view time, std::string_view fields) {
  const auto t_ms = ParseInt64(time);
  if (!t_ms) return Refuse("bad timestamp " + Quote(time));
  std::int64_t st_ms = 0;
  if (const std::size_t at = fields.rfind(" start:"); at != std::string_view::npos) {
    const auto st = ParseInt64(fields.substr(at + 7));
    if (!st) return Refuse("bad start timestamp");
    st_ms = *st;
    fields = fields.substr(0, at);
  }
  const auto h = ParseHistogramText(fields);
  if (!h) return Refuse(h.error().message);
  PROM_ASSIGN(const std::uint32_t id, SeriesId(series));
  if (id == kNone) return {};
  DropStart();
  PROM_TRY(FlushMetadata());
  BatchHasContent();
  ++samples_;
  ++batch_samples_;
  return sink_->HistogramAt(id, *t_ms, *h, st_ms);
}

Result<void> StreamTextReader::TakeExemplar(std::string_view series, std::string_view rest) {
  const auto text = TakeSeries(&rest);
  Exemplar exemplar;
  const auto number = TakeWord(&rest);
  const auto value = ParseStreamFloat(number);
  if (!value) return Refuse("bad exemplar value " + Quote(number));
  exemplar.value = *value;
  if (!rest.empty()) {
    const auto t_ms = ParseInt64(rest);
    if (!t_ms) return Refuse("bad exemplar timestamp " + Quote(rest.substr(0, 100)));
    exemplar.has_time = true;
    exemplar.t_ms = *t_ms;
  }
  // As the labels of a series without a name.
  if (!text.starts_with("{") || ParsePieces("{\"\",", text.substr(1), " 0\n") != Entry::kSeries) return Refuse("bad exemplar labels " + Quote(text.substr(0, 200)));
  auto labels = piece_parser_.labels();
  if (!labels) return Refuse(labels.error().message);
  exemplar.labels = std::move(*labels);
  PROM_ASSIGN(const std::uint32_t id, SeriesId(series));
  if (id == kNone) return {};
  DropStart();
  PROM_TRY(FlushMetadata());
  BatchHasContent();
  return sink_->ExemplarOf(id, exemplar);
}

}  // namespace prom

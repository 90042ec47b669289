// How a page is walked.
//
// The prediction is the list of lines of the last page and its text. While line after
// line is equal, only lengths are added up: the values of a slot are still in values_,
// the presence bits still hold. A line whose value alone changed is found by its
// prefix. This lasts as long as the page has the same series in the same order
// ("in place": lines_ is updated where it stands).
//
// At the first line that breaks the order Diverge copies what has passed to new_lines_
// and from there on every line is recorded and stamps its slot, so that duplicates and
// vanished series are found at the end. Prediction goes on: a line that does not match
// is parsed in full, its series is looked up, and if that series is one of the next 32
// predicted lines, the walk continues behind it.
#include "exposition/page_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "exposition/float_text.h"

namespace prom {
namespace {

constexpr std::size_t kResyncLines = 32;
constexpr std::size_t kFewSlots = 128;
constexpr int kSparsePages = 8;
// Compared at once: short, so that no page can make every line compare the rest of it.
constexpr std::size_t kWindow = 4096;
// Lengths of lines are 32 bits.
constexpr std::size_t kMaxPage = 0xffff0000u;

std::size_t CommonPrefix(const char* a, const char* b, std::size_t size) {
  std::size_t i = 0;
#if defined(__SSE2__)
  const auto load = [](const char* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); };
  for (; i + 64 <= size; i += 64) {
    const __m128i e0 = _mm_cmpeq_epi8(load(a + i), load(b + i)), e1 = _mm_cmpeq_epi8(load(a + i + 16), load(b + i + 16));
    const __m128i e2 = _mm_cmpeq_epi8(load(a + i + 32), load(b + i + 32)), e3 = _mm_cmpeq_epi8(load(a + i + 48), load(b + i + 48));
    const __m128i all = _mm_and_si128(_mm_and_si128(e0, e1), _mm_and_si128(e2, e3));
    if (_mm_movemask_epi8(all) == 0xffff) continue;
    const auto bits = [](__m128i v) { return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(v))); };
    const std::uint64_t equal = bits(e0) | bits(e1) << 16 | bits(e2) << 32 | bits(e3) << 48;
    return i + static_cast<std::size_t>(std::countr_one(equal));
  }
#endif
  while (i < size && a[i] == b[i]) ++i;
  return i;
}

bool Bit(const std::vector<std::uint64_t>& bits, std::uint32_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }
void SetBit(std::vector<std::uint64_t>& bits, std::uint32_t i) { bits[i / 64] |= std::uint64_t{1} << (i % 64); }

}  // namespace

PageParser::PageParser(PageOptions options) : options_(options) {}

std::size_t PageParser::memory_bytes() const {
  return last_.capacity() + (lines_.capacity() + new_lines_.capacity()) * sizeof(Line) + series_.memory_bytes() +
         values_.capacity() * sizeof(double) + stamps_.capacity() * sizeof(std::uint32_t) +
         (present_.capacity() + tracked_.capacity()) * sizeof(std::uint64_t);
}

Result<const PageParser::Page*> PageParser::Parse(std::string* page, TextFormat format) {
  // What only a first page or a great change needs is given back.
  if (created_.capacity() > kFewSlots) created_ = {};
  if (!diverged_) new_lines_ = {};
  created_.clear();
  appeared_.clear();
  disappeared_.clear();
  moved_from_.clear();
  timed_.clear();
  exemplars_.clear();
  metadata_.clear();
  error_ = {};
  refused_slots_ = {};
  refused_created_ = {};
  if (last_.size() > options_.max_page_bytes) {
    last_ = std::string();
    lines_ = {};
  }
  if (page->size() > kMaxPage) {
    error_.message = "page of " + std::to_string(page->size()) + " bytes is over the limit of " + std::to_string(kMaxPage);
    return Error{Errc::kLimit, error_.message};
  }
  if (format != format_) {  // another grammar: nothing is known of any line
    lines_.clear();
    last_.clear();
    format_ = format;
  }
  page_ = *page;
  at_ = last_at_ = next_ = equal_end_ = 0;
  equal_shift_ = 0;
  diverged_ = false;
  type_ = MetricType::kUnknown;
  duplicates_ = 0;
  predicted_ = 0;
  new_lines_.clear();
  const std::size_t slots_before = slots();
  if (++epoch_ == 0) {  // after four thousand million pages stamps would lie
    std::fill(stamps_.begin(), stamps_.end(), 0);
    epoch_ = 1;
  }

  if (lines_.empty()) {
    Diverge();
    if (slots() == 0) {  // the first page: room for what it seems to hold
      const std::size_t guess = page_.size() / 96 + 16;
      new_lines_.reserve(guess * 2);
      created_.reserve(guess);
      series_.Reserve(guess);
    }
  }

  TextParser parser(page_, format, {.normalize_float_labels = options_.normalize_float_labels});
  for (;;) {
    SkipEqual();
    if (TryPredicted()) continue;
    const Step step = ParseEntry(&parser);
    if (step == Step::kMore) continue;
    if (step == Step::kEnd) break;
    RollBack(slots_before);
    return error_.ToError();
  }
  if (next_ < lines_.size()) Diverge();  // the tail is gone
  Finish();
  // Views into the text hold when its buffer moves, except that of a very short one.
  const char* const before = page->data();
  last_.swap(*page);
  for (auto& line : metadata_) {
    line.metric = {last_.data() + (line.metric.data() - before), line.metric.size()};
    line.raw_text = {last_.data() + (line.raw_text.data() - before), line.raw_text.size()};
  }
  page->clear();
  return &page_info_;
}

std::string PageParser::MetadataLine::text() const {
  if (kind != TextParser::Entry::kHelp) return std::string(raw_text);
  std::string out;
  AppendUnescaped(&out, raw_text, format == TextFormat::kOpenMetrics);
  return out;
}

// Passes over lines that are equal byte for byte.
void PageParser::SkipEqual() {
  const std::size_t count = lines_.size();
  const auto shift = static_cast<std::ptrdiff_t>(at_) - static_cast<std::ptrdiff_t>(last_at_);
  if (shift != equal_shift_ || at_ > equal_end_) {
    equal_shift_ = shift;
    equal_end_ = at_;
  }
  while (next_ < count && at_ < page_.size()) {
    const std::size_t line_end = at_ + lines_[next_].length;
    if (line_end > equal_end_) {  // look further; nothing new when a difference is known to be there
      const std::size_t last_end = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(equal_end_) - shift);
      const std::size_t window = std::max(kWindow, line_end - equal_end_);
      equal_end_ += CommonPrefix(page_.data() + equal_end_, last_.data() + last_end,
                                 std::min({window, page_.size() - equal_end_, last_.size() - last_end}));
      if (line_end > equal_end_) return;
    }
    const std::size_t begin = next_;
    const std::size_t begin_at = at_;
    if (diverged_) {
      PassEqualDiverged();
    } else {
      std::size_t at = at_;
      for (; next_ < count; ++next_) {
        const Line& line = lines_[next_];
        if (line.role > Role::kMeta || at + line.length > equal_end_) break;
        at += line.length;
      }
      at_ = at;
      if (next_ > begin) type_ = lines_[next_ - 1].type;
    }
    if (next_ == begin) return;
    const bool stepped_back = format_ == TextFormat::kOpenMetrics && at_ < page_.size() && page_[at_] == '\0' && StepBack();
    predicted_ += next_ - begin;
    last_at_ += at_ - begin_at;
    if (stepped_back) return;
  }
}

// The lexer of OpenMetrics counts zero bytes behind a metadata line as part of it, so
// such a line, though equal, is not the same. True: it was the last one, and is ahead again.
bool PageParser::StepBack() {
  const Line& line = lines_[next_ - 1];
  if (line.role != Role::kMeta) return false;
  at_ -= line.length;
  --next_;
  if (diverged_) new_lines_.pop_back();
  const auto& passed = diverged_ ? new_lines_ : lines_;
  const std::size_t count = diverged_ ? new_lines_.size() : next_;
  type_ = count == 0 ? MetricType::kUnknown : passed[count - 1].type;
  return true;
}

// Of SkipEqual: the same while new_lines_ is built.
void PageParser::PassEqualDiverged() {
  for (; next_ < lines_.size(); ++next_) {
    Line line = lines_[next_];
    if (line.role > Role::kMeta || at_ + line.length > equal_end_) break;
    if (line.role == Role::kSample) {
      if (line.type != type_) break;  // le and quantile may read differently now
      line.again = stamps_[line.slot] == epoch_;
      if (line.again) {
        line.role = Role::kDuplicate;
        ++duplicates_;
      }
      stamps_[line.slot] = epoch_;
    } else if (line.sets_type) {
      type_ = line.type;
    } else {
      line.type = type_;
    }
    new_lines_.push_back(line);
    at_ += line.length;
  }
}

// The next line when its series is the predicted one. False: nothing was consumed.
bool PageParser::TryPredicted() {
  if (next_ >= lines_.size() || at_ >= page_.size()) return false;
  Line line = lines_[next_];
  // SkipEqual has compared: equal_end_ tells whether the prefix is the same.
  if (line.prefix == 0 || line.type != type_ || at_ + line.prefix > equal_end_) return false;
  const char* const end = page_.data() + page_.size();
  const char* const start = page_.data() + at_;
  const char* const value_text = start + line.prefix;
  const char* p = value_text;
  while (p < end && *p > ' ') ++p;
  if (p == end) return false;
  double value;
  if (!ParseFloatFast(value_text, p, &value)) {
    const auto slow = ParseSampleValue({value_text, static_cast<std::size_t>(p - value_text)});
    if (!slow) return false;
    value = *slow;
  }
  bool timed = false;
  std::int64_t t_ms = 0;
  if (*p == ' ') {
    // A time of its own; in OpenMetrics it is a float and exemplars may follow: the long way.
    if (format_ == TextFormat::kOpenMetrics) return false;
    const char* const digits = ++p;
    std::uint64_t t = 0;  // may wrap before its length is found too large
    for (; p < end && *p >= '0' && *p <= '9'; ++p) t = t * 10 + static_cast<unsigned char>(*p - '0');
    if (p == digits || p - digits > 18 || p == end) return false;
    t_ms = static_cast<std::int64_t>(t);
    timed = true;
  }
  if (*p != '\n') return false;
  const std::uint32_t old_length = line.length;
  const Role old_role = line.role;
  const bool again = diverged_ ? stamps_[line.slot] == epoch_ : line.again;
  line.length = static_cast<std::uint32_t>(p + 1 - start);
  line.role = Place(line.slot, again, value, timed, t_ms, timed);
  line.again = again;
  if (line.role != old_role) Diverge();
  Record(line, true);
  last_at_ += old_length;
  ++next_;
  ++predicted_;
  return true;
}

// Puts a sample where it belongs and says what its line is.
PageParser::Role PageParser::Place(std::uint32_t slot, bool again, double value, bool timed, std::int64_t t_ms, bool tail) {
  if (timed && options_.honor_timestamps) {
    timed_.push_back({slot, t_ms, value});
    return Role::kTimed;
  }
  if (again) {
    ++duplicates_;
    return Role::kDuplicate;
  }
  values_[slot] = value;
  return tail ? Role::kSampleTail : Role::kSample;
}

// Notes the line at at_ and steps over it; in_place: it is lines_[next_] itself.
void PageParser::Record(Line line, bool in_place) {
  at_ += line.length;
  if (diverged_) {
    if (line.role != Role::kMeta) stamps_[line.slot] = epoch_;
    new_lines_.push_back(line);
  } else if (in_place) {
    lines_[next_] = line;
  }
}

void PageParser::Diverge() {
  if (diverged_) return;
  diverged_ = true;
  new_lines_.reserve(lines_.size() + kResyncLines);
  new_lines_.assign(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(next_));
  for (const Line& line : new_lines_) {
    if (line.role != Role::kMeta) stamps_[line.slot] = epoch_;
  }
}

// One entry the long way.
PageParser::Step PageParser::ParseEntry(TextParser* parser) {
  if (parser->entry_end() != at_) parser->Seek(at_, type_);
  const auto entry = parser->Next();
  if (entry == TextParser::Entry::kEnd) return Step::kEnd;
  if (entry == TextParser::Entry::kError) {
    error_ = parser->error();
    return Step::kError;
  }
  type_ = parser->type();
  // The last line of a page may lack its newline, and what follows an odd OpenMetrics
  // line depends on it: such lines are never predicted.
  const std::size_t end = std::min(parser->entry_end(), page_.size());
  const bool whole = parser->entry_end() <= page_.size() && parser->at_line_start();
  Line line{kNoSlot, static_cast<std::uint32_t>(end - at_), 0, Role::kMeta, false, entry == TextParser::Entry::kType, type_};
  if (entry != TextParser::Entry::kSeries) {
    Diverge();
    if (entry != TextParser::Entry::kComment) {
      metadata_.push_back({entry, entry == TextParser::Entry::kType ? type_ : MetricType::kUnknown, parser->metric(), parser->raw_text(), format_});
    }
    ResyncMeta(page_.substr(at_, line.length));
    if (!whole) {
      at_ = parser->entry_end();  // past the end: only the end can follow
      return Step::kMore;
    }
    Record(line, false);
    return Step::kMore;
  }

  auto found = FindOrCreate(parser);
  if (!found) {
    error_ = parser->MakeError(found.error().message);
    return Step::kError;
  }
  const std::uint32_t slot = *found;
  const bool predicted = next_ < lines_.size() && lines_[next_].role != Role::kMeta && lines_[next_].slot == slot;
  if (!predicted) Diverge();
  const bool again = diverged_ ? stamps_[slot] == epoch_ : lines_[next_].again;
  line.slot = slot;
  line.again = again;
  const bool tail = parser->has_timestamp() || parser->has_exemplar();
  line.role = Place(slot, again, parser->value(), parser->has_timestamp(), parser->timestamp_ms(), tail);
  if (parser->has_exemplar() && line.role != Role::kDuplicate) exemplars_.push_back({slot, parser->exemplar()});
  const std::size_t prefix = parser->value_start() - at_;
  // A blank or a brace must end the prefix: "a+1" would otherwise predict "a1".
  const char before_value = page_[parser->value_start() - 1];
  if (whole && (before_value == ' ' || before_value == '}')) line.prefix = static_cast<std::uint32_t>(prefix);
  if (!whole) {
    if (line.role == Role::kSample) line.role = Role::kSampleTail;
    Diverge();
  }
  if (!diverged_ && line.role == lines_[next_].role) {
    last_at_ += lines_[next_].length;
    Record(line, true);
    ++next_;
    return Step::kMore;
  }
  Diverge();
  ResyncSeries(slot);
  const std::size_t resume = parser->entry_end();
  Record(line, false);
  at_ = resume;
  return Step::kMore;
}

void PageParser::ResyncSeries(std::uint32_t slot) {
  const std::size_t limit = std::min(lines_.size(), next_ + kResyncLines);
  std::size_t offset = last_at_;
  for (std::size_t i = next_; i < limit; ++i) {
    offset += lines_[i].length;
    if (lines_[i].role != Role::kMeta && lines_[i].slot == slot) {
      next_ = i + 1;
      last_at_ = offset;
      return;
    }
  }
}

void PageParser::ResyncMeta(std::string_view bytes) {
  const std::size_t limit = std::min(lines_.size(), next_ + kResyncLines);
  std::size_t offset = last_at_;
  for (std::size_t i = next_; i < limit; ++i) {
    const Line& line = lines_[i];
    if (line.role == Role::kMeta && line.length == bytes.size() && std::memcmp(last_.data() + offset, bytes.data(), bytes.size()) == 0) {
      next_ = i + 1;
      last_at_ = offset + line.length;
      return;
    }
    offset += line.length;
  }
}

Result<std::uint32_t> PageParser::FindOrCreate(TextParser* parser) {
  const auto series = parser->series();
  // The same text under another # TYPE can mean other labels: then it is another series.
  const std::uint64_t kind = parser->normalization_applies() ? static_cast<std::uint64_t>(parser->type()) + 1 : 0;
  const auto key = SeriesTable::MakeKey(series, kind);
  if (const std::uint32_t known = series_.Find(key); known != SeriesTable::kNone) return known;
  PROM_ASSIGN(auto labels, parser->labels());
  const std::uint32_t slot = series_.Add(key);
  values_.push_back(0);
  stamps_.push_back(0);
  created_.push_back({slot, std::move(labels)});
  return slot;
}

// Nothing of a page that breaks the rules stays but what was known before. Lines may
// already have been updated in place, so there is no prediction for the next page.
void PageParser::RollBack(std::size_t slots_before) {
  if (!diverged_) lines_.resize(next_);
  for (const Line& line : diverged_ ? new_lines_ : lines_)
    if (line.role != Role::kMeta) refused_slots_.push_back(line.slot);
  refused_created_.swap(created_);
  lines_.clear();
  new_lines_.clear();
  if (slots() > slots_before) {
    series_.Truncate(slots_before);
    values_.resize(slots_before);
    stamps_.resize(slots_before);
  }
  created_.clear();
}

void PageParser::Finish() {
  const std::size_t words = (slots() + 63) / 64;
  if (diverged_) {
    lines_.swap(new_lines_);
    new_lines_.clear();
    std::vector<std::uint64_t> present(words, 0), tracked(words, 0);
    tracked_.resize(words, 0);
    samples_ = 0;
    for (const Line& line : lines_) {
      if (line.role == Role::kMeta) continue;
      ++samples_;
      if (line.role == Role::kSample || line.role == Role::kSampleTail) {
        SetBit(present, line.slot);
        SetBit(tracked, line.slot);
      } else if (line.role == Role::kTimed && options_.track_timestamps_staleness) {
        SetBit(tracked, line.slot);
      }
    }
    present_.swap(present);
    used_slots_ = 0;
    for (std::size_t w = 0; w < words; ++w) {
      used_slots_ += static_cast<std::size_t>(std::popcount(present_[w]));
      for (std::uint64_t gone = tracked_[w] & ~tracked[w]; gone != 0; gone &= gone - 1) {
        disappeared_.push_back(static_cast<std::uint32_t>(w * 64) + static_cast<std::uint32_t>(std::countr_zero(gone)));
      }
      for (std::uint64_t come = tracked[w] & ~tracked_[w]; come != 0; come &= come - 1) {
        appeared_.push_back(static_cast<std::uint32_t>(w * 64) + static_cast<std::uint32_t>(std::countr_zero(come)));
      }
    }
    tracked_.swap(tracked);
  }
  // Slots of timed samples count as used, too: half the slots of such a page are not dead.
  const std::size_t used = used_slots_ + timed_.size();
  sparse_pages_ = slots() >= kFewSlots && used * 2 < slots() ? sparse_pages_ + 1 : 0;
  if (sparse_pages_ >= kSparsePages) Renumber();
  page_info_ = {generation_, moved_from_, values_, present_, created_, appeared_, disappeared_, timed_, exemplars_, metadata_, samples_, duplicates_};
}

std::vector<std::uint32_t> PageParser::LineSlots() const {
  std::vector<std::uint32_t> out;
  for (const Line& line : lines_)
    if (line.role != Role::kMeta) out.push_back(line.slot);
  return out;
}

std::vector<std::uint32_t> PageParser::MarkAllAbsent() {
  std::vector<std::uint32_t> gone;
  for (std::uint32_t slot = 0; slot < tracked_.size() * 64; ++slot) {
    if (Bit(tracked_, slot)) gone.push_back(slot);
  }
  std::fill(tracked_.begin(), tracked_.end(), 0);
  std::fill(present_.begin(), present_.end(), 0);
  lines_.clear();  // the next page is walked the long way, which sets the bits anew
  last_.clear();
  return gone;
}

// The slots that the page uses, or has just lost, move to the front, in page order.
void PageParser::Renumber() {
  sparse_pages_ = 0;
  std::vector<std::uint32_t> new_of(slots(), kNoSlot);
  const auto keep = [&](std::uint32_t slot) {
    if (new_of[slot] != kNoSlot) return;
    new_of[slot] = static_cast<std::uint32_t>(moved_from_.size());
    moved_from_.push_back(slot);
  };
  for (const Line& line : lines_) {
    if (line.role != Role::kMeta) keep(line.slot);
  }
  for (const std::uint32_t slot : disappeared_) keep(slot);
  const std::size_t count = moved_from_.size();
  std::vector<double> values(count);
  std::vector<std::uint64_t> present((count + 63) / 64, 0), tracked((count + 63) / 64, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t old = moved_from_[i];
    values[i] = values_[old];
    if (Bit(present_, old)) SetBit(present, i);
    if (Bit(tracked_, old)) SetBit(tracked, i);
  }
  series_.Keep(moved_from_);
  const auto move = [&](std::uint32_t* slot) { *slot = new_of[*slot]; };
  for (Line& line : lines_) {
    if (line.role != Role::kMeta) move(&line.slot);
  }
  for (auto& one : created_) {
    move(&one.slot);
    moved_from_[one.slot] = kNoSlot;
  }
  for (auto& slot : appeared_) move(&slot);
  for (auto& slot : disappeared_) move(&slot);
  for (auto& one : timed_) move(&one.slot);
  for (auto& one : exemplars_) move(&one.slot);
  const auto by_slot = [](const NewSlot& a, const NewSlot& b) { return a.slot < b.slot; };
  std::sort(created_.begin(), created_.end(), by_slot);
  std::sort(appeared_.begin(), appeared_.end());
  std::sort(disappeared_.begin(), disappeared_.end());
  values_.swap(values);
  present_.swap(present);
  tracked_.swap(tracked);
  stamps_.assign(count, 0);
  ++generation_;
}

}  // namespace prom

// PageParser: the pages of one target, one after the other, as rows.
//
// It remembers the last page. A line that stands where it stood before costs a
// comparison; its value is parsed only if it changed; its labels are parsed once in
// its life. Samples and errors are those of TextParser, whatever the page before was.
//
// Each distinct series text gets a slot, dense from 0, in page order where possible:
// slot i is value i of the row, and so column i of the layout in a StreamSink. Slots
// keep their meaning: new series are appended, absent ones have their bit cleared.
// When for 8 pages in a row fewer than half of at least 128 slots were used, the slots
// are renumbered: `generation` grows and `moved_from` says what became of whom.
//
// Two slots may carry equal labels (the same labels written in another order): who
// writes stale markers for `disappeared` must look whether the series lives on.
//
// Memory: the last page's text, 16 bytes a line, about 40 bytes a slot; a page over
// max_page_bytes is parsed without being remembered. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exposition/series_table.h"
#include "exposition/text_parser.h"
#include "model/sample.h"

namespace prom {

struct PageOptions {
  bool normalize_float_labels = true;  // as TextParser::Options
  bool honor_timestamps = true;        // false: a sample's own time is ignored
  // Whether series with times of their own are in `appeared` and `disappeared`.
  bool track_timestamps_staleness = false;
  std::size_t max_page_bytes = 64u << 20;
};

class PageParser {
 public:
  static constexpr std::uint32_t kNoSlot = 0xffffffffu;
  struct NewSlot {
    std::uint32_t slot;
    Labels labels;  // as the target wrote them: before relabelling
  };
  struct TimedSample {
    std::uint32_t slot;
    std::int64_t t_ms;
    double value;
  };
  struct SlotExemplar {
    std::uint32_t slot;
    Exemplar exemplar;
  };
  struct MetadataLine {
    TextParser::Entry kind;  // kHelp, kType or kUnit
    MetricType type;  // kType
    std::string_view metric, raw_text;
    TextFormat format;
    std::string text() const;  // kHelp, with escapes resolved; kUnit
  };

  // All spans are valid until the next call of Parse.
  struct Page {
    std::uint64_t generation = 0;
    // On the first page of a new generation: slot i was moved_from[i] (kNoSlot: it is new);
    // others are forgotten. All other spans use the new numbers.
    std::span<const std::uint32_t> moved_from;
    std::span<const double> values;           // by slot; without meaning where absent
    std::span<const std::uint64_t> present;   // bit i % 64 of word i / 64
    std::span<const NewSlot> created;         // slots that are new, ascending
    std::span<const std::uint32_t> appeared;  // on this page and not on the one before; `created` ones too
    std::span<const std::uint32_t> disappeared;
    std::span<const TimedSample> timed;  // samples with a time of their own: not in the row
    std::span<const SlotExemplar> exemplars;
    // Lines that were not, word for word, where they were on the page before. All on the first page.
    std::span<const MetadataLine> metadata;
    std::size_t samples = 0;     // sample lines, duplicates included
    std::size_t duplicates = 0;  // same series text again, without a time: the first one counts
  };

  explicit PageParser(PageOptions options = {});

  // The text in *page is taken over; *page gets an old buffer to fill anew. The result
  // is valid until the next call. kCorrupt, kInvalid: the page breaks the format's
  // rules; see last_error() for line and column. Nothing of a refused page is kept,
  // and the next page is compared to the last good one for `appeared` and `disappeared`.
  Result<const Page*> Parse(std::string* page, TextFormat format);
  const TextError& last_error() const { return error_; }
  // Of a refused page: the slots of the sample lines before the error, in page order. Those
  // that would have been new are in refused_created, numbered as if the page had been good.
  std::span<const std::uint32_t> refused_slots() const { return refused_slots_; }
  std::span<const NewSlot> refused_created() const { return refused_created_; }
  // Of a good page: the slots of all sample lines, in page order.
  std::vector<std::uint32_t> LineSlots() const;

  // After a scrape that failed: the slots that were present, for stale markers. All of
  // them count as absent from now on.
  std::vector<std::uint32_t> MarkAllAbsent();

  std::size_t slots() const { return series_.size(); }
  std::size_t memory_bytes() const;
  // Lines of the last page found by comparison, of all; for tests and measurements.
  std::size_t predicted_lines() const { return predicted_; }

 private:
  enum class Role : std::uint8_t { kSample, kMeta, kSampleTail, kTimed, kDuplicate };
  struct Line {  // one entry of the last page; starts where the one before ended
    std::uint32_t slot;
    std::uint32_t length;  // with the newline
    std::uint32_t prefix;  // bytes up to the value; 0: never predicted
    Role role;
    bool again;      // the slot was on an earlier line of the page
    bool sets_type;  // a # TYPE line
    MetricType type;  // in force behind the line
  };

  void Renumber();
  void Diverge();
  void SkipEqual();
  void PassEqualDiverged();
  bool StepBack();
  bool TryPredicted();
  enum class Step { kMore, kEnd, kError };
  Step ParseEntry(TextParser* parser);
  void Record(Line line, bool in_place);
  Role Place(std::uint32_t slot, bool again, double value, bool timed, std::int64_t t_ms, bool tail);
  void ResyncSeries(std::uint32_t slot);
  void ResyncMeta(std::string_view bytes);
  Result<std::uint32_t> FindOrCreate(TextParser* parser);
  void Finish();
  void RollBack(std::size_t slots_before);

  PageOptions options_;
  TextError error_;
  Page page_info_;

  // Of the last page.
  std::string last_;
  std::vector<Line> lines_;
  std::vector<std::uint64_t> present_, tracked_;
  std::size_t samples_ = 0;

  // By slot.
  SeriesTable series_;
  std::vector<double> values_;
  std::vector<std::uint32_t> stamps_;  // epoch_ of the last page, parsed the long way, that had it
  std::uint32_t epoch_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t used_slots_ = 0;
  int sparse_pages_ = 0;

  // While parsing.
  std::string_view page_;
  TextFormat format_ = TextFormat::kPrometheus;
  std::size_t at_ = 0;         // in page_
  std::size_t last_at_ = 0;    // in last_, start of line next_
  std::size_t next_ = 0;       // predicted line
  std::size_t equal_end_ = 0;  // page_ equals last_ up to here, at the distance equal_shift_
  std::ptrdiff_t equal_shift_ = 0;
  bool diverged_ = false;  // the lines are no longer those of the last page: new_lines_ is built
  std::vector<Line> new_lines_;
  MetricType type_ = MetricType::kUnknown;
  std::size_t predicted_ = 0;

  std::vector<std::uint32_t> refused_slots_;
  std::vector<NewSlot> created_, refused_created_;
  std::vector<std::uint32_t> appeared_, disappeared_, moved_from_;
  std::vector<TimedSample> timed_;
  std::vector<SlotExemplar> exemplars_;
  std::vector<MetadataLine> metadata_;
  std::size_t duplicates_ = 0;
};

}  // namespace prom

// The text form of the stream, prom-stream(5): exposition text with full label sets
// and times in ms, one line a sample, and directives ("#@stale ...") for what the
// exposition format has no spelling for. To older tools directives are comments.
//
// StreamTextWriter is a StreamSink that prints; StreamTextReader takes bytes as they
// come from a pipe and calls a StreamSink. What the reader takes in, a writer prints
// and a reader takes in again, is the same to the bit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "exposition/series_table.h"
#include "exposition/stream_sink.h"
#include "exposition/text_parser.h"

namespace prom {

// Not thread-safe.
class StreamTextWriter : public StreamSink {
 public:
  // Calls `write` at every Commit, and whenever flush_bytes have gathered.
  explicit StreamTextWriter(StreamWriteFn write, std::size_t flush_bytes = 64u << 10) : write_(std::move(write)), flush_bytes_(flush_bytes) {}

  // kInvalid: an id that was not defined, or a row longer than its layout.
  Result<void> DefineSeries(std::uint32_t id, const Labels& labels) override;
  Result<void> DefineLayout(std::uint32_t id, std::span<const std::uint32_t> series) override;
  Result<void> Reset() override;
  Result<void> Row(std::uint32_t layout, std::int64_t t_ms, std::span<const double> values, std::span<const std::uint64_t> present) override;
  Result<void> Sample(std::uint32_t series, std::int64_t t_ms, double v, std::int64_t st_ms = 0) override;
  Result<void> HistogramAt(std::uint32_t series, std::int64_t t_ms, const Histogram& h, std::int64_t st_ms = 0) override;
  Result<void> ExemplarOf(std::uint32_t series, const Exemplar& exemplar) override;
  // Prints what differs from the last metadata of the same name: each line once.
  Result<void> MetadataOf(std::string_view metric, const Metadata& metadata) override;
  Result<void> Commit(std::uint64_t sequence) override;

  // Passes on what has gathered.
  Result<void> Flush();

 private:
  Result<void> CheckSeries(std::uint32_t id) const;
  void AppendSample(const std::string& series, std::string_view time, double v);
  Result<void> FlushIfLarge() { return out_.size() >= flush_bytes_ ? Flush() : Result<void>(); }

  StreamWriteFn write_;
  std::size_t flush_bytes_;
  std::string out_;
  std::vector<std::string> series_;  // as printed; empty: not defined
  std::vector<std::vector<std::uint32_t>> layouts_;
  std::map<std::string, Metadata, std::less<>> metadata_;
};

// Reads any exposition text too, with times or without, so that importers read through
// it: Feed what comes from the file, Finish at its end. It is quick (about 40 ns a
// sample) where the series of a line is that of the line before, as in a file sorted by
// series, or the one that followed the last time, as in pages one behind the other: such
// a line is compared, not parsed. Feed it much at a time (256 KiB), since a line that is
// cut goes the long way. Not thread-safe.
class StreamTextReader {
 public:
  struct Options {
    TextFormat format = TextFormat::kPrometheus;
    std::size_t max_line_bytes = 1u << 20;  // a longer line is refused whole
    std::size_t max_labels = 1024;          // of a series
    std::size_t max_label_bytes = 64u << 10;  // of a name or a value
    // With more series than this all ids are forgotten (StreamSink::Reset) and given anew.
    std::size_t max_series = 4u << 20;
    // A batch is committed when it has this many samples, page ended or not.
    std::size_t max_batch_samples = 250'000;
  };
  // A line that was refused, from 1, and why; the lines around it go through.
  using RefusedFn = std::function<void(std::uint64_t line, std::string_view reason)>;

  // `sink` and `clock` must outlive the reader.
  StreamTextReader(StreamSink* sink, Clock* clock, Options options, RefusedFn refused = {});

  // The next bytes, cut anywhere. An error is the sink's; the reader is then of no more use.
  Result<void> Feed(std::string_view bytes);
  // End of input: takes a last line without newline and commits.
  Result<void> Finish();

  std::uint64_t lines() const { return lines_; }
  std::uint64_t samples() const { return samples_; }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t predicted() const { return predicted_; }  // samples found by comparison; for tests and measurements

 private:
  Result<std::size_t> TakePredicted(std::string_view bytes);
  std::uint32_t Predict(std::string_view bytes) const;
  void Learn(std::uint32_t series, std::string_view text);
  Result<void> TakeLine(std::string_view line);  // with its newline
  Result<void> TakeSample(std::string_view line);
  Result<void> TakeComment(std::string_view line);
  Result<void> TakeDirective(std::string_view line);
  Result<void> TakeHistogram(std::string_view series, std::string_view time, std::string_view fields);
  Result<void> TakeExemplar(std::string_view series, std::string_view rest);
  Result<void> ChangeMetadata(const std::string& metric, int line, const std::function<void(Metadata*)>& change);
  Result<void> EndPage(std::uint64_t sequence);
  Result<void> FlushMetadata();
  Result<void> Emit(std::uint32_t series, std::int64_t t_ms, double v);
  // The id of a series text, defined to the sink when it is new; kNone: refused.
  Result<std::uint32_t> SeriesId(std::string_view series);
  Result<std::uint32_t> SeriesIdOf(TextParser* parser);
  TextParser::Entry ParsePieces(std::string_view before, std::string_view text, std::string_view behind);
  Result<void> Refuse(std::string_view reason);
  void OpenPage();
  void DropStart();
  void BatchHasContent() { batch_empty_ = committed_for_size_ = false; }

  StreamSink* sink_;
  Clock* clock_;
  Options options_;
  RefusedFn on_refused_;
  TextParser parser_;  // of whole lines
  TextParser piece_parser_;  // of series and names in directives
  SeriesTable table_;
  std::string partial_, scratch_;
  bool skipping_ = false;  // behind a line that is too long, up to its newline
  bool page_open_ = false;
  bool batch_empty_ = true;
  bool committed_for_size_ = false;  // and nothing has come since
  std::size_t batch_samples_ = 0;
  std::int64_t page_ms_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t lines_ = 0, samples_ = 0, refused_ = 0, predicted_ = 0;
  // For the prediction: texts of series, and which one came next.
  struct Known {
    std::uint32_t offset, length, next;
  };
  std::string texts_;
  std::vector<Known> known_;  // by series, as long as there is room for its text
  std::uint32_t last_ = SeriesTable::kNone;
  struct {
    bool set = false;
    std::uint32_t series = 0;
    std::int64_t t_ms = 0, st_ms = 0;
  } start_;
  std::map<std::string, Metadata, std::less<>> metadata_;
  std::string pending_metric_;  // its metadata has changed and was not passed on yet
  int pending_line_ = 0;  // of it, the last kind of line
  bool metadata_pending_ = false;
};

// Spellings of prom-stream(5) that both sides share.
// A value; a NaN other than the ordinary one as its 64 bits in hex, "0x7ff0000000000002".
void AppendStreamFloat(std::string* out, double v);
std::optional<double> ParseStreamFloat(std::string_view s);
// The fields of a histogram: "int schema:3 count:12 sum:1.5 ...".
void AppendHistogramText(std::string* out, const Histogram& h);
// kInvalid: not that spelling, or a histogram that breaks its own rules.
Result<Histogram> ParseHistogramText(std::string_view text);
// name{a="b"} of a label set, whatever its names are.
void AppendSeriesText(std::string* out, const Labels& labels);

}  // namespace prom

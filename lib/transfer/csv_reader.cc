#include "transfer/csv_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "exposition/series_table.h"
#include "exposition/stream_text.h"

namespace prom::transfer {
namespace {

constexpr std::size_t kMaxRecordBytes = 4u << 20;
constexpr std::size_t kMaxSeries = 2u << 20;  // then all ids are given anew

std::optional<std::int64_t> ParseCsvTime(std::string_view text, CsvTime format) {
  const auto scaled = [&](double per_second) -> std::optional<std::int64_t> {
    const auto v = ParseFloat(text);
    if (!v || !(std::abs(*v / per_second) < 9e15)) return std::nullopt;
    return static_cast<std::int64_t>(std::llround(*v / per_second * 1000));
  };
  const auto whole = [&](std::int64_t per_ms) -> std::optional<std::int64_t> {
    const auto n = ParseInt64(text);
    if (!n) return std::nullopt;
    const std::int64_t q = *n / per_ms;
    return *n % per_ms < 0 ? q - 1 : q;
  };
  switch (format) {
    case CsvTime::kUnixSeconds: return scaled(1);
    case CsvTime::kUnixMs: return whole(1);
    case CsvTime::kUnixUs: return whole(1000);
    case CsvTime::kUnixNs: return whole(1'000'000);
    case CsvTime::kRfc3339: {
      if (text.find('T') == std::string_view::npos && text.find('t') == std::string_view::npos) return std::nullopt;
      auto t = ParseTime(text);
      return t ? std::optional(*t) : std::nullopt;
    }
  }
  return std::nullopt;
}

class CsvReader : public RecordReader {
 public:
  CsvReader(StreamSink* sink, CsvOptions options, RefusedFn refused) : sink_(sink), options_(std::move(options)), on_refused_(std::move(refused)) {
    own_ = options_.columns.empty();
    header_pending_ = options_.header || own_;
  }

  Result<void> Feed(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t newline = bytes.find('\n');
      const auto piece = bytes.substr(0, newline == std::string_view::npos ? bytes.size() : newline + 1);
      bytes.remove_prefix(piece.size());
      lines_ += newline == std::string_view::npos ? 0 : 1;
      if (skipping_) {
        skipping_ = newline == std::string_view::npos;
        continue;
      }
      if (partial_.size() + piece.size() > kMaxRecordBytes) {
        Refuse("record longer than " + std::to_string(kMaxRecordBytes) + " bytes");
        partial_.clear();
        quotes_ = 0;
        skipping_ = newline == std::string_view::npos;
        record_line_ = lines_ + 1;
        continue;
      }
      quotes_ += static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '"'));
      // A newline within quotes is part of its cell.
      if (newline == std::string_view::npos || quotes_ % 2 != 0) {
        partial_.append(piece);
        continue;
      }
      if (partial_.empty()) {
        PROM_TRY(TakeRecord(piece));
      } else {
        partial_.append(piece);
        std::string record;
        record.swap(partial_);
        PROM_TRY(TakeRecord(record));
      }
      quotes_ = 0;
      record_line_ = lines_ + 1;
    }
    return {};
  }

  Result<void> Finish() override {
    if (!partial_.empty()) {
      ++lines_;
      if (quotes_ % 2 != 0) {
        Refuse("a quote that is not closed");
      } else {
        std::string record;
        record.swap(partial_);
        PROM_TRY(TakeRecord(record));
      }
    }
    return sink_->Commit(++sequence_);
  }
  std::uint64_t lines() const override { return lines_; }
  std::uint64_t refused() const override { return refused_; }

 private:
  void Refuse(std::string_view reason) {
    ++refused_;
    if (on_refused_) on_refused_(record_line_, reason);
  }

  // Cells as views into the record or into unquoted_. False: bad quotes.
  bool Split(std::string_view record) {
    cells_.clear();
    if (quotes_ == 0) {
      while (true) {
        const std::size_t end = record.find(options_.separator);
        cells_.push_back(record.substr(0, end));
        if (end == std::string_view::npos) return true;
        record.remove_prefix(end + 1);
      }
    }
    unquoted_.clear();
    unquoted_.reserve(record.size());  // so that views into it hold
    for (std::size_t i = 0;;) {
      if (i < record.size() && record[i] == '"') {
        const std::size_t start = unquoted_.size();
        for (++i;; ++i) {
          if (i >= record.size()) return false;
          if (record[i] != '"') {
            unquoted_.push_back(record[i]);
          } else if (i + 1 < record.size() && record[i + 1] == '"') {
            unquoted_.push_back('"');
            ++i;
          } else {
            break;
          }
        }
        ++i;
        if (i < record.size() && record[i] != options_.separator) return false;
        cells_.push_back(std::string_view(unquoted_).substr(start));
      } else {
        const std::size_t end = std::min(record.find(options_.separator, i), record.size());
        if (record.substr(i, end - i).find('"') != std::string_view::npos) return false;
        cells_.push_back(record.substr(i, end - i));
        i = end;
      }
      if (i >= record.size()) return true;
      ++i;  // the separator; nothing behind it is an empty cell
    }
  }

  Result<void> TakeHeader() {
    header_pending_ = false;
    if (own_) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        CsvColumn c;
        c.number = i;
        c.name = cells_[i];
        c.kind = cells_[i] == "timestamp" ? CsvColumn::Kind::kTime : cells_[i] == "value" ? CsvColumn::Kind::kValue : CsvColumn::Kind::kLabel;
        options_.columns.push_back(std::move(c));
      }
      const auto has = [&](CsvColumn::Kind kind) { return std::count_if(options_.columns.begin(), options_.columns.end(), [&](const CsvColumn& c) { return c.kind == kind; }) == 1; };
      if (!has(CsvColumn::Kind::kTime) || !has(CsvColumn::Kind::kValue))
        return Error{Errc::kInvalid, "the first line has no columns timestamp and value: say which columns there are with --csv"};
      return Order();
    }
    for (CsvColumn& c : options_.columns) {
      if (c.header.empty()) continue;
      const auto at = std::find(cells_.begin(), cells_.end(), c.header);
      if (at == cells_.end()) return Error{Errc::kInvalid, "no column is named " + Quote(c.header) + " in the first line"};
      c.number = static_cast<std::size_t>(at - cells_.begin());
    }
    return Order();
  }

  // Labels that make up the series first.
  Result<void> Order() {
    std::stable_sort(options_.columns.begin(), options_.columns.end(), [](const CsvColumn& a, const CsvColumn& b) { return a.kind == CsvColumn::Kind::kLabel && b.kind != CsvColumn::Kind::kLabel; });
    for (const CsvColumn& c : options_.columns) {
      columns_needed_ = std::max(columns_needed_, c.number + 1);
      if (c.kind == CsvColumn::Kind::kTime) time_ = c;
    }
    ordered_ = true;
    return {};
  }

  Result<void> TakeRecord(std::string_view record) {
    while (!record.empty() && (record.back() == '\n' || record.back() == '\r')) record.remove_suffix(1);
    if (record.empty()) return {};
    if (!Split(record)) {
      Refuse("a quote in the middle of a cell, or text behind a quoted cell");
      return {};
    }
    if (header_pending_) return TakeHeader();
    if (!ordered_) PROM_TRY(Order());
    if (cells_.size() < columns_needed_) {
      Refuse("only " + std::to_string(cells_.size()) + " columns, want " + std::to_string(columns_needed_));
      return {};
    }
    const std::string_view time_text = cells_[time_.number];
    if (time_text != last_time_text_ || !last_time_) {
      last_time_ = ParseCsvTime(time_text, time_.time);
      last_time_text_ = time_text;
    }
    if (!last_time_) {
      Refuse("column " + std::to_string(time_.number + 1) + ": not a time: " + Quote(time_text.substr(0, 100)));
      return {};
    }
    key_.clear();
    for (const CsvColumn& c : options_.columns) {
      if (c.kind != CsvColumn::Kind::kLabel) break;
      key_ += cells_[c.number];
      key_.push_back('\x1e');
    }
    for (const CsvColumn& c : options_.columns) {
      if (c.kind != CsvColumn::Kind::kMetric && c.kind != CsvColumn::Kind::kValue) continue;
      const std::string_view text = cells_[c.number];
      if (text.empty()) continue;
      const auto v = ParseStreamFloat(text);
      if (!v) {
        Refuse("column " + std::to_string(c.number + 1) + ": not a number: " + Quote(text.substr(0, 100)));
        continue;
      }
      PROM_ASSIGN(const std::uint32_t id, SeriesId(c));
      if (id == SeriesTable::kNone) return {};
      PROM_TRY(sink_->Sample(id, *last_time_, *v));
    }
    if (++records_ % 10'000 == 0) return sink_->Commit(++sequence_);
    return {};
  }

  Result<std::uint32_t> SeriesId(const CsvColumn& c) {
    const auto key = SeriesTable::MakeKey(key_, c.number);
    if (const std::uint32_t known = table_.Find(key); known != SeriesTable::kNone) return known;
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const CsvColumn& label : options_.columns) {
      if (label.kind != CsvColumn::Kind::kLabel) break;
      const std::string_view value = cells_[label.number];
      if (!IsValidUtf8(value)) {
        Refuse("column " + std::to_string(label.number + 1) + ": not UTF-8");
        return SeriesTable::kNone;
      }
      pairs.emplace_back(label.name, value);
    }
    if (c.kind == CsvColumn::Kind::kMetric) pairs.emplace_back(std::string(kMetricName), c.name);
    Labels labels = Labels::FromPairs(std::move(pairs));
    if (labels.empty()) {
      Refuse("a series without labels");
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
  CsvOptions options_;
  RefusedFn on_refused_;
  bool own_ = false, header_pending_ = false, ordered_ = false, skipping_ = false;
  CsvColumn time_;
  std::size_t columns_needed_ = 0, quotes_ = 0;
  std::vector<std::string_view> cells_;
  std::string partial_, unquoted_, key_, last_time_text_;
  std::optional<std::int64_t> last_time_;
  SeriesTable table_;
  std::uint64_t lines_ = 0, record_line_ = 1, refused_ = 0, records_ = 0, sequence_ = 0;
};

}  // namespace

Result<std::vector<CsvColumn>> ParseCsvMapping(std::string_view text) {
  std::vector<CsvColumn> out;
  const auto fail = [](std::string what) { return Error{Errc::kInvalid, std::move(what)}; };
  std::size_t times = 0, values = 0;
  for (const std::string_view part : prom::Split(text, ',')) {
    const std::size_t first = part.find(':');
    const std::size_t second = first == std::string_view::npos ? first : part.find(':', first + 1);
    const auto column = part.substr(0, first);
    const auto kind = first == std::string_view::npos ? std::string_view() : part.substr(first + 1, second == std::string_view::npos ? second : second - first - 1);
    const auto context = second == std::string_view::npos ? std::string_view() : part.substr(second + 1);
    CsvColumn c;
    const auto number = ParseUint64(column);
    if (number && (*number == 0 || *number > 100'000)) return fail("column " + std::string(column) + ": columns count from 1");
    if (number) c.number = static_cast<std::size_t>(*number) - 1;
    else c.header = column;
    if (column.empty()) return fail("want COLUMN:KIND:NAME, not " + Quote(part));
    if (kind == "time") {
      static constexpr std::pair<std::string_view, CsvTime> kFormats[] = {{"unix_s", CsvTime::kUnixSeconds}, {"unix_ms", CsvTime::kUnixMs}, {"unix_us", CsvTime::kUnixUs}, {"unix_ns", CsvTime::kUnixNs}, {"rfc3339", CsvTime::kRfc3339}};
      const auto it = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const auto& f) { return f.first == context; });
      if (it == std::end(kFormats)) return fail(Quote(part) + ": want unix_s, unix_ms, unix_us, unix_ns or rfc3339");
      c.kind = CsvColumn::Kind::kTime;
      c.time = it->second;
      ++times;
    } else if (kind == "label" || kind == "metric") {
      c.kind = kind == "label" ? CsvColumn::Kind::kLabel : CsvColumn::Kind::kMetric;
      c.name = context;
      if (!IsValidLabelName(context)) return fail(Quote(part) + ": not a name");
      values += kind == "metric" ? 1 : 0;
    } else if (kind == "value" && context.empty()) {
      ++values;
    } else {
      return fail(Quote(part) + ": want time, label, metric or value");
    }
    out.push_back(std::move(c));
  }
  if (times != 1) return fail("want exactly one column of time");
  if (values == 0) return fail("want a column of kind metric or value");
  return out;
}

std::unique_ptr<RecordReader> NewCsvReader(StreamSink* sink, CsvOptions options, RefusedFn refused) {
  return std::make_unique<CsvReader>(sink, std::move(options), std::move(refused));
}

}  // namespace prom::transfer

// Following compares snapshots: for each series the time of the newest sample that was
// printed is kept, and what a new snapshot has behind it is new. Samples that arrive
// out of order, behind what was printed, are not seen.
#include "store/tail.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/number.h"
#include "exposition/stream_text.h"

namespace prom::store {
namespace {

constexpr std::int64_t kFirstLookMs = 60'000;
constexpr std::size_t kWriteBytes = 64u << 10;

struct NewSample {
  std::int64_t t = 0;
  std::uint32_t series = 0;  // in the selection
  std::int64_t st = 0;
  double v = 0;
  std::shared_ptr<const Histogram> h;  // instead of v
};

class Tailer {
 public:
  Tailer(DataDir& dir, const TailOptions& options, Clock& clock, const StreamWriteFn& write) : dir_(dir), options_(options), clock_(clock), write_(write), out_(write) {}

  Result<void> Run() {
    std::uint64_t seen = dir_.control()->committed_seq();
    PROM_TRY(Last());
    if (!options_.follow) return {};
    while (options_.wait(wait_ms_)) {
      const std::uint64_t now = dir_.control()->committed_seq();
      if (now == seen) continue;
      seen = now;
      const std::int64_t start = clock_.MonotonicNs();
      PROM_TRY(Next());
      // A look at very many series must not become all this machine does.
      wait_ms_ = std::max<int>(options_.poll_ms, static_cast<int>((clock_.MonotonicNs() - start) / 1'000'000 * 4));
    }
    return {};
  }

 private:
  // The last samples; marks every series of the newest times as printed up to its end.
  Result<void> Last() {
    PROM_ASSIGN(const auto source, dir_.Snapshot());
    const auto [min_ms, max_ms] = source->TimeRange();
    if (min_ms > max_ms) return {};
    std::unique_ptr<Selection> selection;
    std::vector<NewSample> found;
    for (std::int64_t width = kFirstLookMs;; width *= 8) {
      const bool whole = width >= max_ms - min_ms || width > (std::int64_t{1} << 55);
      const std::int64_t from = whole ? min_ms : max_ms - width;
      PROM_ASSIGN(selection, source->Select(options_.matchers, from, max_ms));
      found.clear();
      SeriesColumns c;
      for (std::size_t i = 0; i < selection->size(); ++i) {
        PROM_TRY(selection->Read(i, from, max_ms, &c));
        Take(c, i, kMinTimeMs, &found);
        // Only the last ones count, so that a long range does not pile up.
        if (found.size() > 4 * options_.samples + 65'536) Cut(&found);
      }
      if (found.size() >= options_.samples || whole) break;
    }
    Cut(&found);
    PROM_TRY(Print(*selection, found));
    PROM_ASSIGN(selection, source->Select(options_.matchers, max_ms - kFirstLookMs, max_ms));
    if (options_.follow) start_ms_ = max_ms;
    SeriesColumns c;
    for (std::size_t i = 0; options_.follow && i < selection->size(); ++i) {
      PROM_TRY(selection->Read(i, max_ms - kFirstLookMs, max_ms, &c));
      std::int64_t newest = kMinTimeMs;
      if (!c.t.empty()) newest = c.t.back();
      if (!c.histograms.empty()) newest = std::max(newest, c.histograms.back().t_ms);
      printed_[selection->labels(i)] = newest;
    }
    return {};
  }

  Result<void> Next() {
    PROM_ASSIGN(const auto source, dir_.Snapshot());
    const auto [min_ms, max_ms] = source->TimeRange();
    if (min_ms > max_ms) return {};
    // A sample may be somewhat older than the newest of other series, not more: what
    // was there before the start is not new.
    const std::int64_t from = start_ms_ == kMinTimeMs ? min_ms : std::max(min_ms, start_ms_ - kFirstLookMs + 1);
    PROM_ASSIGN(const auto selection, source->Select(options_.matchers, from, max_ms));
    std::vector<NewSample> found;
    SeriesColumns c;
    for (std::size_t i = 0; i < selection->size(); ++i) {
      std::int64_t& printed = printed_.try_emplace(selection->labels(i), kMinTimeMs).first->second;
      if (printed == kMaxTimeMs) continue;
      PROM_TRY(selection->Read(i, std::max(from, printed == kMinTimeMs ? from : printed + 1), max_ms, &c));
      const std::size_t before = found.size();
      Take(c, i, printed, &found);
      for (std::size_t k = before; k < found.size(); ++k) printed = std::max(printed, found[k].t);
    }
    return Print(*selection, found);
  }

  static void Take(const SeriesColumns& c, std::size_t series, std::int64_t behind, std::vector<NewSample>* out) {
    for (std::size_t k = 0; k < c.t.size(); ++k)
      if (c.t[k] > behind || behind == kMinTimeMs) out->push_back({c.t[k], static_cast<std::uint32_t>(series), c.st.empty() ? 0 : c.st[k], c.v[k], nullptr});
    for (std::size_t k = 0; k < c.histograms.size(); ++k)
      if (c.histograms[k].t_ms > behind || behind == kMinTimeMs)
        out->push_back({c.histograms[k].t_ms, static_cast<std::uint32_t>(series), k < c.histogram_st.size() ? c.histogram_st[k] : 0, 0, c.histograms[k].h});
  }

  static bool Earlier(const NewSample& a, const NewSample& b) { return a.t != b.t ? a.t < b.t : a.series < b.series; }
  void Cut(std::vector<NewSample>* found) const {
    std::sort(found->begin(), found->end(), Earlier);
    if (found->size() > options_.samples) found->erase(found->begin(), found->end() - static_cast<std::ptrdiff_t>(options_.samples));
  }

  Result<void> Print(const Selection& selection, std::vector<NewSample>& found) {
    std::sort(found.begin(), found.end(), Earlier);
    if (options_.json) return PrintJson(selection, found);
    PROM_TRY(out_.Reset());
    std::vector<bool> defined(selection.size());
    for (const NewSample& s : found) {
      if (!defined[s.series]) {
        PROM_TRY(out_.DefineSeries(s.series, selection.labels(s.series)));
        defined[s.series] = true;
      }
      if (s.h != nullptr) PROM_TRY(out_.HistogramAt(s.series, s.t, *s.h, s.st));
      else PROM_TRY(out_.Sample(s.series, s.t, s.v, s.st));
    }
    return out_.Flush();
  }

  Result<void> PrintJson(const Selection& selection, const std::vector<NewSample>& found) const {
    std::string out;
    for (const NewSample& s : found) {
      JsonWriter json(&out);
      json.BeginObject().Key("metric").BeginObject();
      for (const Label l : selection.labels(s.series)) json.Field(l.name, l.value);
      json.EndObject().Field("timestamp", s.t);
      if (s.st != 0) json.Field("start_timestamp", s.st);
      if (s.h != nullptr) {
        std::string text;
        AppendHistogramText(&text, *s.h);
        json.Field("histogram", text);
      } else if (IsStaleNan(s.v)) {
        json.Key("value").Null();
      } else {
        json.Field("value", s.v);
      }
      json.EndObject();
      out += "\n";
      if (out.size() < kWriteBytes) continue;
      PROM_TRY(write_(out));
      out.clear();
    }
    return out.empty() ? Result<void>() : write_(out);
  }

  DataDir& dir_;
  const TailOptions& options_;
  Clock& clock_;
  const StreamWriteFn& write_;
  StreamTextWriter out_;
  int wait_ms_ = options_.poll_ms;
  std::int64_t start_ms_ = kMinTimeMs;  // newest sample when following began; kMinTimeMs: none
  std::unordered_map<Labels, std::int64_t> printed_;  // newest time, by series
};

}  // namespace

Result<void> Tail(DataDir& dir, const TailOptions& options, Clock& clock, const StreamWriteFn& write) { return Tailer(dir, options, clock, write).Run(); }

}  // namespace prom::store

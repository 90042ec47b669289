// Points of a series lie in pieces of 8, 32, 128, 128... taken from slabs. A piece's
// first point is a link to the next piece and the number of points in it. Pieces and
// not one array a series: growing would copy, and a page of samples would touch two
// cache lines a series.
#include "transfer/sample_buffer.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace prom::transfer {
namespace {

constexpr std::size_t kSlabPoints = 65536;
constexpr std::int64_t kExemplarSlackMs = 3'600'000;
constexpr std::size_t kFirstPiece = 8, kLargestPiece = 128;

bool SameBits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

std::uint32_t SampleBuffer::SeriesOf(const Labels& labels) {
  const auto [it, is_new] = ids_.try_emplace(labels, static_cast<std::uint32_t>(labels_.size()));
  if (is_new) {
    labels_.push_back(&it->first);
    series_.emplace_back();
    label_bytes_ += labels.bytes().size() + 160;
  }
  return it->second;
}

SampleBuffer::Point* SampleBuffer::Room(std::size_t points) {
  if (slabs_.empty() || slab_used_ + points > kSlabPoints) {
    if (!slabs_.empty()) ++slab_;
    if (slab_ == slabs_.size()) slabs_.push_back(std::make_unique_for_overwrite<Point[]>(kSlabPoints));
    slab_used_ = 0;
  }
  Point* room = slabs_[slab_].get() + slab_used_;
  slab_used_ += points;
  return room;
}

void SampleBuffer::Grow(Series* s) {
  const std::size_t before = s->piece == nullptr ? 0 : static_cast<std::size_t>(s->end - s->piece);
  const std::size_t size = std::clamp(before * 4, kFirstPiece, kLargestPiece);
  Point* piece = Room(size);
  if (s->piece == nullptr) {
    s->first_piece = piece;
  } else {
    s->piece->t = static_cast<std::int64_t>(before);
    std::memcpy(&s->piece->v, &piece, sizeof piece);
  }
  s->piece = piece;
  s->next = piece + 1;
  s->end = piece + size;
}

void SampleBuffer::Add(std::uint32_t series, std::int64_t t_ms, std::shared_ptr<const Histogram> h, std::int64_t st_ms) {
  histogram_bytes_ += 300 + 8 * (h->positive_buckets.size() + h->negative_buckets.size() + h->custom_values.size());
  auto& slot = rest_[series].histograms[t_ms];
  if (slot.first != nullptr && !(*slot.first == *h)) ++replaced_;
  slot = {std::move(h), st_ms};
  ++samples_;
}

void SampleBuffer::Add(std::uint32_t series, Exemplar exemplar) {
  histogram_bytes_ += 100 + exemplar.labels.bytes().size();
  if (!exemplar.has_time) exemplar.t_ms = series_[series].last_ms;  // as upstream: its sample's
  rest_[series].exemplars.push_back(std::move(exemplar));
}

void SampleBuffer::SetMetadata(std::string_view metric, const Metadata& metadata) { metadata_[std::string(metric)] = metadata; }

void SampleBuffer::FreezeSeries(std::uint32_t i) {
  Series& s = series_[i];
  Frozen& f = frozen_[i];
  f.begin = t_.size();
  std::vector<Point> sorted;
  const auto each_piece = [&](auto take) {
    for (Point* piece = s.first_piece; piece != nullptr;) {
      const bool last = piece == s.piece;
      Point* const stop = last ? s.next : piece + piece->t;
      take(piece + 1, stop);
      Point* next = nullptr;
      if (!last) std::memcpy(&next, &piece->v, sizeof next);
      piece = next;
    }
  };
  const auto append = [&](const Point* p, const Point* stop) {
    for (; p != stop; ++p) {
      t_.push_back(p->t);
      v_.push_back(p->v);
    }
  };
  const auto rest = rest_.find(i);
  const bool mixed = rest != rest_.end() && !rest->second.histograms.empty();
  if (s.ascending && !mixed) {
    each_piece(append);
  } else {
    each_piece([&](const Point* p, const Point* stop) { sorted.insert(sorted.end(), p, stop); });
    std::stable_sort(sorted.begin(), sorted.end(), [](const Point& a, const Point& b) { return a.t < b.t; });
    std::size_t n = 0;
    for (const Point& p : sorted) {
      if (mixed && rest->second.histograms.count(p.t) != 0) {  // a time has one sample
        ++replaced_;
        continue;
      }
      if (n > 0 && sorted[n - 1].t == p.t) {
        if (!SameBits(sorted[n - 1].v, p.v)) ++replaced_;
        sorted[n - 1] = p;
      } else {
        sorted[n++] = p;
      }
    }
    append(sorted.data(), sorted.data() + n);
  }
  f.end = t_.size();
  if (f.end > f.begin) {
    min_ms_ = std::min(min_ms_, t_[f.begin]);
    max_ms_ = std::max(max_ms_, t_[f.end - 1]);
  }
  if (mixed) {
    min_ms_ = std::min(min_ms_, rest->second.histograms.begin()->first);
    max_ms_ = std::max(max_ms_, rest->second.histograms.rbegin()->first);
  }
}

void SampleBuffer::Freeze() {
  if (order_.size() != labels_.size()) {
    order_.resize(labels_.size());
    for (std::uint32_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) { return *labels_[a] < *labels_[b]; });
  }
  frozen_.assign(labels_.size(), {});
  t_.reserve(samples_);
  v_.reserve(samples_);
  for (const std::uint32_t i : order_) FreezeSeries(i);
  // An exemplar may be a little older than the sample it came with.
  if (min_ms_ > max_ms_) return;
  const std::int64_t low = min_ms_ - kExemplarSlackMs, high = max_ms_ + kExemplarSlackMs;
  for (const auto& [i, rest] : rest_) {
    for (const Exemplar& e : rest.exemplars) {
      if (e.t_ms < low || e.t_ms > high) continue;
      min_ms_ = std::min(min_ms_, e.t_ms);
      max_ms_ = std::max(max_ms_, e.t_ms);
    }
  }
}

void SampleBuffer::DropSamples() {
  for (Series& s : series_) s = {};
  rest_.clear();
  slab_ = slab_used_ = 0;
  samples_ = histogram_bytes_ = 0;
  frozen_.clear();
  t_.clear();
  v_.clear();
  min_ms_ = INT64_MAX;
  max_ms_ = INT64_MIN;
}

void SampleBuffer::Clear() {
  DropSamples();
  series_.clear();
  labels_.clear();
  ids_.clear();
  order_.clear();
  label_bytes_ = 0;
}

bool SampleBuffer::Wanted(std::uint32_t i, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  const Frozen& f = frozen_[i];
  const auto at = std::lower_bound(t_.begin() + static_cast<std::ptrdiff_t>(f.begin), t_.begin() + static_cast<std::ptrdiff_t>(f.end), min_ms);
  bool any = at != t_.begin() + static_cast<std::ptrdiff_t>(f.end) && *at <= max_ms;
  if (const auto rest = rest_.find(i); !any && rest != rest_.end()) {
    const auto h = rest->second.histograms.lower_bound(min_ms);
    any = h != rest->second.histograms.end() && h->first <= max_ms;
  }
  return any && std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(labels_[i]->Get(m.name())); });
}

class BufferSelection : public Selection {
 public:
  BufferSelection(const SampleBuffer& buffer, std::vector<std::uint32_t> series) : buffer_(buffer), series_(std::move(series)) {}
  std::size_t size() const override { return series_.size(); }
  const Labels& labels(std::size_t i) const override { return *buffer_.labels_[series_[i]]; }

  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
    out->Clear();
    const auto& f = buffer_.frozen_[series_[i]];
    const auto begin = buffer_.t_.begin() + static_cast<std::ptrdiff_t>(f.begin), end = buffer_.t_.begin() + static_cast<std::ptrdiff_t>(f.end);
    const auto from = std::lower_bound(begin, end, min_ms), to = std::upper_bound(from, end, max_ms);
    const auto at = static_cast<std::size_t>(from - buffer_.t_.begin()), n = static_cast<std::size_t>(to - from);
    out->t = {buffer_.t_.data() + at, n};
    out->v = {buffer_.v_.data() + at, n};
    const auto rest = buffer_.rest_.find(series_[i]);
    if (rest == buffer_.rest_.end()) return {};
    const auto& starts = rest->second.starts;
    if (!starts.empty()) {
      out->st_buffer.assign(n, 0);
      for (std::size_t k = 0; k < n; ++k)
        if (const auto st = starts.find(out->t[k]); st != starts.end()) out->st_buffer[k] = st->second;
      out->st = out->st_buffer;
    }
    const auto& histograms = rest->second.histograms;
    for (auto h = histograms.lower_bound(min_ms); h != histograms.end() && h->first <= max_ms; ++h) {
      out->histograms.push_back({h->first, h->second.first});
      out->histogram_st.push_back(h->second.second);
    }
    return {};
  }

 private:
  const SampleBuffer& buffer_;
  std::vector<std::uint32_t> series_;
};

Result<std::unique_ptr<Selection>> SampleBuffer::Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<std::uint32_t> chosen;
  for (const std::uint32_t i : order_)
    if (Wanted(i, matchers, min_ms, max_ms)) chosen.push_back(i);
  return std::unique_ptr<Selection>(new BufferSelection(*this, std::move(chosen)));
}

Result<std::vector<std::string>> SampleBuffer::LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::set<std::string, std::less<>> names;
  for (const std::uint32_t i : order_)
    if (Wanted(i, matchers, min_ms, max_ms))
      for (const Label label : *labels_[i]) names.emplace(label.name);
  return std::vector<std::string>(names.begin(), names.end());
}

Result<std::vector<std::string>> SampleBuffer::LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const {
  std::set<std::string, std::less<>> values;
  for (const std::uint32_t i : order_)
    if (Wanted(i, matchers, min_ms, max_ms) && labels_[i]->Has(name)) values.emplace(labels_[i]->Get(name));
  return std::vector<std::string>(values.begin(), values.end());
}

Result<std::vector<std::pair<std::string, Metadata>>> SampleBuffer::ListMetadata() const {
  return std::vector<std::pair<std::string, Metadata>>(metadata_.begin(), metadata_.end());
}

Result<std::vector<Queryable::SeriesExemplars>> SampleBuffer::Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const {
  std::vector<SeriesExemplars> out;
  for (const std::uint32_t i : order_) {
    const auto rest = rest_.find(i);
    if (rest == rest_.end() || rest->second.exemplars.empty()) continue;
    if (std::none_of(any_of.begin(), any_of.end(), [&](const Matchers& matchers) {
          return std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) { return m.Matches(labels_[i]->Get(m.name())); });
        }))
      continue;
    SeriesExemplars found{*labels_[i], {}};
    for (const Exemplar& e : rest->second.exemplars)
      if (e.t_ms >= min_ms && e.t_ms <= max_ms) found.exemplars.push_back(e);
    std::stable_sort(found.exemplars.begin(), found.exemplars.end(), [](const Exemplar& a, const Exemplar& b) { return a.t_ms < b.t_ms; });
    if (!found.exemplars.empty()) out.push_back(std::move(found));
  }
  return out;
}

}  // namespace prom::transfer

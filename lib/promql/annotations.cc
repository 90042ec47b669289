#include "promql/annotations.h"

#include <algorithm>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"

namespace prom::promql {

std::string LineColumn(std::string_view query, std::int32_t offset) {
  if (offset < 0 || static_cast<std::size_t>(offset) > query.size()) return "invalid position";
  std::int64_t last_break = -1;
  int line = 1;
  for (std::int64_t i = 0; i < offset; ++i) {
    if (query[static_cast<std::size_t>(i)] == '\n') {
      last_break = i;
      ++line;
    }
  }
  return std::to_string(line) + ":" + std::to_string(offset - last_break);
}

void Annotations::Add(Kind kind, std::string text, PosRange pos) {
  std::string whole = (kind == Kind::kWarning ? "PromQL warning: " : "PromQL info: ") + std::move(text);
  std::lock_guard<std::mutex> lock(mutex_);
  Entry& entry = entries_[std::move(whole)];
  entry.kind = kind;
  if (pos.start >= entry.pos.start) entry.pos = pos;
}

void Annotations::StorageWarning(std::string text) {
  std::lock_guard<std::mutex> lock(mutex_);
  Entry& entry = entries_[std::move(text)];
  entry.kind = Kind::kWarning;
  entry.detail = Entry::Detail::kStorage;
}

void Annotations::ForcedMonotonicity(std::string_view name, PosRange pos, std::int64_t t_ms, double min_bucket, double max_bucket,
                                     double max_diff) {
  std::string whole =
      "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
      "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
  if (!name.empty()) whole += " for metric name " + Quote(name);
  std::lock_guard<std::mutex> lock(mutex_);
  auto [it, fresh] = entries_.try_emplace(std::move(whole));
  Entry& e = it->second;
  e.kind = Kind::kInfo;
  if (pos.start >= e.pos.start) e.pos = pos;
  if (fresh) {
    e.detail = Entry::Detail::kMonotonicity;
    e.min_t = e.max_t = t_ms;
    e.min_bucket = min_bucket;
    e.max_bucket = max_bucket;
    e.max_diff = max_diff;
    e.count = 1;
    return;
  }
  e.min_t = std::min(e.min_t, t_ms);
  e.max_t = std::max(e.max_t, t_ms);
  e.min_bucket = std::min(e.min_bucket, min_bucket);
  e.max_bucket = std::max(e.max_bucket, max_bucket);
  e.max_diff = std::max(e.max_diff, max_diff);
  ++e.count;
}

void Annotations::StartTimeOverlap(std::string_view name, PosRange pos) {
  std::string whole = "PromQL warning: sample has start time that overlaps with previous sample timestamp for metric " + Quote(name);
  std::lock_guard<std::mutex> lock(mutex_);
  Entry& e = entries_[std::move(whole)];
  e.kind = Kind::kWarning;
  if (pos.start >= e.pos.start) e.pos = pos;
  e.detail = Entry::Detail::kOverlap;
  ++e.count;
}

bool Annotations::empty() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return entries_.empty();
}

void Annotations::Render(std::string_view query, std::vector<std::string>* warnings, std::vector<std::string>* infos) const {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [text, e] : entries_) {
    std::string out = text;
    if (e.detail == Entry::Detail::kMonotonicity) {
      // Whole seconds, as upstream: the fraction is cut before printing.
      out += ", from buckets " + FormatFloatG(e.min_bucket) + " to " + FormatFloatG(e.max_bucket) + ", with a max diff of " +
             StringPrintf("%.2g, over %lld samples from ", e.max_diff, static_cast<long long>(e.count)) +
             FormatTimeRfc3339(e.min_t / 1000 * 1000) + " to " + FormatTimeRfc3339(e.max_t / 1000 * 1000);
    } else if (e.detail == Entry::Detail::kOverlap && e.count > 1) {
      out += StringPrintf(" (%lld occurrences)", static_cast<long long>(e.count));
    }
    if (e.detail != Entry::Detail::kStorage) out += " (" + LineColumn(query, e.pos.start) + ")";
    (e.kind == Kind::kWarning ? warnings : infos)->push_back(std::move(out));
  }
}

}  // namespace prom::promql

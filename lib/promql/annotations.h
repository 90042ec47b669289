// Warnings and infos that travel with a query's result. Texts are upstream's
// (util/annotations), without the position until Render adds it.
//
// Equal texts are kept once, with the position that comes last in the query: upstream
// has that of the last one added, and evaluates from left to right. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "promql/ast.h"

namespace prom::promql {

class Annotations {
 public:
  enum class Kind { kWarning, kInfo };

  // `text` without the "PromQL warning: " or "PromQL info: " in front.
  void Warn(std::string text, PosRange pos) { Add(Kind::kWarning, std::move(text), pos); }
  void Info(std::string text, PosRange pos) { Add(Kind::kInfo, std::move(text), pos); }

  // What the storage has to say, kept as it is: no prefix, no position.
  void StorageWarning(std::string text);
  // histogram_quantile had to level falling buckets; `name` may be empty.
  void ForcedMonotonicity(std::string_view name, PosRange pos, std::int64_t t_ms, double min_bucket, double max_bucket, double max_diff);
  // A sample's start time lies before the sample ahead of it; counted by metric name.
  void StartTimeOverlap(std::string_view name, PosRange pos);

  // Finished texts with "(line:col)" of `query`, in order of text.
  void Render(std::string_view query, std::vector<std::string>* warnings, std::vector<std::string>* infos) const;
  bool empty() const;

 private:
  struct Entry {
    Kind kind;
    PosRange pos;
    enum class Detail { kNone, kMonotonicity, kOverlap, kStorage } detail = Detail::kNone;
    std::int64_t min_t = 0, max_t = 0;
    double min_bucket = 0, max_bucket = 0, max_diff = 0;
    std::int64_t count = 0;
  };
  void Add(Kind kind, std::string text, PosRange pos);

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by whole text
};

// "line:col" of a byte offset, both from 1; the column counts bytes.
std::string LineColumn(std::string_view query, std::int32_t offset);

}  // namespace prom::promql

// IndexWriter writes the index of a block, version 2, in one pass: symbols first, then
// series in the order of their labels, then postings. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/io.h"
#include "model/labels.h"
#include "tsdb/file_writer.h"
#include "tsdb/part.h"

namespace prom::tsdb {

class IndexWriter {
 public:
  // `symbols`: sorted, unique; all names and values of the series to come (more do no
  // harm). They must outlive the writer. kLimit: more than a symbol table holds.
  static Result<IndexWriter> Create(Io& io, const std::string& path, std::vector<std::string_view> symbols);
  // In the order of their labels; with chunks in the order of time.
  Result<void> AddSeries(const Labels& labels, const std::vector<ChunkMeta>& chunks);
  Result<void> Finish(bool sync);
  std::uint64_t size() const { return file_.size(); }

 private:
  explicit IndexWriter(FileWriter file) : file_(std::move(file)) {}
  Result<void> AppendSection(std::string_view body);
  std::uint32_t IdOf(std::string_view symbol);

  FileWriter file_;
  std::vector<std::string_view> symbols_;
  std::unordered_map<std::string_view, std::uint32_t> recent_;  // names and values of late
  std::uint64_t series_offset_ = 0;
  std::vector<std::uint32_t> series_;                                         // ids of all
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> postings_;  // by name << 32 | value
  std::string scratch_;
};

}  // namespace prom::tsdb

// HeadReader: one epoch of the head, opened read-only from any process while the
// writer goes on. It never locks, writes or blocks the writer.
//
// A snapshot sees whole batches up to the committed sequence it found, and keeps
// what it needs mapped: it stays valid when the writer drops log segments or the
// epoch. Thread-safe; keep one HeadReader per epoch and take many snapshots, as
// it caches the index and the directory of sealed groups between them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/queryable.h"
#include "store/control_page.h"

namespace prom::store {

class HeadSnapshot;

class HeadReader {
 public:
  // kNotFound: the epoch is gone (read the manifest again).
  static Result<std::shared_ptr<HeadReader>> Open(Io& io, const std::string& data_dir, std::uint64_t epoch, std::shared_ptr<ControlPage> control);
  ~HeadReader();

  // All batches committed before the call. kNotFound: the epoch went away meanwhile.
  // `find_series` false: its label sets are not looked up, it has series by id only.
  Result<std::shared_ptr<const HeadSnapshot>> Snapshot(bool find_series = true);

  struct Problem {
    std::string file;        // path
    std::uint64_t offset = 0;  // bytes
    std::string what;
    std::string series;      // or empty when it cannot be told
    std::int64_t min_ms = 0, max_ms = 0;  // what is lost, when known (min <= max)
  };
  // Walks everything: every series, layout, row, group and chunk. Empty: all is well.
  // `samples`, when given, is set to how many samples readers are shown; a series that
  // has the same time twice, out of order, counts twice.
  Result<std::vector<Problem>> Verify(std::uint64_t* samples = nullptr);

  class Impl;

 private:
  explicit HeadReader(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// A Queryable with what tools print about a head.
class HeadSnapshot : public Queryable {
 public:
  struct Stats {
    std::uint64_t committed_seq = 0;
    std::uint64_t series = 0, layouts = 0;
    std::uint64_t open_rows = 0, pending_loose_samples = 0;
  };
  virtual Stats stats() const = 0;
  // Damage met so far in the parts all series share (tile table, series file, extras).
  virtual std::vector<std::string> warnings() const = 0;
  // Those of them that may have cost samples of any series; cheap.
  virtual std::vector<std::string> losses() const = 0;
};

// DATA/head/<epoch>, eight digits.
std::string EpochDir(const std::string& data_dir, std::uint64_t epoch);

}  // namespace prom::store

// HeadExtras: exemplars and metadata of an epoch, in the small file extras-<n>
// beside the log, prom-data(5) "Extras". The file is written anew under the next
// number once most of it is exemplars that have left the ring.
// Not thread-safe. Internal to lib/store.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/io.h"
#include "base/result.h"
#include "model/sample.h"

namespace prom::store {

struct SeriesExemplar {
  std::uint32_t series = 0;
  Exemplar exemplar;
};

// What a file holds. Damaged records are left out; *damaged counts them.
struct ExtrasContent {
  std::vector<SeriesExemplar> exemplars;  // oldest first
  std::map<std::string, Metadata, std::less<>> metadata;
  std::uint64_t end = 0;      // behind the last good record
  std::uint64_t damaged = 0;
};
ExtrasContent ParseExtras(std::string_view bytes);
std::string ExtrasName(std::uint32_t number);

class HeadExtras {
 public:
  explicit HeadExtras(std::size_t max_exemplars) : max_exemplars_(max_exemplars) {}
  void Load(std::uint32_t number, std::shared_ptr<File> file, ExtrasContent content);

  enum class Outcome { kAdded, kRepeated, kOutOfOrder };
  Outcome AddExemplar(std::uint32_t series, const Exemplar& e);
  void SetMetadata(std::string_view metric, const Metadata& m);
  // The ring holds so many from now on; 0: none are taken.
  void SetMaxExemplars(std::size_t n);
  const std::deque<SeriesExemplar>& exemplars() const { return ring_; }
  const std::map<std::string, Metadata, std::less<>>& metadata() const { return metadata_; }

  // Writes what was added since; on error it stays for the next time.
  Result<void> Write(Io& io, const std::string& dir);
  // A file of an older number may be removed once the new number is published.
  void RemoveOld(Io& io, const std::string& dir);
  std::uint32_t number() const { return number_; }
  std::uint64_t bytes() const { return bytes_; }
  bool dirty() const { return dirty_; }
  bool new_file() const { return new_file_; }
  std::shared_ptr<File> file() const { return file_; }
  void Synced() { dirty_ = new_file_ = false; }

 private:
  void DropOldest();

  std::size_t max_exemplars_;
  std::deque<SeriesExemplar> ring_;
  std::unordered_map<std::uint32_t, Exemplar> newest_;
  std::map<std::string, Metadata, std::less<>> metadata_;
  std::string pending_;
  std::size_t records_ = 0;  // in the file and pending
  std::uint32_t number_ = 0;
  std::uint64_t bytes_ = 0;
  bool dirty_ = false, new_file_ = false;
  std::shared_ptr<File> file_;
  std::vector<std::uint32_t> old_;
};

}  // namespace prom::store

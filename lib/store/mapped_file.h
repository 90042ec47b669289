// MappedFile: a read-only view of a file that another process (or this one) is
// appending to. Bytes once handed out stay valid while the MappedFile lives: the
// file is never truncated, and older, shorter mappings are kept. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/mutex.h"
#include "base/result.h"

namespace prom::store {

class MappedFile {
 public:
  // Maps with room for `reserve_bytes`, so that growth up to there needs no new mapping.
  static Result<std::shared_ptr<MappedFile>> Open(Io& io, const std::string& path, std::uint64_t reserve_bytes);

  // [offset, offset + size); empty when the file is shorter than that (or size is 0).
  std::string_view At(std::uint64_t offset, std::uint64_t size) const;
  // From offset to the end of the file as it is now.
  std::string_view From(std::uint64_t offset) const;
  const std::string& path() const { return path_; }

 private:
  MappedFile() = default;
  bool Cover(std::uint64_t end) const;

  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t reserve_ = 0;
  // Read without the lock: readable_ first, then data_, which was stored before it.
  mutable std::atomic<std::uint64_t> readable_{0};
  mutable std::atomic<const char*> data_{nullptr};
  mutable Mutex mutex_;
  mutable std::vector<Mapping> mappings_ GUARDED_BY(mutex_);
};

}  // namespace prom::store

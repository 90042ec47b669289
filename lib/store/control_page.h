// ControlPage: DATA/CURRENT, 4 KiB mapped by the writer and by every reader. It
// says which manifest is in force and up to which batch the head may be read.
// prom-data(5) "Control page".
//
// The two numbers are published with release stores and read with acquire loads;
// each is kept in two slots of {number, check} written in turn, so that a writer
// killed in the middle leaves the number before. Thread-safe; across processes too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/io.h"
#include "base/result.h"

namespace prom::store {

class ControlPage {
 public:
  // For readers; never writes. kNotFound: no data directory here.
  static Result<std::shared_ptr<ControlPage>> OpenRead(Io& io, const std::string& data_dir);
  // For the one writer, which holds the lock; makes the file when it is not there.
  static Result<std::shared_ptr<ControlPage>> OpenWrite(Io& io, const std::string& data_dir);

  // Sequence of the newest batch readers may see; 0: none yet.
  std::uint64_t committed_seq() const;
  // The manifest in force is manifest-<generation>; 0: none yet.
  std::uint64_t generation() const;
  // False: a slot does not hold, so that committed_seq() or generation() may be one behind.
  bool intact() const;
  // False: a slot of the generation does not hold; the manifest in force may be the one after generation().
  bool generation_intact() const;
  // True: the page itself is lost (lost_pages.h); what is stored does not reach readers.
  bool lost() const;

  // Writer only.
  void set_committed_seq(std::uint64_t seq);
  void set_generation(std::uint64_t generation);
  // The boot (kernel's random boot_id) in which the page was last opened for writing,
  // and whether that writer closed the directory in good order.
  std::string boot_id() const;
  bool clean() const;
  std::uint64_t writer_pid() const;
  void SetWriter(const std::string& boot_id, std::uint64_t pid, bool clean);
  Result<void> Sync();  // to disk
  const std::string& path() const { return file_->path(); }

 private:
  ControlPage() = default;
  std::unique_ptr<File> file_;
  Mapping mapping_;            // readers
  char* page_ = nullptr;       // either mapping
  void* shared_ = nullptr;     // the writer's; file_ owns it
};

// The running kernel's boot id, or "unknown".
std::string CurrentBootId();

}  // namespace prom::store

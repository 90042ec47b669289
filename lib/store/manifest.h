// Manifest: which epochs of the head and which blocks make up a data directory,
// prom-data(5) "Manifest". Text, one file a generation, never changed once written:
//
//   promkit manifest 1
//   generation 7
//   epoch 12 1700000000000
//   block 01HF... 1699992000123 1699999199123 1 4800000 1920000
//   tombstones tombstones-5
//   crc 1a2b3c4d
//
// The generation in force is in the control page. All ranges are closed, ms.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/io.h"
#include "base/result.h"

namespace prom::store {

struct ManifestEpoch {
  std::uint64_t number = 0;   // directory head/<number>
  std::int64_t start_ms = 0;  // aligned start of its window
  friend bool operator==(const ManifestEpoch&, const ManifestEpoch&) = default;
};

struct ManifestBlock {
  std::string ulid;
  std::int64_t min_ms = 0, max_ms = 0;  // of its samples
  std::uint32_t level = 1;              // 1: cut from the head; merging adds one
  std::uint64_t samples = 0;
  std::uint64_t bytes = 0;  // of all its files
  friend bool operator==(const ManifestBlock&, const ManifestBlock&) = default;
};

struct Manifest {
  std::uint64_t generation = 0;
  std::vector<ManifestEpoch> epochs;  // ascending; the last one is being written
  std::vector<ManifestBlock> blocks;  // by min_ms, then ulid
  std::string tombstones;             // file name, or empty
  friend bool operator==(const Manifest&, const Manifest&) = default;

  // Sorts epochs and blocks as above.
  void Sort();
};

// Changes the manifest in force: calls the function on a copy of it and publishes
// that, with the next generation, when it returns true. Writer::EditManifest.
using ManifestEditor = std::function<Result<void>(const std::function<bool(Manifest*)>&)>;

std::string FormatManifest(const Manifest& m);
// kCorrupt with line number; kUnsupported: a newer version.
Result<Manifest> ParseManifest(std::string_view text, std::string_view path);

// DATA/manifest-<generation>.
std::string ManifestPath(std::string_view data_dir, std::uint64_t generation);
// kNotFound: that generation is gone; read the control page again.
Result<Manifest> ReadManifest(Io& io, std::string_view data_dir, std::uint64_t generation);
// Writes manifest-<m.generation>, synced with its directory. The caller then bumps
// the control page, and only after that removes what the manifest no longer names.
Result<void> WriteManifest(Io& io, std::string_view data_dir, const Manifest& m, bool sync = true);
// Generations for which there is a file, ascending. A writer whose control page is
// damaged takes the newest one that parses.
Result<std::vector<std::uint64_t>> ListManifests(Io& io, std::string_view data_dir);

}  // namespace prom::store

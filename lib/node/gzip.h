// Gzip of a whole page at the fastest level: what a scrape costs matters more
// than the last 10 % of its size. Not thread-safe; keeps its tables between calls.
#pragma once

#include <string>
#include <string_view>

struct libdeflate_compressor;

namespace prom::node {

class Gzip {
 public:
  Gzip() = default;
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  // False: out of memory; send it as it is.
  bool Compress(std::string_view page, std::string* out);

 private:
  libdeflate_compressor* compressor_ = nullptr;
};

}  // namespace prom::node

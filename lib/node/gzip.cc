#include "node/gzip.h"

#include <libdeflate.h>

namespace prom::node {

bool GzipPage(std::string_view page, std::string* out) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(1);
  if (compressor == nullptr) return false;
  out->resize(libdeflate_gzip_compress_bound(compressor, page.size()));
  const std::size_t size = libdeflate_gzip_compress(compressor, page.data(), page.size(), out->data(), out->size());
  out->resize(size);
  libdeflate_free_compressor(compressor);
  return size > 0;
}

}  // namespace prom::node

#include "node/gzip.h"

#include <libdeflate.h>

namespace prom::node {

Gzip::~Gzip() {
  if (compressor_ != nullptr) libdeflate_free_compressor(compressor_);
}

bool Gzip::Compress(std::string_view page, std::string* out) {
  if (compressor_ == nullptr) compressor_ = libdeflate_alloc_compressor(1);
  if (compressor_ == nullptr) return false;
  out->resize(libdeflate_gzip_compress_bound(compressor_, page.size()));
  const std::size_t size = libdeflate_gzip_compress(compressor_, page.data(), page.size(), out->data(), out->size());
  out->resize(size);
  return size > 0;
}

}  // namespace prom::node

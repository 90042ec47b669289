#include <zlib.h>

#include <new>

#include "net/http_server.h"

namespace prom::net {
namespace {
constexpr int kGzipWindow = 15 + 16;  // zlib: 16 added asks for the gzip wrapper
}

std::string Gzip(std::string_view bytes) {
  z_stream z{};
  if (deflateInit2(&z, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&z, bytes.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

struct GzipStream::State {
  z_stream z{};
};

GzipStream::GzipStream() : state_(std::make_unique<State>()) {
  if (deflateInit2(&state_->z, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
}
GzipStream::~GzipStream() { deflateEnd(&state_->z); }

void GzipStream::Append(std::string_view piece, bool last, std::string* out) {
  z_stream& z = state_->z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  z.avail_in = static_cast<uInt>(piece.size());
  do {
    char buffer[16 << 10];
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
    out->append(buffer, sizeof buffer - z.avail_out);
  } while (z.avail_out == 0);
}

Result<std::string> Gunzip(std::string_view bytes, std::uint64_t max_bytes) {
  z_stream z{};
  if (inflateInit2(&z, kGzipWindow) != Z_OK) return Error{Errc::kInternal, "gzip: cannot start"};
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    const std::size_t at = out.size();
    out.resize(at + std::max<std::size_t>(16 << 10, at));
    z.next_out = reinterpret_cast<Bytef*>(out.data() + at);
    z.avail_out = static_cast<uInt>(out.size() - at);
    state = inflate(&z, Z_NO_FLUSH);
    out.resize(out.size() - z.avail_out);
    if (out.size() > max_bytes) {
      inflateEnd(&z);
      return Error{Errc::kLimit, "gzip: more than " + std::to_string(max_bytes) + " bytes inflated"};
    }
  }
  inflateEnd(&z);
  if (state != Z_STREAM_END) return Error{Errc::kCorrupt, "gzip: damaged or cut off after " + std::to_string(bytes.size()) + " bytes"};
  return out;
}

}  // namespace prom::net

// The plain way of FetchLoop: HTTP/1.1 over TCP on connections that are kept, for a GET
// that needs nothing libcurl is for (TLS, proxies, credentials, redirects, names). Most
// scrapes are of that kind, and libcurl costs each several times what its page costs to
// read. What is not quite plain is left to libcurl. Internal to lib/net.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace prom::net {

struct FetchRequest;

struct PlainRequest {
  std::string authority;  // host and port, as the URL has them: what a connection is kept by
  std::string bytes;      // to send
};
// Nothing: libcurl must do it.
std::optional<PlainRequest> MakePlainRequest(const FetchRequest& request);

// An answer, cut anywhere. Not thread-safe.
class PlainResponse {
 public:
  enum class State { kMore, kDone, kUnfit };  // kUnfit: not an answer for the plain way
  // Takes bytes and gives those of the body, piece by piece, to body(const char*, size) -> bool;
  // false from it ends the reading with kUnfit.
  template <typename Body>
  State Take(std::string_view bytes, Body body);
  // Behind the last byte taken: bytes that are not part of the answer.
  bool extra() const { return extra_; }
  bool head_done() const { return part_ != Part::kHead; }
  int status() const { return status_; }
  bool gzip() const { return gzip_; }
  bool keep() const { return keep_; }  // the connection may be used again
  const std::string& content_type() const { return content_type_; }

 private:
  enum class Part { kHead, kSized, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };
  bool ReadHead();
  bool ReadChunkSize(std::string_view line);
  // The line at the front, without its end, once it is whole; it is kept in pending_ until then.
  bool TakeLine(std::string_view* bytes, std::string* line);

  Part part_ = Part::kHead;
  std::string pending_;
  std::uint64_t left_ = 0;
  int status_ = 0;
  bool gzip_ = false, keep_ = true, extra_ = false;
  std::string content_type_;
};

template <typename Body>
PlainResponse::State PlainResponse::Take(std::string_view bytes, Body body) {
  constexpr std::size_t kMaxHead = 64 << 10;
  while (true) {
    switch (part_) {
      case Part::kHead: {
        if (bytes.empty()) return State::kMore;
        const std::size_t before = pending_.size();
        pending_.append(bytes.substr(0, kMaxHead - std::min(before, kMaxHead)));
        const std::size_t end = pending_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
        if (end == std::string::npos) return pending_.size() < kMaxHead ? State::kMore : State::kUnfit;
        bytes.remove_prefix(end + 4 - before);
        pending_.resize(end + 2);
        if (!ReadHead()) return State::kUnfit;
        pending_.clear();
        break;
      }
      case Part::kSized:
      case Part::kChunk: {
        const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        if (n > 0 && !body(bytes.data(), n)) return State::kUnfit;
        left_ -= n;
        bytes.remove_prefix(n);
        if (left_ > 0) return State::kMore;
        part_ = part_ == Part::kSized ? Part::kDone : Part::kChunkEnd;
        break;
      }
      case Part::kChunkSize:
      case Part::kChunkEnd:
      case Part::kTrailer: {
        std::string line;
        if (!TakeLine(&bytes, &line)) return pending_.size() < kMaxHead ? State::kMore : State::kUnfit;
        if (part_ == Part::kChunkSize) {
          if (!ReadChunkSize(line)) return State::kUnfit;
          part_ = left_ == 0 ? Part::kTrailer : Part::kChunk;
        } else if (part_ == Part::kChunkEnd) {
          if (!line.empty()) return State::kUnfit;
          part_ = Part::kChunkSize;
        } else if (line.empty()) {
          part_ = Part::kDone;
        }
        break;
      }
      case Part::kDone:
        extra_ = !bytes.empty();
        return State::kDone;
    }
  }
}

}  // namespace prom::net

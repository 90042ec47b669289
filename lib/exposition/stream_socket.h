// StreamSocket: the producer's end of the store's ingest socket, prom-stream(5):
// bytes of a stream out, acknowledgements in. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "exposition/stream_binary.h"

namespace prom {

class StreamSocket {
 public:
  // kNotFound, kUnavailable: nobody listens there. kInvalid: the path is too long for a socket.
  // send_timeout_ms: how long Send waits for a store that takes nothing.
  static Result<std::unique_ptr<StreamSocket>> Connect(const std::string& path, std::int64_t send_timeout_ms);
  ~StreamSocket();
  StreamSocket(const StreamSocket&) = delete;
  StreamSocket& operator=(const StreamSocket&) = delete;

  // All of the bytes; answers are read meanwhile. kTimeout: the store takes no more;
  // kUnavailable: it has gone; otherwise what the store says it failed with.
  Result<void> Send(std::string_view bytes);
  // Nothing more will be sent; answers still come.
  Result<void> FinishSending();
  // Whether Send of 128 KiB would not have to wait.
  bool writable() const;
  // Reads what is there, waiting up to wait_ms for the first byte. Errors as of Send.
  Result<void> TakeReplies(int wait_ms);

  std::uint64_t acked() const { return acked_; }  // sequence
  Durability durability() const { return durability_; }  // of the last acknowledgement
  std::uint64_t accepted() const { return totals_.accepted; }  // samples of all acknowledged batches
  std::uint64_t refused() const { return totals_.refused; }
  const StreamAck& totals() const { return totals_; }  // counts of all acknowledgements
  int fd() const { return fd_; }  // readable when there are answers

 private:
  StreamSocket(int fd, std::int64_t send_timeout_ms) : fd_(fd), send_timeout_ms_(send_timeout_ms) {}

  int fd_;
  std::int64_t send_timeout_ms_;
  ReplyDecoder replies_;
  std::uint64_t acked_ = 0;
  StreamAck totals_;
  Durability durability_ = Durability::kProcess;
};

}  // namespace prom

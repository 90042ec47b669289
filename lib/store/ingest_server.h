// IngestServer: DATA/ingest.sock, where producers hand their streams to the one
// writer, prom-stream(5). A connection is binary or text by its first byte. Each
// batch is committed and then acknowledged, once it is as durable as promised.
//
// A thread a connection: one that sends garbage, sends slowly or reads no answers
// stops nobody else. Back-pressure is not reading. Acknowledgements that a producer
// does not read are put together into one, so that it is never waited for.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_binary.h"
#include "store/writer.h"

namespace prom::store {

struct IngestOptions {
  bool sync = false;  // acknowledge only what is on disk; else what survives kill -9
  std::size_t max_connections = 256;
  std::size_t read_bytes = 256u << 10;  // taken at a time, and acknowledged together
  int idle_page_ms = 500;               // text: a page ends when nothing has come for so long
};

struct IngestCounters {
  std::uint64_t connections = 0;  // now
  std::uint64_t accepted = 0, rejected = 0;  // connections since the start; rejected: over the limit
  std::uint64_t failed = 0;  // connections ended with an error
  std::uint64_t bytes = 0, batches = 0;
  std::uint64_t refused_lines = 0;  // of text
  std::uint64_t over_limit = 0;     // samples of series beyond WriterOptions::max_series
};

class IngestServer {
 public:
  // Listens on `path`. The caller holds the writer's lock, so that a socket file that
  // is there is a dead one: it is replaced. kInvalid: a path too long for a socket.
  static Result<std::unique_ptr<IngestServer>> Start(Writer& writer, Clock& clock, const std::string& path, const IngestOptions& options);
  ~IngestServer();  // Stop
  // Removes the socket, then ends all connections after the bytes they have in hand
  // and acknowledges those. Takes some milliseconds.
  void Stop();
  IngestCounters counters() const;

 private:
  struct Connection;
  IngestServer(Writer& writer, Clock& clock, std::string path, const IngestOptions& options);
  Result<void> Listen();
  void Accept();
  void Serve(Connection& c);
  void Reap(bool all);

  Writer& writer_;
  Clock& clock_;
  const std::string path_;
  const IngestOptions options_;
  int listen_fd_ = -1;
  int stop_fd_ = -1;  // readable once all must stop
  std::list<std::unique_ptr<Connection>> connections_;  // of the accepting thread, and of Stop after it
  std::atomic<std::uint64_t> open_{0}, accepted_{0}, rejected_{0}, failed_{0}, bytes_{0}, batches_{0}, refused_lines_{0}, over_limit_{0};
  std::thread accept_thread_;
};

}  // namespace prom::store

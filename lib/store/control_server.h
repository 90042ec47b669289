// ControlServer: DATA/control.sock, where tools ask the writer for what only it may
// do (requests.h). One request a connection, each in a thread of its own: a deletion
// does not wait for a compaction that somebody asked for.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "store/writer.h"

namespace prom::store {

class ControlServer {
 public:
  // Listens on `path`; a socket file that is there is a dead one, as the caller holds
  // the writer's lock. kInvalid: a path too long for a socket.
  static Result<std::unique_ptr<ControlServer>> Start(Writer& writer, const std::string& path);
  ~ControlServer();  // Stop
  // Removes the socket, and ends the requests in hand as soon as it can be.
  void Stop();

 private:
  ControlServer(Writer& writer, std::string path) : writer_(writer), path_(std::move(path)) {}
  Result<void> Listen();
  void Run();
  void Serve(int fd);
  void Reap(bool all);

  Writer& writer_;
  const std::string path_;
  int listen_fd_ = -1;
  int stop_fd_ = -1;  // readable once it must stop
  struct Request {
    int fd = -1;
    std::atomic<bool> done{false};
    std::thread thread;
    ~Request();
  };
  std::list<std::unique_ptr<Request>> requests_;  // of thread_
  std::thread thread_;
};

}  // namespace prom::store

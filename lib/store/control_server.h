// ControlServer: DATA/control.sock, where tools ask the writer for what only it may
// do (requests.h). One request a connection, one after the other.
#pragma once

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
  // Removes the socket, and ends the request in hand as soon as it can be.
  void Stop();

 private:
  ControlServer(Writer& writer, std::string path) : writer_(writer), path_(std::move(path)) {}
  Result<void> Listen();
  void Run();
  void Serve(int fd);

  Writer& writer_;
  const std::string path_;
  int listen_fd_ = -1;
  int stop_fd_ = -1;  // readable once it must stop
  std::thread thread_;
};

}  // namespace prom::store

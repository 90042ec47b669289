// Signals as a file descriptor, for main loops: SIGTERM and SIGINT ask to stop,
// SIGHUP to reload. Block() must run before any thread starts.
#pragma once

#include <optional>

namespace prom {

enum class SignalEvent { kStop, kReload };

class Signals {
 public:
  Signals();   // blocks SIGTERM, SIGINT, SIGHUP; ignores SIGPIPE
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  // Waits up to timeout_ms (-1: for ever); empty: time is up.
  std::optional<SignalEvent> Wait(int timeout_ms);
  int fd() const { return fd_; }  // readable when a signal is there

 private:
  int fd_ = -1;
};

}  // namespace prom

// The terminal that standard output is: its size, colours, and what must happen when
// it changes or Ctrl-C is pressed.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "promql/output/render.h"

namespace prom::cli {

struct Screen {
  bool terminal = false;  // standard output is one
  int columns = 80, lines = 24;
};
// COLUMNS and LINES override what the terminal says.
Screen ScreenNow();

// For RenderResult: `colour` is auto, always or never; NO_COLOR and TERM=dumb turn auto off.
// kInvalid: another word.
Result<promql::RenderOptions> RenderOptionsOf(const Screen& screen, const std::string& colour);

// While it lives, SIGINT and SIGTERM set `stop` and SIGWINCH sets `resized` instead of
// what they do otherwise. They nest.
class SignalFlags {
 public:
  SignalFlags();
  ~SignalFlags();
  SignalFlags(const SignalFlags&) = delete;
  SignalFlags& operator=(const SignalFlags&) = delete;
  static std::atomic<bool> stop, resized;
  static std::atomic<std::atomic<bool>*> cancel;  // set together with `stop`, when not null: of the query that runs
  // Sleeps until the time is up or a signal has come.
  static void Sleep(std::int64_t ms);

 private:
  struct sigaction before_[3];
};

}  // namespace prom::cli

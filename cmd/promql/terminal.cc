#include "terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/number.h"
#include "base/strings.h"

namespace prom::cli {
namespace {

int FromEnvironment(const char* name, int fallback) {
  const char* text = std::getenv(name);
  const auto n = text == nullptr ? std::nullopt : ParseInt64(text);
  return n && *n > 0 && *n < 10'000 ? static_cast<int>(*n) : fallback;
}

void OnStop(int) {
  SignalFlags::stop = true;
  if (std::atomic<bool>* flag = SignalFlags::cancel) *flag = true;
}
void OnResize(int) { SignalFlags::resized = true; }

constexpr int kSignals[3] = {SIGINT, SIGTERM, SIGWINCH};

}  // namespace

std::atomic<bool> SignalFlags::stop{false}, SignalFlags::resized{false};
std::atomic<std::atomic<bool>*> SignalFlags::cancel{nullptr};

Screen ScreenNow() {
  Screen out;
  out.terminal = ::isatty(STDOUT_FILENO) != 0;
  winsize size{};
  if (out.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    if (size.ws_col > 0) out.columns = size.ws_col;
    if (size.ws_row > 0) out.lines = size.ws_row;
  }
  out.columns = FromEnvironment("COLUMNS", out.columns);
  out.lines = FromEnvironment("LINES", out.lines);
  return out;
}

Result<promql::RenderOptions> RenderOptionsOf(const Screen& screen, const std::string& colour) {
  promql::RenderOptions out;
  const auto off = [] {
    const char *no = std::getenv("NO_COLOR"), *term = std::getenv("TERM");
    return (no != nullptr && *no != 0) || (term != nullptr && std::string_view(term) == "dumb");
  };
  if (colour == "always") out.colour = true;
  else if (colour == "auto") out.colour = screen.terminal && !off();
  else if (colour != "never") return Error{Errc::kInvalid, "--color " + Quote(colour) + ": want auto, always or never"};
  out.fit = screen.terminal;
  out.width = screen.columns;
  if (screen.terminal) out.rows = screen.lines - 1;  // one for the prompt
  return out;
}

SignalFlags::SignalFlags() {
  stop = resized = false;
  for (int i = 0; i < 3; ++i) {
    struct sigaction action {};
    action.sa_handler = kSignals[i] == SIGWINCH ? OnResize : OnStop;  // without SA_RESTART: sleeps end
    ::sigaction(kSignals[i], &action, &before_[i]);
  }
}

SignalFlags::~SignalFlags() {
  for (int i = 0; i < 3; ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
}

void SignalFlags::Sleep(std::int64_t ms) {
  // Blocked while looking at the flags, so that none is missed in between.
  sigset_t wanted, before;
  sigemptyset(&wanted);
  for (const int s : kSignals) sigaddset(&wanted, s);
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before);
  if (!stop && !resized) {
    const timespec time{ms / 1000, ms % 1000 * 1'000'000};
    ::ppoll(nullptr, 0, &time, &before);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace prom::cli

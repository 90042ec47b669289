#include "line_editor.h"

#include <dlfcn.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "base/io.h"
#include "promql/output/text.h"
#include "terminal.h"

namespace prom::cli {
namespace {

constexpr int kMostHistory = 2'000;
constexpr std::size_t kMostWords = 200;  // of a list of completions

struct Library {
  decltype(&::el_init) init = nullptr;
  decltype(&::el_end) end = nullptr;
  decltype(&::el_set) set = nullptr;
  decltype(&::el_get) get = nullptr;
  decltype(&::el_gets) gets = nullptr;
  decltype(&::el_line) line = nullptr;
  decltype(&::el_insertstr) insertstr = nullptr;
  decltype(&::el_source) source = nullptr;
  decltype(&::el_resize) resize = nullptr;
  decltype(&::history_init) history_init = nullptr;
  decltype(&::history_end) history_end = nullptr;
  decltype(&::history) history = nullptr;
};

// Null: there is no libedit, or not this one.
const Library* Load() {
  static const Library* const kLibrary = []() -> const Library* {
    void* const handle = ::dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    static Library l;
    bool all = true;
    const auto find = [&](auto* to, const char* name) {
      *to = reinterpret_cast<std::remove_pointer_t<decltype(to)>>(::dlsym(handle, name));
      all &= *to != nullptr;
    };
    find(&l.init, "el_init");
    find(&l.end, "el_end");
    find(&l.set, "el_set");
    find(&l.get, "el_get");
    find(&l.gets, "el_gets");
    find(&l.line, "el_line");
    find(&l.insertstr, "el_insertstr");
    find(&l.source, "el_source");
    find(&l.resize, "el_resize");
    find(&l.history_init, "history_init");
    find(&l.history_end, "history_end");
    find(&l.history, "history");
    return all ? &l : nullptr;
  }();
  return kLibrary;
}

// In columns, as ls has them.
std::string Columns(const std::vector<std::string>& words) {
  const std::size_t shown = std::min(words.size(), kMostWords);
  std::size_t widest = 0;
  for (std::size_t i = 0; i < shown; ++i) widest = std::max(widest, promql::DisplayWidth(promql::SafeText(words[i])));
  const std::size_t screen = static_cast<std::size_t>(ScreenNow().columns);
  const std::size_t columns = std::max<std::size_t>((screen + 1) / (widest + 2), 1), rows = (shown + columns - 1) / columns;
  std::string out = "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t i = row; i < shown; i += rows) {
      const std::string word = promql::SafeText(words[i]);
      out += word;
      if (i + rows < shown) out.append(widest + 2 - promql::DisplayWidth(word), ' ');
    }
    out += '\n';
  }
  if (shown < words.size()) out += "... and " + std::to_string(words.size() - shown) + " more\n";
  return out;
}

// SIGINT and SIGWINCH wait while this lives.
struct SignalsBlocked {
  sigset_t before;
  SignalsBlocked() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGWINCH);
    ::pthread_sigmask(SIG_BLOCK, &set, &before);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
};

}  // namespace

struct LineEditor::Impl {
  const Library* library = Load();
  EditLine* edit = nullptr;
  History* history = nullptr;
  std::string history_file, prompt;
  Suggest suggest;

  static Impl* Of(EditLine* e) {
    void* data = nullptr;
    Load()->get(e, EL_CLIENTDATA, &data);
    return static_cast<Impl*>(data);
  }
  static char* Prompt(EditLine* e) { return Of(e)->prompt.data(); }

  // One character, waiting with SIGINT and SIGWINCH let in: Read blocks them, so neither can come
  // between a look at the flags and the wait, where it would be lost until the next key. The
  // terminal keeps its input at a signal (noflsh), so what poll saw is there to read.
  static int GetChar(EditLine*, wchar_t* out) {
    sigset_t waiting;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &waiting);
    ::sigdelset(&waiting, SIGINT);
    ::sigdelset(&waiting, SIGWINCH);
    std::mbstate_t state{};
    for (;;) {
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::ppoll(&input, 1, nullptr, &waiting) < 0) return -1;  // EINTR: Read looks at the flags
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n <= 0) return static_cast<int>(n);
      const std::size_t used = std::mbrtowc(out, &byte, 1, &state);
      if (used == static_cast<std::size_t>(-2)) continue;  // the character goes on
      if (used == static_cast<std::size_t>(-1)) state = {};  // not a character: dropped
      else return 1;
    }
  }

  static unsigned char OnTab(EditLine* e, int) {
    Impl* const self = Of(e);
    const LineInfo* const line = self->library->line(e);
    const std::string before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const Suggestion found = self->suggest(before);
    if (found.words.empty() || found.start > before.size()) return CC_REFRESH_BEEP;
    const std::string typed = before.substr(found.start);
    std::string common = found.words[0];
    for (const std::string& w : found.words) {
      const auto differ = std::mismatch(common.begin(), common.end(), w.begin(), w.end()).first;
      common.erase(differ, common.end());
    }
    while (!common.empty() && (static_cast<unsigned char>(common.back()) & 0xc0) == 0x80 && promql::SafeText(common) != common) common.pop_back();  // not half a character
    if (common.size() > typed.size()) {
      if (self->library->insertstr(e, common.c_str() + typed.size()) == 0) return CC_REFRESH;
      return CC_REFRESH_BEEP;
    }
    if (found.words.size() == 1) return CC_REFRESH;
    const std::string list = Columns(found.words);
    (void)!::write(STDOUT_FILENO, list.data(), list.size());
    return CC_REDISPLAY;
  }
};

LineEditor::LineEditor(std::string history_file, Suggest suggest) : impl_(std::make_unique<Impl>()) {
  impl_->history_file = std::move(history_file);
  impl_->suggest = std::move(suggest);
  const Library* const l = impl_->library;
  if (l == nullptr || ::isatty(STDIN_FILENO) == 0) return;
  // Characters of more than a byte; the C locale would show them as octal numbers.
  const char* const locale = std::setlocale(LC_CTYPE, "");
  if (locale == nullptr || std::string_view(locale) == "C" || std::string_view(locale) == "POSIX") std::setlocale(LC_CTYPE, "C.UTF-8");
  impl_->edit = l->init("promql", stdin, stdout, stderr);
  if (impl_->edit == nullptr) return;
  impl_->history = l->history_init();
  HistEvent event;
  l->history(impl_->history, &event, H_SETSIZE, kMostHistory);
  l->history(impl_->history, &event, H_SETUNIQUE, 1);
  if (!impl_->history_file.empty()) l->history(impl_->history, &event, H_LOAD, impl_->history_file.c_str());
  l->set(impl_->edit, EL_CLIENTDATA, impl_.get());
  l->set(impl_->edit, EL_PROMPT, &Impl::Prompt);
  l->set(impl_->edit, EL_GETCFN, &Impl::GetChar);
  l->set(impl_->edit, EL_SETTY, "-d", "+noflsh", nullptr);
  l->set(impl_->edit, EL_EDITOR, "emacs");
  l->set(impl_->edit, EL_HIST, l->history, impl_->history);
  l->set(impl_->edit, EL_ADDFN, "complete", "complete the word", &Impl::OnTab);
  l->set(impl_->edit, EL_BIND, "^I", "complete", nullptr);
  l->set(impl_->edit, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  l->source(impl_->edit, nullptr);  // ~/.editrc
}

LineEditor::~LineEditor() {
  if (impl_->edit == nullptr) return;
  HistEvent event;
  if (!impl_->history_file.empty()) {
    const mode_t before = ::umask(077);
    impl_->library->history(impl_->history, &event, H_SAVE, impl_->history_file.c_str());
    ::umask(before);
  }
  impl_->library->end(impl_->edit);
  impl_->library->history_end(impl_->history);
}

bool LineEditor::has_editing() const { return impl_->edit != nullptr; }

LineEditor::End LineEditor::Read(const std::string& prompt, std::string* line) {
  line->clear();
  if (impl_->edit == nullptr) {
    if (::isatty(STDIN_FILENO) != 0) {
      std::fputs(prompt.c_str(), stdout);
      std::fflush(stdout);
    }
    for (int c; (c = std::getc(stdin)) != EOF;) {
      if (c == '\n') return End::kLine;
      *line += static_cast<char>(c);
    }
    if (std::ferror(stdin) != 0 && errno == EINTR) {
      std::clearerr(stdin);
      return End::kInterrupted;
    }
    return line->empty() ? End::kEof : End::kLine;
  }
  impl_->prompt = prompt;
  const SignalsBlocked blocked;
  if (SignalFlags::resized.exchange(false)) impl_->library->resize(impl_->edit);
  for (;;) {
    int size = 0;
    errno = 0;
    const char* const text = impl_->library->gets(impl_->edit, &size);
    if (text != nullptr && size > 0) {
      line->assign(text, static_cast<std::size_t>(size));
      while (!line->empty() && (line->back() == '\n' || line->back() == '\r')) line->pop_back();
      return End::kLine;
    }
    if (SignalFlags::stop) return End::kInterrupted;
    if (SignalFlags::resized.exchange(false)) {
      impl_->library->resize(impl_->edit);
      continue;
    }
    return End::kEof;
  }
}

void LineEditor::AddHistory(const std::string& line) {
  if (impl_->edit == nullptr || line.empty()) return;
  std::string one = line;
  std::replace(one.begin(), one.end(), '\n', ' ');
  HistEvent event;
  impl_->library->history(impl_->history, &event, H_ENTER, one.c_str());
}

std::string HistoryFile() {
  const char* const state = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  std::string dir;
  if (state != nullptr && *state == '/') dir = state;
  else if (home != nullptr && *home == '/') dir = JoinPath(home, ".local/state");
  else return {};
  dir = JoinPath(dir, "promkit");
  if (!MakeDirs(SystemIo(), dir)) return {};
  return JoinPath(dir, "promql_history");
}

}  // namespace prom::cli

// A line from a person, with editing, history and completion: libedit, loaded when the
// first line is wanted and not when the program starts. Without the library, plain lines.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prom::cli {

struct Suggestion {
  std::size_t start = 0;  // byte of the line where the word begins
  std::vector<std::string> words;
};

class LineEditor {
 public:
  using Suggest = std::function<Suggestion(std::string_view before_cursor)>;
  // History is read from the file, if there is one, and kept in it (0600, at most 2,000 lines). Empty: none.
  LineEditor(std::string history_file, Suggest suggest);
  ~LineEditor();
  enum class End { kLine, kInterrupted, kEof };
  // The next line without its newline.
  End Read(const std::string& prompt, std::string* line);
  void AddHistory(const std::string& line);
  bool has_editing() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// $XDG_STATE_HOME/promkit/promql_history, else below ~/.local/state; directories are made. Empty: no home.
std::string HistoryFile();

}  // namespace prom::cli

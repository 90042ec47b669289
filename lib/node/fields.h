// Walks the text of /proc and /sys files: lines, and fields between blanks.
// Views into the text given; nothing is copied. Any bytes are fine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/number.h"
#include "base/result.h"
#include "base/strings.h"

namespace prom::node {

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  // False at the end. A last line without newline counts.
  bool Next(std::string_view* line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    *line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    return true;
  }
  int number() const { return number_; }  // of the line returned last, from 1

 private:
  std::string_view rest_;
  int number_ = 0;
};

class Fields {
 public:
  explicit Fields(std::string_view line) : rest_(line) {}
  // The next field, empty when there is none.
  std::string_view Next() {
    std::size_t begin = 0;
    while (begin < rest_.size() && IsBlank(rest_[begin])) ++begin;
    std::size_t end = begin;
    while (end < rest_.size() && !IsBlank(rest_[end])) ++end;
    const std::string_view field = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    return field;
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }
  std::string_view rest_;
};

// Collects the first thing wrong with a file while the good lines are kept: one
// strange line must not cost the others (upstream drops the whole file).
class LineErrors {
 public:
  void Bad(int line, std::string_view what, std::string_view text) {
    if (!message_.empty()) return;
    message_ = std::to_string(line) + ": " + std::string(what) + " " + Quote(text.substr(0, 80));
  }
  Result<void> Take() && {
    if (message_.empty()) return {};
    return Error{Errc::kCorrupt, std::move(message_)};
  }

 private:
  std::string message_;
};

}  // namespace prom::node

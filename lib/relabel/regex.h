// The regexes of relabel rules: Go's syntax, anchored as ^(?s:RE)$, with ways
// around RE2 for what most rules are: the default (.*), literals and lists of them.
// Immutable; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::relabel {

class Regex {
 public:
  // kInvalid: "error parsing regexp: missing closing ): `^(?s:a(b)$`".
  static Result<Regex> Compile(std::string_view text);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  bool Matches(std::string_view s) const;
  // The first match and its groups, groups[0] the whole; at most `groups.size()` are
  // filled, those that took no part with a null data(). False: no match.
  bool Find(std::string_view s, std::size_t start, std::vector<std::string_view>* groups) const;
  // Number of a named group, -1 when there is none.
  int GroupNumber(std::string_view name) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A replacement with $1, ${1}, $name and $$, as Go's Regexp.Expand reads it.
class Template {
 public:
  Template() = default;
  Template(std::string_view text, const Regex& regex);
  bool has_variables() const { return variables_; }
  int max_group() const { return max_group_; }
  void Expand(const std::vector<std::string_view>& groups, std::string* out) const;

 private:
  struct Piece {
    std::string literal;
    int group = -1;  // -1: the literal
  };
  std::vector<Piece> pieces_;
  bool variables_ = false;
  int max_group_ = 0;
};

}  // namespace prom::relabel

// Matcher: one condition on a label (=, !=, =~, !~). Regexes are RE2, anchored,
// dot matches newline: ^(?s:RE)$. An absent label matches as the empty string.
// Immutable; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace prom {

class CompiledRegex;  // an RE2 plus what could be read off its text

class Matcher {
 public:
  enum class Type { kEqual, kNotEqual, kRegex, kNotRegex };

  Matcher() = default;
  // kInvalid: the regex does not compile, is over 16 KiB or needs over 8 MB.
  static Result<Matcher> Make(Type type, std::string_view name, std::string_view value);
  static Matcher Equal(std::string_view name, std::string_view value);  // cannot fail

  bool Matches(std::string_view value) const;
  bool MatchesEmpty() const { return Matches({}); }

  Type type() const { return type_; }
  const std::string& name() const { return name_; }
  const std::string& value() const { return value_; }

  // What the index can use instead of running the regex on every value.
  // Values that the positive form (= or =~) accepts, when it is a finite set: sorted, unique. Empty otherwise.
  const std::vector<std::string>& set_matches() const;
  // A literal that every accepted value of the positive form starts with; may be empty.
  std::string_view prefix() const;

  // name="value" with Go quoting, as the printer of PromQL writes it.
  std::string ToString() const;
  friend bool operator==(const Matcher& a, const Matcher& b) { return a.type_ == b.type_ && a.name_ == b.name_ && a.value_ == b.value_; }

 private:
  Type type_ = Type::kEqual;
  std::string name_, value_;
  std::shared_ptr<const CompiledRegex> regex_;
};

using Matchers = std::vector<Matcher>;

// Go's words for a regex that RE2 refuses, which users know from upstream's
// messages: "error parsing regexp: missing closing ): `a(b`". The code is an
// RE2::ErrorCode, the argument RE2::error_arg().
std::string RegexErrorText(int re2_error_code, std::string_view argument);

}  // namespace prom

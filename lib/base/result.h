// Errors as values. Ordinary failures (a dead target, a torn file, malformed
// input) are returned, not thrown; [[nodiscard]] makes a dropped one a warning.
//
// Result<T> is spelled like std::expected, so that a later move is a rename.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace prom {

enum class Errc {
  kInvalid,      // bad input of a caller: flag, expression, configuration
  kNotFound,     // no such file, series, block
  kCorrupt,      // bytes that break a format's rules
  kUnsupported,  // a newer format version, an encoding we do not read
  kIo,           // a system call failed; the message names it
  kNoSpace,      // ENOSPC, EDQUOT or a limit on size
  kLimit,        // a limit on samples, memory, depth, series
  kTimeout,
  kCanceled,
  kUnavailable,  // the other side is away; trying again may help
  kInternal,
};

struct [[nodiscard]] Error {
  Errc code = Errc::kInternal;
  std::string message;

  // The same error with context in front: "rules.yml:14: " + message.
  Error Wrap(std::string_view context) const {
    return {code, std::string(context) + message};
  }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  template <typename U>
    requires(std::is_convertible_v<U, T> && !std::is_same_v<std::decay_t<U>, T> &&
             !std::is_same_v<std::decay_t<U>, Error> && !std::is_same_v<std::decay_t<U>, Result<T>>)
  Result(U&& value) : state_(std::in_place_index<0>, T(std::forward<U>(value))) {}

  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& value() {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  Error& error() {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }
  const Error& error() const {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  explicit operator bool() const { return !error_; }
  bool has_value() const { return !error_; }
  void operator*() const { assert(!error_); }
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

// Exit codes, the same for every tool: 0 done; 1 failed while running; 2 bad
// usage or configuration (a restart cannot help); 3 data is corrupt.
inline int ExitCode(Errc code) {
  switch (code) {
    case Errc::kInvalid: return 2;
    case Errc::kCorrupt: return 3;
    default: return 1;
  }
}

}  // namespace prom

#define PROM_CONCAT_INNER(a, b) a##b
#define PROM_CONCAT(a, b) PROM_CONCAT_INNER(a, b)

// PROM_TRY(call): returns the call's error from the enclosing function.
#define PROM_TRY(call)                                         \
  do {                                                         \
    if (auto prom_done = (call); !prom_done) return std::move(prom_done.error()); \
  } while (0)

// PROM_ASSIGN(auto x, call): x = the call's value, or returns its error.
#define PROM_ASSIGN(decl, call) PROM_ASSIGN_IMPL(PROM_CONCAT(prom_result_, __LINE__), decl, call)
#define PROM_ASSIGN_IMPL(tmp, decl, call) \
  auto tmp = (call);                      \
  if (!tmp) return std::move(tmp.error()); \
  decl = std::move(*tmp)

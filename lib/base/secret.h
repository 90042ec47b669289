// Secret: a password, token or key. It prints as <secret> and only value()
// gives the text, so that a leak is visible at the place that makes it.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace prom {

inline constexpr std::string_view kSecretMask = "<secret>";

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  bool empty() const { return value_.empty(); }
  const std::string& value() const { return value_; }  // for the wire only
  // What may be shown: the mask, or nothing when there is no secret.
  std::string_view masked() const { return empty() ? std::string_view() : kSecretMask; }
  friend std::ostream& operator<<(std::ostream& out, const Secret& s) { return out << s.masked(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace prom

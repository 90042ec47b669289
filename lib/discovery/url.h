// URLs of configuration files, read with the rules and error texts of Go's net/url.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace prom::yaml {
class Node;
}

namespace prom::discovery {

struct Url {
  std::string text;    // as written
  std::string scheme;  // lower case
  std::string user;    // before '@', without the password
  bool has_password = false;
  std::string host;    // with the port, if any
  std::string rest;    // path, query and fragment, as written

  bool empty() const { return text.empty(); }
  std::string Redacted() const;  // a password shows as xxxxx
  friend bool operator==(const Url&, const Url&) = default;
};

// kInvalid: `parse "x": missing protocol scheme` and the like.
Result<Url> ParseUrl(std::string_view text);
Result<void> Decode(const yaml::Node& node, Url* out);

}  // namespace prom::discovery

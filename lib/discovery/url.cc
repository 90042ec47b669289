#include "discovery/url.h"

#include "base/strings.h"
#include "yaml/yaml.h"

namespace prom::discovery {

namespace {

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A password in the text does not get into the message.
Error Fail(std::string_view text, const std::string& reason) {
  std::string shown(text);
  const std::size_t slashes = shown.find("//"), at = shown.rfind('@');
  if (slashes != std::string::npos && at != std::string::npos) {
    const std::size_t colon = shown.find(':', slashes + 2);
    if (colon < at) shown.replace(colon + 1, at - colon - 1, "xxxxx");
  }
  return {Errc::kInvalid, "parse " + Quote(shown) + ": " + reason};
}

// The first broken %-escape, or nothing.
std::string_view BadEscape(std::string_view s) {
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '%') continue;
    if (i + 2 >= s.size() || !IsHex(s[i + 1]) || !IsHex(s[i + 2])) return s.substr(i, 3);
    i += 2;
  }
  return {};
}

// ":" and digits, or nothing.
bool IsOptionalPort(std::string_view s) {
  if (s.empty()) return true;
  if (s[0] != ':') return false;
  for (const char c : s.substr(1))
    if (!IsDigit(c)) return false;
  return true;
}

// Why a host (with port) is not one; empty when it is.
std::string BadHost(std::string_view host) {
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.rfind(']');
    if (end == std::string_view::npos) return "missing ']' in host";
    port = host.substr(end + 1);
    if (!IsOptionalPort(port)) return "invalid port " + Quote(port) + " after host";
    return {};
  }
  if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    port = host.substr(colon);
    if (!IsOptionalPort(port)) return "invalid port " + Quote(port) + " after host";
  }
  if (const auto bad = BadEscape(host); !bad.empty()) return "invalid URL escape " + Quote(bad);
  for (const char c : host)
    if (c == ' ' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' || c == '|' || c == '}')
      return "invalid character " + Quote(std::string_view(&c, 1)) + " in host name";
  return {};
}

}  // namespace

Result<Url> ParseUrl(std::string_view text) {
  Url url;
  url.text = text;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return Fail(text, "net/url: invalid control character in URL");
  std::string_view rest = text.substr(0, text.find('#'));
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (IsAlpha(c) || (i > 0 && (IsDigit(c) || c == '+' || c == '-' || c == '.'))) continue;
    if (c != ':') break;
    if (i == 0) return Fail(text, "missing protocol scheme");
    url.scheme = ToLower(rest.substr(0, i));
    rest.remove_prefix(i + 1);
    break;
  }
  if (!rest.starts_with('/')) {
    if (!url.scheme.empty()) {  // opaque, like mailto:x or localhost:9090
      url.rest = rest;
      return url;
    }
    const std::string_view path = rest.substr(0, rest.find('?'));
    if (path.substr(0, path.find('/')).find(':') != std::string_view::npos)
      return Fail(text, "first path segment in URL cannot contain colon");
  }
  if (rest.starts_with("//") && (!url.scheme.empty() || !rest.starts_with("///"))) {
    rest.remove_prefix(2);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
      const std::string_view user = authority.substr(0, at);
      for (const char c : user)
        if (!IsAlpha(c) && !IsDigit(c) && std::string_view("-._:~!$&'()*+,;=%@").find(c) == std::string_view::npos)
          return Fail(text, "net/url: invalid userinfo");
      if (const auto bad = BadEscape(user); !bad.empty()) return Fail(text, "invalid URL escape " + Quote(bad));
      url.has_password = user.find(':') != std::string_view::npos;
      url.user = user.substr(0, user.find(':'));
      authority.remove_prefix(at + 1);
    }
    if (const std::string bad = BadHost(authority); !bad.empty()) return Fail(text, bad);
    url.host = authority;
  }
  if (const auto bad = BadEscape(rest.substr(0, rest.find('?'))); !bad.empty()) return Fail(text, "invalid URL escape " + Quote(bad));
  url.rest = text.substr(static_cast<std::size_t>(rest.data() - text.data()));
  return url;
}

std::string Url::Redacted() const {
  if (!has_password) return text;
  std::string out = scheme.empty() ? "//" : scheme + "://";
  return out + user + ":xxxxx@" + host + rest;
}

Result<void> Decode(const yaml::Node& node, Url* out) {
  std::string text;
  PROM_TRY(yaml::Decode(node, &text));
  auto url = ParseUrl(text);
  if (!url) return node.At(url.error().message);
  *out = std::move(*url);
  return {};
}

}  // namespace prom::discovery

// The header is read as Go's mime.ParseMediaType reads it (RFC 2045, RFC 2616), so
// that what upstream refuses is refused, and for the same reason.
#include "exposition/content_type.h"

#include <map>
#include <optional>

#include "base/strings.h"

namespace prom {
namespace {

bool IsTokenByte(char c) {
  return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

std::string_view TakeToken(std::string_view* s) {
  std::size_t n = 0;
  while (n < s->size() && IsTokenByte((*s)[n])) ++n;
  const auto token = s->substr(0, n);
  s->remove_prefix(n);
  return token;
}

std::string_view TrimLeft(std::string_view s) {
  while (!s.empty() && (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r'))) s.remove_prefix(1);
  return s;
}

// A token or a quoted string. nullopt: neither.
std::optional<std::string> TakeValue(std::string_view* s) {
  if (s->empty() || (*s)[0] != '"') {
    const auto token = TakeToken(s);
    return token.empty() ? std::nullopt : std::optional<std::string>(token);
  }
  std::string value;
  for (std::size_t i = 1; i < s->size(); ++i) {
    const char c = (*s)[i];
    if (c == '"') {
      s->remove_prefix(i + 1);
      return value;
    }
    if (c == '\r' || c == '\n') break;
    // A backslash escapes what is not part of a token; before a token's byte it is a file path's.
    if (c == '\\' && i + 1 < s->size() && !IsTokenByte((*s)[i + 1])) {
      value += (*s)[++i];
    } else {
      value += c;
    }
  }
  return std::nullopt;
}

// The media type in lower case, or Go's error text.
Result<std::string> ParseMediaType(std::string_view header) {
  const auto invalid = [](const char* text) { return Error{Errc::kInvalid, text}; };
  const std::size_t semicolon = std::min(header.find(';'), header.size());
  const std::string type = ToLower(TrimSpace(header.substr(0, semicolon)));
  std::string_view rest = type;
  if (TakeToken(&rest).empty()) return invalid("mime: no media type");
  if (!rest.empty()) {
    if (rest[0] != '/') return invalid("mime: expected slash after first token");
    rest.remove_prefix(1);
    if (TakeToken(&rest).empty()) return invalid("mime: expected token after slash");
    if (!rest.empty()) return invalid("mime: unexpected content after media subtype");
  }
  std::map<std::string, std::string> parameters;
  rest = header.substr(semicolon);
  for (;;) {
    rest = TrimLeft(rest);
    if (rest.empty()) return type;
    const auto before = rest;
    std::string key;
    std::optional<std::string> value;
    if (rest[0] == ';') {
      rest = TrimLeft(rest.substr(1));
      key = ToLower(TakeToken(&rest));
      rest = TrimLeft(rest);
      if (!key.empty() && !rest.empty() && rest[0] == '=') {
        rest = TrimLeft(rest.substr(1));
        value = TakeValue(&rest);
      }
    }
    if (!value) {
      if (TrimSpace(before) == ";") return type;  // a semicolon may trail
      return invalid("mime: invalid media parameter");
    }
    const auto [it, is_new] = parameters.emplace(key, *value);
    if (!is_new && it->second != *value) return invalid("mime: duplicate parameter name");
  }
}

Result<FormatChoice> FormatOf(std::string_view media_type, std::string warning) {
  if (media_type == "application/openmetrics-text") return FormatChoice{ScrapeFormat::kOpenMetricsText, std::move(warning)};
  if (media_type == "application/vnd.google.protobuf") return FormatChoice{ScrapeFormat::kProtobuf, std::move(warning)};
  if (media_type == "text/plain") return FormatChoice{ScrapeFormat::kPrometheusText, std::move(warning)};
  return Error{Errc::kInvalid, std::move(warning)};
}

}  // namespace

Result<FormatChoice> ChooseFormat(std::string_view content_type, std::string_view fallback) {
  const std::string quoted = Quote(content_type);
  const std::string using_fallback = ", using fallback_scrape_protocol " + Quote(fallback);
  if (content_type.empty()) {
    const std::string blank = "non-compliant scrape target sending blank Content-Type";
    if (fallback.empty()) return Error{Errc::kInvalid, blank + " and no fallback_scrape_protocol specified for target"};
    return FormatOf(fallback, blank + using_fallback);
  }
  const auto type = ParseMediaType(content_type);
  if (!type) {
    if (fallback.empty()) {
      return Error{Errc::kInvalid, "cannot parse Content-Type " + quoted + " and no fallback_scrape_protocol for target\n" + type.error().message};
    }
    return FormatOf(fallback, "could not parse received Content-Type " + quoted + using_fallback + "\n" + type.error().message);
  }
  if (auto known = FormatOf(*type, {})) return known;
  const std::string unsupported = "received unsupported Content-Type " + quoted;
  if (fallback.empty()) return Error{Errc::kInvalid, unsupported + " and no fallback_scrape_protocol specified for target"};
  return FormatOf(fallback, unsupported + using_fallback);
}

}  // namespace prom

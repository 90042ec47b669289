#include "node/http_request.h"

#include "base/number.h"
#include "base/strings.h"

namespace prom::node {
namespace {

// tchar of RFC 9110.
bool IsToken(std::string_view s) {
  if (s.empty()) return false;
  for (char c : s) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alnum && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
  }
  return true;
}

// No control characters but, where allowed, the tab.
bool IsClean(std::string_view s, bool tab) {
  for (unsigned char c : s)
    if ((c < 0x20 && !(tab && c == '\t')) || c == 0x7f) return false;
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool ParseTarget(std::string_view target, HttpRequest* out) {
  // What a proxy sends: http://host/path. The host is not ours to judge.
  if (target.starts_with("http://")) {
    const std::size_t slash = target.find('/', 7);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (!target.starts_with('/') || !IsClean(target, false)) return false;
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) out->query = target.substr(question + 1);
  return PercentDecode(target.substr(0, question), false, &out->path);
}

// Whether a comma-separated header value has this token.
bool HasToken(std::string_view value, std::string_view token) {
  for (std::string_view part : Split(value, ','))
    if (EqualIgnoreCase(TrimSpace(part), token)) return true;
  return false;
}

}  // namespace

std::string_view HttpRequest::Header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers)
    if (name == lower_name) return value;
  return {};
}

bool HttpRequest::AcceptsGzip() const {
  for (const auto& [name, value] : headers) {
    if (name != "accept-encoding") continue;
    for (std::string_view part : Split(value, ',')) {
      const std::size_t semicolon = part.find(';');
      const std::string_view coding = TrimSpace(part.substr(0, semicolon));
      if (!EqualIgnoreCase(coding, "gzip") && coding != "*") continue;
      if (semicolon == std::string_view::npos) return true;
      const std::string_view parameter = TrimSpace(part.substr(semicolon + 1));
      const auto q = parameter.starts_with("q=") ? ParseFloat(parameter.substr(2)) : std::nullopt;
      return !q || *q > 0;
    }
  }
  return false;
}

std::vector<std::string> HttpRequest::Query(std::string_view name) const {
  std::vector<std::string> values;
  for (std::string_view pair : Split(query, '&')) {
    const std::size_t equals = pair.find('=');
    std::string key, value;
    if (!PercentDecode(pair.substr(0, equals), true, &key) || key != name) continue;
    if (equals != std::string_view::npos && !PercentDecode(pair.substr(equals + 1), true, &value)) continue;
    values.push_back(std::move(value));
  }
  return values;
}

std::size_t FindHeadEnd(std::string_view bytes) {
  const std::size_t at = bytes.find("\r\n\r\n");
  return at == std::string_view::npos ? at : at + 4;
}

int ParseHttpRequest(std::string_view head, HttpRequest* out) {
  *out = {};
  const auto next_line = [&head](std::string_view* line) {
    const std::size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return false;
    *line = head.substr(0, end);
    head.remove_prefix(end + 2);
    return true;
  };
  std::string_view line;
  if (!next_line(&line)) return 400;
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  const std::string_view method = line.substr(0, first), version = line.substr(last + 1);
  if (!IsToken(method) || !version.starts_with("HTTP/")) return 400;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return 505;
  if (method != "GET" && method != "HEAD") return 405;
  out->method = method;
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.find(' ') != std::string_view::npos || !ParseTarget(target, out)) return 400;

  int hosts = 0;
  out->keep_alive = version == "HTTP/1.1";
  while (next_line(&line) && !line.empty()) {
    if (out->headers.size() >= kMaxHeaders) return 431;
    const std::size_t colon = line.find(':');
    // A blank before the colon or in front (folding) hides a header from others that read this.
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return 400;
    const std::string_view value = TrimSpace(line.substr(colon + 1));
    if (!IsClean(value, true)) return 400;
    std::string name = ToLower(line.substr(0, colon));
    if (name == "host") ++hosts;
    if (name == "connection") {
      if (HasToken(value, "close")) out->keep_alive = false;
      if (version == "HTTP/1.0" && HasToken(value, "keep-alive")) out->keep_alive = true;
    }
    if (name == "transfer-encoding" || (name == "content-length" && value != "0")) out->has_body = true;
    out->headers.emplace_back(std::move(name), value);
  }
  if (hosts > 1 || (hosts == 0 && version == "HTTP/1.1")) return 400;
  if (out->has_body) out->keep_alive = false;
  return 0;
}

bool PercentDecode(std::string_view s, bool plus_is_blank, std::string* out) {
  out->clear();
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '%') {
      if (i + 2 >= s.size()) return false;
      const int high = HexDigit(s[i + 1]), low = HexDigit(s[i + 2]);
      if (high < 0 || low < 0) return false;
      out->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out->push_back(plus_is_blank && s[i] == '+' ? ' ' : s[i]);
    }
  }
  return true;
}

}  // namespace prom::node

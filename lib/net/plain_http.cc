#include "net/plain_http.h"

#include <algorithm>

#include "base/number.h"
#include "base/strings.h"
#include "net/fetch_loop.h"

namespace prom::net {
namespace {

bool IsVisible(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c > ' ' && c < 0x7f; });
}
bool IsFieldText(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return (c >= ' ' && c != 0x7f) || c == '\t' || static_cast<signed char>(c) < 0; });
}

}  // namespace

std::optional<PlainRequest> MakePlainRequest(const FetchRequest& r) {
  constexpr std::string_view kScheme = "http://";
  if (!r.url.starts_with(kScheme) || !r.post_form.empty() || !r.unix_socket.empty() || !r.proxy_url.empty() || r.proxy_from_environment || !r.username.empty() || !r.password.empty()) return std::nullopt;
  const std::string_view rest = std::string_view(r.url).substr(kScheme.size());
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end), target = rest.substr(end);
  // Credentials, fragments and dots in paths have rules of their own.
  if (authority.empty() || authority.find('@') != std::string_view::npos || !IsVisible(rest) || target.find('#') != std::string_view::npos || target.find("/.") != std::string_view::npos)
    return std::nullopt;
  PlainRequest out;
  out.authority = authority;
  out.bytes = "GET ";
  if (!target.starts_with('/')) out.bytes += '/';
  out.bytes += target;
  out.bytes += " HTTP/1.1\r\nHost: ";
  out.bytes += authority.ends_with(":80") ? authority.substr(0, authority.size() - 3) : authority;
  for (const auto& [name, value] : r.headers) {
    for (const char* special : {"Host", "Connection", "Transfer-Encoding", "Content-Length", "Expect", "Upgrade", "Accept-Encoding"})
      if (EqualIgnoreCase(name, special)) return std::nullopt;
    if (name.empty() || !IsVisible(name) || name.find(':') != std::string::npos || !IsFieldText(value)) return std::nullopt;
    out.bytes += "\r\n" + name + ": " + value;
  }
  out.bytes += r.accept_gzip ? "\r\nAccept-Encoding: gzip\r\n\r\n" : "\r\nAccept-Encoding: identity\r\n\r\n";
  return out;
}

// pending_: the status line and fields, each with its line end.
bool PlainResponse::ReadHead() {
  std::string_view head = pending_;
  const auto take = [&] {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    return line;
  };
  const std::string_view first = take();
  if (first.size() < 12 || !first.starts_with("HTTP/1.1 ") || (first.size() > 12 && first[12] != ' ')) return false;
  const auto status = ParseUint64(first.substr(9, 3));
  if (!status || *status < 200 || (*status >= 300 && *status < 400) || *status == 204) return false;
  status_ = static_cast<int>(*status);
  bool chunked = false, sized = false;
  while (!head.empty()) {
    const std::string_view line = take();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[0] == ' ' || line[0] == '\t') return false;
    const std::string_view name = line.substr(0, colon), value = TrimSpace(line.substr(colon + 1));
    if (EqualIgnoreCase(name, "Content-Length")) {
      const auto length = ParseUint64(value);
      if (!length || (sized && *length != left_)) return false;
      sized = true;
      left_ = *length;
    } else if (EqualIgnoreCase(name, "Transfer-Encoding")) {
      if (chunked || !EqualIgnoreCase(value, "chunked")) return false;
      chunked = true;
    } else if (EqualIgnoreCase(name, "Connection")) {
      keep_ = EqualIgnoreCase(value, "keep-alive");
    } else if (EqualIgnoreCase(name, "Content-Encoding")) {
      gzip_ = EqualIgnoreCase(value, "gzip");
    } else if (EqualIgnoreCase(name, "Content-Type")) {
      content_type_ = value;
    }
  }
  if (chunked == sized) return false;  // neither, and its end is that of the connection; or both
  part_ = chunked ? Part::kChunkSize : Part::kSized;
  return true;
}

bool PlainResponse::ReadChunkSize(std::string_view line) {
  line = TrimSpace(line.substr(0, std::min(line.find(';'), line.size())));
  if (line.empty() || line.size() > 15) return false;
  left_ = 0;
  for (const char c : line) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return false;
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
  }
  return true;
}

bool PlainResponse::TakeLine(std::string_view* bytes, std::string* line) {
  const std::size_t newline = bytes->find('\n');
  pending_.append(bytes->substr(0, std::min(newline, bytes->size())));
  if (newline == std::string_view::npos) {
    *bytes = {};
    return false;
  }
  bytes->remove_prefix(newline + 1);
  line->swap(pending_);
  pending_.clear();
  if (line->ends_with('\r')) line->pop_back();
  return true;
}

}  // namespace prom::net

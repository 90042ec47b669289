#include "yaml/writer.h"

#include <cmath>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "yaml/yaml.h"

namespace prom::yaml {

namespace {

// May stand unquoted without being taken for syntax: conservative, a quote too many does no harm.
bool IsPlainSafe(std::string_view s) {
  if (s.empty() || s.front() == ' ' || s.back() == ' ') return false;
  if (std::string_view("!&*-?:,[]{}#|>@`\"'%=").find(s.front()) != std::string_view::npos) {
    // A dash, question mark or colon starts plain text when no space follows.
    const bool indicator = s.front() == '-' || s.front() == '?' || s.front() == ':';
    if (!indicator || s.size() == 1 || s[1] == ' ' || s.starts_with("---")) return false;
  }
  if (s.starts_with("...") || s == "<<") return false;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == '#' && i > 0 && s[i - 1] == ' ') return false;
    if (c == ':' && (i + 1 == s.size() || s[i + 1] == ' ')) return false;
    // Fine in block style, but not everywhere; quoting them is simpler than knowing where we are.
    if (c == ',' || c == '[' || c == ']' || c == '{' || c == '}') {
      if (c == ',' && i + 1 < s.size() && s[i + 1] != ' ') continue;
      if (c != ',') continue;
      return false;
    }
    // U+0080-9F, U+2028, U+2029, the byte order mark, U+FFFE and U+FFFF are breaks or not allowed.
    if (c == 0xc2 && i + 1 < s.size() && static_cast<unsigned char>(s[i + 1]) < 0xa0) return false;
    if (c == 0xe2 && s.substr(i, 2) == "\xe2\x80" && i + 2 < s.size() && (s[i + 2] == '\xa8' || s[i + 2] == '\xa9')) return false;
    if (c == 0xef && (s.substr(i, 3) == "\xef\xbb\xbf" || s.substr(i, 3) == "\xef\xbf\xbe" || s.substr(i, 3) == "\xef\xbf\xbf")) return false;
    if (c >= 0xf0) return false;
  }
  return true;
}

void AppendDoubleQuoted(std::string* out, std::string_view s) {
  *out += '"';
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      default:
        if (c < 0x20 || c == 0x7f) *out += StringPrintf("\\x%02x", c);
        else if (c == 0xc2 && i + 1 < s.size() && static_cast<unsigned char>(s[i + 1]) < 0xa0) *out += StringPrintf("\\x%02x", static_cast<unsigned char>(s[++i]));
        else if (c == 0xe2 && s.substr(i, 2) == "\xe2\x80" && i + 2 < s.size() && (s[i + 2] == '\xa8' || s[i + 2] == '\xa9')) {
          *out += s[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
          i += 2;
        } else if (c == 0xef && s.substr(i, 3) == "\xef\xbb\xbf") {
          *out += "\\uFEFF";
          i += 2;
        } else if (c == 0xef && (s.substr(i, 3) == "\xef\xbf\xbe" || s.substr(i, 3) == "\xef\xbf\xbf")) {
          *out += s[i + 2] == '\xbe' ? "\\uFFFE" : "\\uFFFF";
          i += 2;
        } else {
          *out += static_cast<char>(c);
        }
    }
  }
  *out += '"';
}

std::string Base64(std::string_view in) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < in.size(); i += 3) {
    const auto byte = [&](std::size_t k) { return i + k < in.size() ? static_cast<unsigned char>(in[i + k]) : 0u; };
    const unsigned bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kDigits[bits >> 18];
    out += kDigits[bits >> 12 & 63];
    out += i + 1 < in.size() ? kDigits[bits >> 6 & 63] : '=';
    out += i + 2 < in.size() ? kDigits[bits & 63] : '=';
  }
  return out;
}

}  // namespace

std::string QuoteScalar(std::string_view value) {
  if (!IsValidUtf8(value)) return "!!binary " + Base64(value);
  std::string out;
  if (ResolvePlain(value).type != Scalar::Type::kString) {
    AppendDoubleQuoted(&out, value);  // a string that would read as a number, a bool or null
  } else if (IsPlainSafe(value)) {
    out = value;
  } else {
    bool printable = true;
    for (const char c : value)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) printable = false;
    if (!printable) {
      AppendDoubleQuoted(&out, value);
    } else {
      out += '\'';
      for (const char c : value) {
        out += c;
        if (c == '\'') out += c;
      }
      out += '\'';
    }
  }
  return out;
}

void Writer::BeforeItem() {
  if (stack_.empty() || !stack_.back().list) return;
  Frame& frame = stack_.back();
  if (frame.empty && after_key_) *out_ += '\n';
  after_key_ = false;
  if (!(frame.empty && frame.after_dash)) out_->append(static_cast<std::size_t>(frame.indent), ' ');
  *out_ += "- ";
  frame.empty = false;
}

// The line break after a key is written with the first entry, so that an empty
// container can stand on the line of its key.
void Writer::Open(bool list) {
  Frame frame;
  frame.list = list;
  if (!stack_.empty()) {
    const Frame parent = stack_.back();
    if (parent.list) {
      // The first entry goes on the line of the dash.
      BeforeItem();
      frame.after_dash = true;
      frame.indent = parent.indent + 2;
    } else {
      frame.indent = list ? parent.indent : parent.indent + 2;
    }
  }
  stack_.push_back(frame);
}

Writer& Writer::BeginMap() {
  Open(false);
  after_key_ = stack_.size() > 1 && !stack_[stack_.size() - 2].list;
  return *this;
}
Writer& Writer::BeginList() {
  Open(true);
  after_key_ = stack_.size() > 1 && !stack_[stack_.size() - 2].list;
  return *this;
}

void Writer::Close(std::string_view when_empty) {
  const Frame frame = stack_.back();
  stack_.pop_back();
  if (frame.empty) {
    if (after_key_) *out_ += ' ';
    *out_ += when_empty;
    *out_ += '\n';
  }
  after_key_ = false;
}
Writer& Writer::EndMap() {
  Close("{}");
  return *this;
}
Writer& Writer::EndList() {
  Close("[]");
  return *this;
}

Writer& Writer::Key(std::string_view key) {
  Frame& frame = stack_.back();
  if (frame.empty) {
    if (after_key_) {
      *out_ += '\n';
      out_->append(static_cast<std::size_t>(frame.indent), ' ');
    } else if (!frame.after_dash) {
      out_->append(static_cast<std::size_t>(frame.indent), ' ');
    }
    frame.empty = false;
  } else {
    out_->append(static_cast<std::size_t>(frame.indent), ' ');
  }
  *out_ += QuoteScalar(key);
  *out_ += ':';
  after_key_ = true;
  return *this;
}

void Writer::Scalar(std::string_view text) {
  if (!stack_.empty() && stack_.back().list) {
    BeforeItem();
  } else if (after_key_) {
    *out_ += ' ';
  }
  after_key_ = false;
  *out_ += text;
  *out_ += '\n';
}

Writer& Writer::String(std::string_view value) {
  Scalar(QuoteScalar(value));
  return *this;
}
Writer& Writer::Secret(const prom::Secret& value) {
  Scalar(QuoteScalar(value.masked()));
  return *this;
}
Writer& Writer::Int(std::int64_t value) {
  Scalar(std::to_string(value));
  return *this;
}
Writer& Writer::Uint(std::uint64_t value) {
  Scalar(std::to_string(value));
  return *this;
}
Writer& Writer::Float(double value) {
  if (std::isnan(value)) Scalar(".nan");
  else if (std::isinf(value)) Scalar(value > 0 ? ".inf" : "-.inf");
  else Scalar(FormatFloatG(value));
  return *this;
}
Writer& Writer::Bool(bool value) {
  Scalar(value ? "true" : "false");
  return *this;
}
Writer& Writer::Raw(std::string_view yaml) {
  Scalar(yaml);
  return *this;
}
Writer& Writer::Duration(std::string_view key, std::int64_t ms) { return Key(key).String(FormatDuration(ms)); }
Writer& Writer::Strings(std::string_view key, const std::vector<std::string>& values) {
  Key(key).BeginList();
  for (const auto& value : values) String(value);
  return EndList();
}

}  // namespace prom::yaml

#include "base/json.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/number.h"
#include "base/strings.h"

namespace prom {

namespace {

// Sixteen bytes at a time; less at the end, overlapping what was copied before.
using Bytes16 = signed char __attribute__((vector_size(16)));
using Words2 = std::uint64_t __attribute__((vector_size(16)));

// Copies n bytes; true: all are ASCII that stands for itself in a JSON string.
bool CopyPlain(char* to, const char* from, std::size_t n) {
  const auto odd = [](Bytes16 v) { return (v < 0x20) | (v == '"') | (v == '\\'); };  // 0x80 and above are negative
  Bytes16 found = {};
  if (n >= 16) {
    const auto copy = [&](std::size_t i) {
      Bytes16 v;
      std::memcpy(&v, from + i, sizeof v);
      std::memcpy(to + i, &v, sizeof v);
      found |= odd(v);
    };
    for (std::size_t i = 0; i + 16 < n; i += 16) copy(i);
    copy(n - 16);
  } else {
    constexpr std::uint64_t kPlain = 0x7878787878787878;
    std::uint64_t low = kPlain, high = kPlain;
    if (n >= 8) {
      low = LoadLe<std::uint64_t>(from);
      high = LoadLe<std::uint64_t>(from + n - 8);
      StoreLe(to, low);
      StoreLe(to + n - 8, high);
    } else if (n >= 4) {
      const auto first = LoadLe<std::uint32_t>(from), last = LoadLe<std::uint32_t>(from + n - 4);
      low = std::uint64_t{last} << 32 | first;
      StoreLe(to, first);
      StoreLe(to + n - 4, last);
    } else {
      for (std::size_t i = 0; i < n; ++i) {
        to[i] = from[i];
        low = low << 8 | static_cast<unsigned char>(from[i]);
      }
    }
    found = odd(std::bit_cast<Bytes16>(Words2{low, high}));
  }
  const auto halves = std::bit_cast<Words2>(found);
  return (halves[0] | halves[1]) == 0;
}

}  // namespace

char* WritePlainJsonString(char* to, std::string_view s) {
  *to = '"';
  if (!CopyPlain(to + 1, s.data(), s.size())) return nullptr;
  to[1 + s.size()] = '"';
  return to + s.size() + 2;
}

void AppendJsonString(std::string* out, std::string_view s) {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::size_t at = out->size();
  out->resize(at + s.size() + 2, '"');
  if (WritePlainJsonString(out->data() + at, s) != nullptr) return;
  out->resize(at + 1);
  const bool valid = IsValidUtf8(s);
  std::size_t start = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || valid)) {
      // Line separators break JavaScript sources; Go escapes them.
      if (c != 0xe2 || s.substr(i, 3) < "\xe2\x80\xa8" || s.substr(i, 3) > "\xe2\x80\xa9") continue;
      out->append(s, start, i - start);
      *out += s[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
      start = i + 1;
      continue;
    }
    if (c >= 0x80) {  // some byte of s is not UTF-8: decide sequence by sequence
      std::size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
      if (c >= 0xc2 && i + n <= s.size() && IsValidUtf8(s.substr(i, n))) {
        i += n - 1;
        continue;
      }
      out->append(s, start, i - start);
      *out += "\xef\xbf\xbd";
      start = i + 1;
      continue;
    }
    out->append(s, start, i - start);
    start = i + 1;
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      case '\b': *out += "\\b"; break;
      case '\f': *out += "\\f"; break;
      default:
        *out += "\\u00";
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(s, start, s.size() - start);
  out->push_back('"');
}

void JsonWriter::Separate() {
  if (need_comma_) out_->push_back(',');
  need_comma_ = true;
}
JsonWriter& JsonWriter::BeginObject() {
  Separate();
  out_->push_back('{');
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndObject() {
  out_->push_back('}');
  need_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::BeginArray() {
  Separate();
  out_->push_back('[');
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::EndArray() {
  out_->push_back(']');
  need_comma_ = true;
  return *this;
}
JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendJsonString(out_, key);
  out_->push_back(':');
  need_comma_ = false;
  return *this;
}
JsonWriter& JsonWriter::String(std::string_view s) {
  Separate();
  AppendJsonString(out_, s);
  return *this;
}
namespace {
template <typename T>
void AppendNumber(std::string* out, T v) {
  char buffer[32];
  out->append(buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr);
}
}  // namespace
JsonWriter& JsonWriter::Int(std::int64_t v) {
  Separate();
  AppendNumber(out_, v);
  return *this;
}
JsonWriter& JsonWriter::Uint(std::uint64_t v) {
  Separate();
  AppendNumber(out_, v);
  return *this;
}
JsonWriter& JsonWriter::Float(double v) {
  if (!std::isfinite(v)) return String(FormatFloatJson(v));
  Separate();
  char buffer[kMaxFloatText];
  out_->append(buffer, WriteFloatJson(buffer, v));
  return *this;
}
JsonWriter& JsonWriter::Bool(bool v) { return Raw(v ? "true" : "false"); }
JsonWriter& JsonWriter::Null() { return Raw("null"); }
JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  *out_ += json;
  return *this;
}

JsonValue::JsonValue() = default;
JsonValue::~JsonValue() = default;
JsonValue::JsonValue(const JsonValue&) = default;
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue& JsonValue::operator=(const JsonValue&) = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;

const JsonValue* JsonValue::Find(std::string_view key) const {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}
std::string_view JsonValue::StringOr(std::string_view key, std::string_view fallback) const {
  const JsonValue* v = Find(key);
  return v != nullptr && v->kind == Kind::kString ? std::string_view(v->text) : fallback;
}
double JsonValue::NumberOr(std::string_view key, double fallback) const {
  const JsonValue* v = Find(key);
  return v != nullptr && v->kind == Kind::kNumber ? ParseFloat(v->text).value_or(fallback) : fallback;
}

namespace {

// Written by hand because numbers keep their text and errors name the byte;
// bulk JSON (imports, remote APIs) goes through simdjson where it is read.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}
  Result<JsonValue> Document() {
    JsonValue v;
    PROM_TRY(Value(&v, 0));
    Space();
    if (at_ != text_.size()) return Bad("unexpected text after the document");
    return v;
  }

 private:
  static constexpr int kMaxDepth = 100;
  Error Bad(std::string_view what) const { return {Errc::kCorrupt, "byte " + std::to_string(at_) + ": " + std::string(what)}; }
  void Space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }
  bool Take(char c) {
    if (at_ < text_.size() && text_[at_] == c) {
      ++at_;
      return true;
    }
    return false;
  }
  Result<void> Word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Bad("invalid JSON value");
    at_ += word.size();
    return {};
  }

  Result<void> Value(JsonValue* out, int depth) {
    if (depth > kMaxDepth) return Bad("nested more than 100 levels deep");
    Space();
    if (at_ == text_.size()) return Bad("unexpected end");
    const char c = text_[at_];
    if (c == '"') {
      out->kind = JsonValue::Kind::kString;
      return String(&out->text);
    }
    if (Take('{')) {
      out->kind = JsonValue::Kind::kObject;
      Space();
      if (Take('}')) return {};
      do {
        Space();
        auto& [key, value] = out->members.emplace_back();
        if (at_ == text_.size() || text_[at_] != '"') return Bad("expected a quoted key");
        PROM_TRY(String(&key));
        Space();
        if (!Take(':')) return Bad("expected ':'");
        PROM_TRY(Value(&value, depth + 1));
        Space();
      } while (Take(','));
      if (!Take('}')) return Bad("expected ',' or '}'");
      return {};
    }
    if (Take('[')) {
      out->kind = JsonValue::Kind::kArray;
      Space();
      if (Take(']')) return {};
      do {
        PROM_TRY(Value(&out->items.emplace_back(), depth + 1));
        Space();
      } while (Take(','));
      if (!Take(']')) return Bad("expected ',' or ']'");
      return {};
    }
    if (c == 't' || c == 'f') {
      out->kind = JsonValue::Kind::kBool;
      out->boolean = c == 't';
      return Word(c == 't' ? "true" : "false");
    }
    if (c == 'n') return Word("null");
    const std::size_t start = at_;
    while (at_ < text_.size() && std::string_view("+-.eE0123456789").find(text_[at_]) != std::string_view::npos) ++at_;
    out->kind = JsonValue::Kind::kNumber;
    out->text = text_.substr(start, at_ - start);
    double ignored;
    const char first = out->text.empty() ? 'x' : out->text[0];
    const auto done = std::from_chars(out->text.data(), out->text.data() + out->text.size(), ignored);
    if (first == '+' || first == '.' || first == 'x' || done.ptr != out->text.data() + out->text.size()) {
      at_ = start;
      return Bad("invalid JSON value");
    }
    return {};
  }

  Result<std::uint32_t> Hex4() {
    std::uint32_t v = 0;
    const char* p = text_.data() + at_;
    if (at_ + 4 > text_.size() || std::from_chars(p, p + 4, v, 16).ptr != p + 4) return Bad("bad \\u escape");
    at_ += 4;
    return v;
  }
  static void AppendUtf8(std::string* out, std::uint32_t cp) {
    if (cp < 0x80) {
      out->push_back(static_cast<char>(cp));
    } else if (cp < 0x800) {
      out->push_back(static_cast<char>(0xc0 | cp >> 6));
      out->push_back(static_cast<char>(0x80 | (cp & 63)));
    } else if (cp < 0x10000) {
      out->push_back(static_cast<char>(0xe0 | cp >> 12));
      out->push_back(static_cast<char>(0x80 | (cp >> 6 & 63)));
      out->push_back(static_cast<char>(0x80 | (cp & 63)));
    } else {
      out->push_back(static_cast<char>(0xf0 | cp >> 18));
      out->push_back(static_cast<char>(0x80 | (cp >> 12 & 63)));
      out->push_back(static_cast<char>(0x80 | (cp >> 6 & 63)));
      out->push_back(static_cast<char>(0x80 | (cp & 63)));
    }
  }
  Result<void> String(std::string* out) {
    ++at_;  // the quote
    for (;;) {
      if (at_ == text_.size()) return Bad("unterminated string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return {};
      }
      if (static_cast<unsigned char>(c) < 0x20) return Bad("control character in a string");
      if (c != '\\') {
        out->push_back(c);
        ++at_;
        continue;
      }
      if (++at_ == text_.size()) return Bad("unterminated string");
      const char escape = text_[at_++];
      switch (escape) {
        case '"': case '\\': case '/': out->push_back(escape); break;
        case 'b': out->push_back('\b'); break;
        case 'f': out->push_back('\f'); break;
        case 'n': out->push_back('\n'); break;
        case 'r': out->push_back('\r'); break;
        case 't': out->push_back('\t'); break;
        case 'u': {
          PROM_ASSIGN(std::uint32_t cp, Hex4());
          if (cp >= 0xd800 && cp < 0xdc00 && text_.substr(at_, 2) == "\\u") {
            at_ += 2;
            PROM_ASSIGN(const std::uint32_t low, Hex4());
            cp = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
          } else if (cp >= 0xd800 && cp < 0xe000) {
            cp = 0xfffd;
          }
          AppendUtf8(out, cp);
          break;
        }
        default: --at_; return Bad("bad escape in a string");
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<JsonValue> ParseJson(std::string_view text) { return Parser(text).Document(); }

}  // namespace prom

// A streaming JSON writer (commas and quoting are its business) and a small
// reader for documents of moderate size. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace prom {

// Appends `s` quoted as JSON; invalid UTF-8 becomes U+FFFD. Like Go's encoder
// with HTML escaping off.
void AppendJsonString(std::string* out, std::string_view s);
// The same into s.size() + 2 bytes at `to`, when no character of `s` is spelled with more bytes than it has; the end of
// what was written, or null (and anything in those bytes).
char* WritePlainJsonString(char* to, std::string_view s);

class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view s);
  JsonWriter& Int(std::int64_t v);
  JsonWriter& Uint(std::uint64_t v);
  JsonWriter& Float(double v);  // NaN and infinities as strings, as upstream's API does
  JsonWriter& Bool(bool v);
  JsonWriter& Null();
  JsonWriter& Raw(std::string_view json);  // an already written value
  // Key and value in one.
  JsonWriter& Field(std::string_view key, std::string_view value) { return Key(key).String(value); }
  JsonWriter& Field(std::string_view key, const char* value) { return Key(key).String(value); }
  JsonWriter& Field(std::string_view key, std::int64_t value) { return Key(key).Int(value); }
  JsonWriter& Field(std::string_view key, int value) { return Key(key).Int(value); }
  JsonWriter& Field(std::string_view key, std::uint64_t value) { return Key(key).Uint(value); }
  JsonWriter& Field(std::string_view key, double value) { return Key(key).Float(value); }
  JsonWriter& Field(std::string_view key, bool value) { return Key(key).Bool(value); }

 private:
  void Separate();
  std::string* out_;
  bool need_comma_ = false;
};

// A parsed document. Numbers keep their text, so that int64 and floats lose nothing.
class JsonValue {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  // Out of line: clang would need the type complete to write the destructor of `members` here.
  JsonValue();
  ~JsonValue();
  JsonValue(const JsonValue&);
  JsonValue(JsonValue&&) noexcept;
  JsonValue& operator=(const JsonValue&);
  JsonValue& operator=(JsonValue&&) noexcept;

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;  // of a string or a number
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;  // in file order

  const JsonValue* Find(std::string_view key) const;  // null when absent or not an object
  std::string_view StringOr(std::string_view key, std::string_view fallback) const;
  double NumberOr(std::string_view key, double fallback) const;
};

// kCorrupt with a byte offset; at most 100 levels deep.
Result<JsonValue> ParseJson(std::string_view text);

}  // namespace prom

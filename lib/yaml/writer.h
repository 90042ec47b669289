// Writes block style YAML, laid out and quoted so that go-yaml and Document read
// the same values back. The caller opens and closes; Writer indents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace prom::yaml {

class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) {}
  Writer& BeginMap();
  Writer& EndMap();
  Writer& BeginList();
  Writer& EndList();
  Writer& Key(std::string_view key);
  Writer& String(std::string_view value);
  Writer& Secret(const prom::Secret& value);  // the mask, never the text
  Writer& Int(std::int64_t value);
  Writer& Uint(std::uint64_t value);
  Writer& Float(double value);
  Writer& Bool(bool value);
  Writer& Raw(std::string_view yaml);  // one line of YAML flow style as it is

  // Key and value; the Opt forms write nothing for an empty value.
  Writer& Field(std::string_view key, std::string_view value) { return Key(key).String(value); }
  Writer& Opt(std::string_view key, std::string_view value) { return value.empty() ? *this : Field(key, value); }
  Writer& Opt(std::string_view key, const prom::Secret& value) { return value.empty() ? *this : Key(key).Secret(value); }
  Writer& OptInt(std::string_view key, std::int64_t value) { return value == 0 ? *this : Key(key).Int(value); }
  Writer& OptBool(std::string_view key, bool value) { return value ? Key(key).Bool(value) : *this; }
  Writer& OptFloat(std::string_view key, double value) { return value == 0 ? *this : Key(key).Float(value); }
  Writer& Duration(std::string_view key, std::int64_t ms);
  Writer& OptDuration(std::string_view key, std::int64_t ms) { return ms == 0 ? *this : Duration(key, ms); }
  Writer& Strings(std::string_view key, const std::vector<std::string>& values);
  Writer& OptStrings(std::string_view key, const std::vector<std::string>& values) { return values.empty() ? *this : Strings(key, values); }

 private:
  struct Frame {
    bool list = false;
    int indent = 0;
    bool empty = true;
    bool after_dash = false;  // opened as an item of a list: its first line continues the dash
  };
  void Open(bool list);
  void Close(std::string_view when_empty);
  void BeforeItem();             // indentation and dash of a list item
  void Scalar(std::string_view text);
  std::string* out_;
  std::vector<Frame> stack_;
  bool after_key_ = false;
};

// A value as one YAML scalar: plain where that reads back as the same string, else quoted.
std::string QuoteScalar(std::string_view value);

}  // namespace prom::yaml

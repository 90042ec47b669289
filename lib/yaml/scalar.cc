// What a scalar means, by the rules of go-yaml v2 (resolve.go): YAML 1.1 booleans
// (yes, on, y), 1.2 numbers plus 0b and underscores, no base 60.
#include <charconv>
#include <cmath>
#include <limits>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "yaml/yaml.h"

namespace prom::yaml {

namespace {

bool IsOneOf(std::string_view s, std::initializer_list<std::string_view> set) {
  for (const auto candidate : set)
    if (s == candidate) return true;
  return false;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// strconv.ParseInt(s, 0, 64) and ParseUint on text without underscores.
bool ParseGoInt(std::string_view s, Scalar* out) {
  bool negative = false, signed_text = false;
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) {
    negative = s[0] == '-';
    signed_text = true;
    s.remove_prefix(1);
  }
  int base = 10;
  if (s.size() > 1 && s[0] == '0') {
    const char c = static_cast<char>(s[1] | 0x20);
    if (c == 'x' || c == 'b' || c == 'o') {
      base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
      s.remove_prefix(2);
    } else {
      base = 8;
      s.remove_prefix(1);
    }
  }
  if (s.empty()) return false;
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (ec != std::errc() || end != s.data() + s.size()) return false;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (negative) {
    if (value > kMax + 1) return false;
    out->type = Scalar::Type::kInt;
    out->integer = static_cast<std::int64_t>(0 - value);
    return true;
  }
  if (value <= kMax) {
    out->type = Scalar::Type::kInt;
    out->integer = static_cast<std::int64_t>(value);
    return true;
  }
  if (signed_text) return false;  // ParseUint takes no sign
  out->type = Scalar::Type::kUint;
  out->unsigned_int = value;
  return true;
}

// ^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$
bool IsYamlFloat(std::string_view s) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < s.size() && IsDigit(s[i])) ++i;
    return i > start;
  };
  if (i < s.size() && (s[i] == '-' || s[i] == '+')) ++i;
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (!digits()) return false;
  } else {
    if (!digits()) return false;
    if (i < s.size() && s[i] == '.') {
      ++i;
      digits();
    }
  }
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    ++i;
    if (i < s.size() && (s[i] == '-' || s[i] == '+')) ++i;
    if (!digits()) return false;
  }
  return i == s.size();
}

bool ToFloat(std::string_view s, Scalar* out) {
  const auto value = ParseFloat(s);
  if (!value) return false;
  out->type = Scalar::Type::kFloat;
  out->number = *value;
  return true;
}

// A date alone or date and time: what go-yaml keeps as text but types as timestamp.
bool LooksLikeTimestamp(std::string_view s) {
  std::size_t i = 0;
  const auto field = [&](std::size_t min, std::size_t max) {
    const std::size_t start = i;
    while (i < s.size() && i - start < max && IsDigit(s[i])) ++i;
    return i - start >= min;
  };
  const auto one = [&](std::string_view set) { return i < s.size() && set.find(s[i]) != std::string_view::npos ? (++i, true) : false; };
  if (!field(4, 4) || !one("-") || !field(1, 2) || !one("-") || !field(1, 2)) return false;
  if (i == s.size()) return true;
  if (!one("Tt ") || !field(1, 2) || !one(":") || !field(1, 2) || !one(":") || !field(1, 2)) return false;
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (!field(1, 64)) return false;
  }
  if (i == s.size()) return true;
  if (one("Z")) return i == s.size();
  return one("+-") && field(2, 2) && one(":") && field(2, 2) && i == s.size();
}

constexpr std::int8_t Base64Value(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::int8_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::int8_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::int8_t>(c - '0' + 52);
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// base64.StdEncoding: padded, line breaks ignored.
bool DecodeBase64(std::string_view in, std::string* out) {
  std::uint32_t bits = 0;
  int count = 0, padding = 0;
  for (const char c : in) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const std::int8_t v = Base64Value(c);
    if (v < 0 || padding > 0) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(v);
    if (++count == 4) {
      *out += static_cast<char>(bits >> 16);
      *out += static_cast<char>(bits >> 8);
      *out += static_cast<char>(bits);
      bits = 0;
      count = 0;
    }
  }
  if (count == 0) return padding == 0;
  if (count == 1 || count + padding != 4) return false;
  if (count == 2) {
    *out += static_cast<char>(bits >> 4);
  } else {
    *out += static_cast<char>(bits >> 10);
    *out += static_cast<char>(bits >> 2);
  }
  return true;
}

std::string_view TagOf(Scalar::Type type) {
  switch (type) {
    case Scalar::Type::kNull: return "!!null";
    case Scalar::Type::kBool: return "!!bool";
    case Scalar::Type::kInt:
    case Scalar::Type::kUint: return "!!int";
    case Scalar::Type::kFloat: return "!!float";
    case Scalar::Type::kBinary: return "!!binary";
    case Scalar::Type::kTimestamp: return "!!timestamp";
    case Scalar::Type::kString: return "!!str";
  }
  return "!!str";
}

Scalar MakeString(std::string_view text, Scalar::Type type = Scalar::Type::kString) {
  Scalar s;
  s.type = type;
  s.text = text;
  return s;
}

}  // namespace

Scalar ResolvePlain(std::string_view in) {
  Scalar out;
  if (IsOneOf(in, {"", "~", "null", "Null", "NULL"})) return out;
  if (IsOneOf(in, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) {
    out.type = Scalar::Type::kBool;
    out.boolean = true;
    return out;
  }
  if (IsOneOf(in, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) {
    out.type = Scalar::Type::kBool;
    return out;
  }
  if (IsOneOf(in, {".nan", ".NaN", ".NAN"})) {
    out.type = Scalar::Type::kFloat;
    out.number = NormalNan();
    return out;
  }
  if (IsOneOf(in, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"})) {
    out.type = Scalar::Type::kFloat;
    out.number = in[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return out;
  }
  if (in[0] == '.') {
    if (ToFloat(in, &out)) return out;
    return MakeString(in);
  }
  if (!IsDigit(in[0]) && in[0] != '-' && in[0] != '+') return MakeString(in);
  if (LooksLikeTimestamp(in)) return MakeString(in, Scalar::Type::kTimestamp);
  std::string plain;
  for (const char c : in)
    if (c != '_') plain += c;
  if (ParseGoInt(plain, &out)) return out;
  if (IsYamlFloat(plain) && ToFloat(plain, &out)) return out;
  return MakeString(in);
}

Result<Scalar> Node::Resolve() const {
  if (is_null()) return Scalar();
  const std::string_view in = text();
  const std::string_view want = tag();
  if (want == "!!binary") {
    Scalar out = MakeString({}, Scalar::Type::kBinary);
    if (!DecodeBase64(in, &out.text)) return At("yaml: !!binary value contains invalid base64 data");
    return out;
  }
  if (want == "!!str" || (want.empty() && !plain())) return MakeString(in);
  if (!want.empty() && !IsOneOf(want, {"!!bool", "!!int", "!!float", "!!null", "!!timestamp"})) return MakeString(in);  // a foreign tag says nothing
  Scalar out = ResolvePlain(in);
  if (want.empty() || want == TagOf(out.type)) return out;
  if (want == "!!float" && out.type == Scalar::Type::kInt) {
    out.type = Scalar::Type::kFloat;
    out.number = static_cast<double>(out.integer);
    return out;
  }
  return At("yaml: cannot decode " + std::string(TagOf(out.type)) + " `" + std::string(in) + "` as a " + std::string(want));
}

Error Node::TypeError(std::string_view type_name) const {
  std::string what;
  switch (kind()) {
    case Kind::kSequence: what = "!!seq"; break;
    case Kind::kMapping: what = "!!map"; break;
    case Kind::kNull: what = "!!null"; break;
    case Kind::kScalar: {
      auto scalar = Resolve();
      if (!scalar) return std::move(scalar.error());
      what = tag().empty() ? std::string(TagOf(scalar->type)) : std::string(tag());
      std::string_view shown = text();
      what += " `";
      if (shown.size() > 10) what += std::string(shown.substr(0, 7)) + "...";
      else what += shown;
      what += '`';
      break;
    }
  }
  return At("yaml: unmarshal errors: cannot unmarshal " + what + " into " + std::string(type_name));
}

Result<void> Decode(const Node& node, std::string* out) {
  out->clear();
  if (node.is_null()) return {};
  if (!node.is_scalar()) return node.TypeError("string");
  PROM_ASSIGN(Scalar scalar, node.Resolve());
  if (scalar.type == Scalar::Type::kNull) return {};
  if (scalar.type == Scalar::Type::kBinary) *out = std::move(scalar.text);
  else *out = node.text();
  return {};
}

Result<void> Decode(const Node& node, Secret* out) {
  std::string text;
  if (!node.is_null() && !node.is_scalar()) return node.TypeError("config.plain");
  PROM_TRY(Decode(node, &text));
  *out = Secret(std::move(text));
  return {};
}

namespace {
Result<Scalar> ResolveFor(const Node& node, std::string_view type_name) {
  if (node.is_null()) return Scalar();
  if (!node.is_scalar()) return node.TypeError(type_name);
  return node.Resolve();
}

// Like go-yaml, a float is cut to an integer when it fits.
Result<std::int64_t> ToInt64(const Node& node, std::string_view type_name, double min, double max) {
  PROM_ASSIGN(const Scalar s, ResolveFor(node, type_name));
  switch (s.type) {
    case Scalar::Type::kNull: return std::int64_t{0};
    case Scalar::Type::kInt:
      if (static_cast<double>(s.integer) >= min && static_cast<double>(s.integer) <= max) return s.integer;
      break;
    case Scalar::Type::kFloat:
      if (s.number >= min && s.number < max) return static_cast<std::int64_t>(s.number);
      break;
    default: break;
  }
  return node.TypeError(type_name);
}
}  // namespace

Result<void> Decode(const Node& node, bool* out) {
  PROM_ASSIGN(const Scalar s, ResolveFor(node, "bool"));
  if (s.type != Scalar::Type::kBool && s.type != Scalar::Type::kNull) return node.TypeError("bool");
  *out = s.boolean;
  return {};
}

Result<void> Decode(const Node& node, int* out) {
  PROM_ASSIGN(const std::int64_t v, ToInt64(node, "int", std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
  *out = static_cast<int>(v);
  return {};
}

Result<void> Decode(const Node& node, std::int64_t* out) {
  PROM_ASSIGN(*out, ToInt64(node, "int64", -9.3e18, 9223372036854775807.0));
  return {};
}

Result<void> Decode(const Node& node, std::uint64_t* out) {
  PROM_ASSIGN(const Scalar s, ResolveFor(node, "uint"));
  *out = 0;
  switch (s.type) {
    case Scalar::Type::kNull: return {};
    case Scalar::Type::kInt:
      if (s.integer < 0) break;
      *out = static_cast<std::uint64_t>(s.integer);
      return {};
    case Scalar::Type::kUint: *out = s.unsigned_int; return {};
    case Scalar::Type::kFloat:
      if (!(s.number >= 0 && s.number < 18446744073709551615.0)) break;
      *out = static_cast<std::uint64_t>(s.number);
      return {};
    default: break;
  }
  return node.TypeError("uint");
}

Result<void> Decode(const Node& node, double* out) {
  PROM_ASSIGN(const Scalar s, ResolveFor(node, "float64"));
  switch (s.type) {
    case Scalar::Type::kNull: *out = 0; return {};
    case Scalar::Type::kInt: *out = static_cast<double>(s.integer); return {};
    case Scalar::Type::kUint: *out = static_cast<double>(s.unsigned_int); return {};
    case Scalar::Type::kFloat: *out = s.number; return {};
    default: return node.TypeError("float64");
  }
}

Result<void> Decode(const Node& node, DurationMs out) {
  *out.out = 0;
  if (node.is_null()) return {};
  std::string text;
  PROM_TRY(Decode(node, &text));
  auto ms = ParseDuration(text);
  if (!ms) return node.At(ms.error().message);
  *out.out = *ms;
  return {};
}

Result<void> Decode(const Node& node, SizeBytes out) {
  *out.out = 0;
  if (node.is_null()) return {};
  if (!node.is_scalar()) return node.TypeError("units.Base2Bytes");
  PROM_ASSIGN(const Scalar s, node.Resolve());
  if (s.type == Scalar::Type::kNull) return {};
  // An unquoted 0 is the one number that means the same with any unit.
  auto bytes = ParseSize(node.text());
  if (!bytes) return node.At(bytes.error().message);
  *out.out = *bytes;
  return {};
}

namespace {

// units.ParseUnit: a sequence of number and unit, like 1GB512MB.
Result<std::int64_t> ParseUnits(std::string_view text, std::string_view suffix) {
  const auto invalid = [&] { return Error{Errc::kInvalid, "units: invalid " + std::string(text)}; };
  std::string_view s = text;
  bool negative = false;
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) {
    negative = s[0] == '-';
    s.remove_prefix(1);
  }
  if (s == "0") return std::int64_t{0};
  if (s.empty()) return invalid();
  double total = 0;
  while (!s.empty()) {
    if (s[0] != '.' && !IsDigit(s[0])) return invalid();
    const auto digits = [&](double* value, int* count) {
      std::uint64_t v = 0;
      *count = 0;
      while (!s.empty() && IsDigit(s[0])) {
        if (v > (static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) - 10) / 10) return false;
        v = v * 10 + static_cast<std::uint64_t>(s[0] - '0');
        s.remove_prefix(1);
        ++*count;
      }
      *value = static_cast<double>(v);
      return true;
    };
    double number = 0, fraction = 0;
    int before = 0, after = 0;
    if (!digits(&number, &before)) return invalid();
    if (!s.empty() && s[0] == '.') {
      s.remove_prefix(1);
      if (!digits(&fraction, &after)) return invalid();
      number += fraction / std::pow(10.0, after);
    }
    if (before == 0 && after == 0) return invalid();
    std::size_t n = 0;
    while (n < s.size() && s[n] != '.' && !IsDigit(s[n])) ++n;
    const std::string_view unit = s.substr(0, n);
    s.remove_prefix(n);
    double factor = 0;
    if (unit == "B") {
      factor = 1;
    } else if (unit.size() == suffix.size() + 1 && unit.substr(1) == suffix) {
      const std::size_t power = std::string_view("KMGTPE").find(unit[0]);
      if (power != std::string_view::npos) factor = std::pow(1024.0, static_cast<double>(power + 1));
    }
    if (factor == 0) return Error{Errc::kInvalid, "units: unknown unit " + std::string(unit) + " in " + std::string(text)};
    total += number * factor;
  }
  if (negative) total = -total;
  if (total < -9223372036854775808.0 || total >= 9223372036854775808.0) return Error{Errc::kInvalid, "units: overflow parsing unit"};
  return static_cast<std::int64_t>(total);
}

}  // namespace

Result<std::int64_t> ParseSize(std::string_view text) {
  if (auto with_i = ParseUnits(text, "iB")) return with_i;
  return ParseUnits(text, "B");
}

std::string FormatSize(std::int64_t bytes) {
  if (bytes == 0) return "0B";
  std::string out;
  std::uint64_t rest = bytes < 0 ? 0 - static_cast<std::uint64_t>(bytes) : static_cast<std::uint64_t>(bytes);
  if (bytes < 0) out += '-';
  for (int power = 6; power >= 1; --power) {
    const std::uint64_t unit = std::uint64_t{1} << (10 * power);
    if (rest < unit) continue;
    out += std::to_string(rest / unit) + "KMGTPE"[power - 1] + "iB";
    rest %= unit;
  }
  if (rest > 0) out += std::to_string(rest) + "B";
  return out;
}

}  // namespace prom::yaml

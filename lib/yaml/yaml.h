// Strict reading of YAML, with the position of everything and with the scalar
// rules and error texts of go-yaml v2, which upstream's configuration files
// are written for.
//
// What yaml-cpp accepts is not enough to go by: it keeps duplicate keys, expands
// alias bombs and dies on self references. Document is built from its event
// stream instead of its nodes, and refuses while building:
//   more than 64 MiB of text, control characters, nesting deeper than kMaxDepth (aliases counted as
//   what they stand for), an anchor that contains itself, and more than kMaxNodes
//   nodes after expansion of aliases ("document contains excessive aliasing").
// So a walk over a Document always ends soon and needs no guard of its own.
//
// Errors are kInvalid with "file:line:column: " in front; lines and columns count
// from 1, columns in characters. A Document is immutable and thread-safe; Nodes
// are handles into it and live no longer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace prom::yaml {

inline constexpr int kMaxDepth = 100;
inline constexpr std::uint64_t kMaxNodes = 10'000'000;    // aliases expanded
inline constexpr std::uint64_t kMaxOwnNodes = 4'000'000;  // as written: 36 bytes each
inline constexpr std::uint64_t kMaxBytes = 64u << 20;

class Node;

class Document {
 public:
  // Only the first document of a stream is read, as upstream does. Empty text is
  // a null root. `name` stands in error messages.
  static Result<Document> Parse(std::string_view text, std::string name);
  // A regular file of at most 64 MiB.
  static Result<Document> Load(const std::string& path);

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  Node root() const;
  const std::string& name() const;

  struct Impl;

 private:
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A scalar as go-yaml resolves it ("yes" is a bool, 0x1f an int, 1e3 a float).
struct Scalar {
  enum class Type { kNull, kBool, kInt, kUint, kFloat, kString, kBinary, kTimestamp };
  Type type = Type::kNull;
  bool boolean = false;
  std::int64_t integer = 0;       // kInt
  std::uint64_t unsigned_int = 0; // kUint: above the range of int64
  double number = 0;              // kFloat
  std::string text;               // kString, kBinary (decoded), kTimestamp
};
// The type of plain text, for writers: what go-yaml would read it as.
Scalar ResolvePlain(std::string_view text);

class Node {
 public:
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };

  Node() = default;  // null, of no document
  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_scalar() const { return kind() == Kind::kScalar; }
  bool is_sequence() const { return kind() == Kind::kSequence; }
  bool is_mapping() const { return kind() == Kind::kMapping; }
  int line() const;
  int column() const;
  std::string Where() const;  // "file:line:column"
  Error At(std::string_view message) const;
  std::string_view text() const;  // of a scalar, as written (without quotes)
  std::string_view tag() const;   // explicit tag, short form ("!!binary"); empty when there is none
  bool plain() const;             // a scalar without quotes
  // kInvalid: bad !!binary, or text that is not what its tag says.
  Result<Scalar> Resolve() const;

  std::size_t size() const;  // items or entries
  std::vector<Node> items() const;                       // of a sequence
  std::vector<std::pair<Node, Node>> entries() const;    // of a mapping, in file order, merges not applied

  // "cannot unmarshal !!seq into string", with upstream's prefix.
  Error TypeError(std::string_view type_name) const;

 private:
  friend class Document;
  Node(const Document::Impl* doc, std::uint32_t index) : doc_(doc), index_(index) {}
  const Document::Impl* doc_ = nullptr;
  std::uint32_t index_ = 0;
};

// Decode(node, &out) for the types of configuration structs. A null node gives the
// zero value. Own types join by a Decode of their own, found by their namespace.
Result<void> Decode(const Node& node, std::string* out);
Result<void> Decode(const Node& node, Secret* out);
Result<void> Decode(const Node& node, bool* out);
Result<void> Decode(const Node& node, int* out);
Result<void> Decode(const Node& node, std::int64_t* out);
Result<void> Decode(const Node& node, std::uint64_t* out);
Result<void> Decode(const Node& node, double* out);

// A duration ("1h30m") in milliseconds; a type of its own so that Decode can tell.
struct DurationMs {
  std::int64_t* out;
};
Result<void> Decode(const Node& node, DurationMs out);
// "1GiB", "15MB" (both 1024-based, as upstream) in bytes. A bare number has no unit and is an error.
struct SizeBytes {
  std::int64_t* out;
};
Result<void> Decode(const Node& node, SizeBytes out);
Result<std::int64_t> ParseSize(std::string_view text);
std::string FormatSize(std::int64_t bytes);  // "1GiB512MiB", "0B"

namespace internal {
template <typename T>
struct TypeName;
template <> struct TypeName<std::string> { static std::string Get() { return "string"; } };
template <> struct TypeName<Secret> { static std::string Get() { return "config.plain"; } };
template <> struct TypeName<int> { static std::string Get() { return "int"; } };
template <typename T>
concept HasTypeName = requires { TypeName<T>::Get(); };
}  // namespace internal

template <typename T>
Result<void> Decode(const Node& node, std::vector<T>* out) {
  out->clear();
  if (node.is_null()) return {};
  if (!node.is_sequence()) {
    if constexpr (internal::HasTypeName<T>) return node.TypeError("[]" + internal::TypeName<T>::Get());
    else return node.TypeError("list");
  }
  for (const Node& item : node.items()) {
    T value{};
    PROM_TRY(Decode(item, &value));
    out->push_back(std::move(value));
  }
  return {};
}

// An absent key leaves the optional as it is; null empties it.
template <typename T>
Result<void> Decode(const Node& node, std::optional<T>* out) {
  out->reset();
  if (node.is_null()) return {};
  T value{};
  PROM_TRY(Decode(node, &value));
  *out = std::move(value);
  return {};
}

// The entries of a mapping with merge keys (<<) applied, keys decoded as strings,
// duplicates refused: `key "x" already set in map`.
Result<std::vector<std::pair<std::string, Node>>> MapEntries(const Node& node, std::string_view type_name);

template <typename T>
Result<void> Decode(const Node& node, std::map<std::string, T>* out) {
  out->clear();
  PROM_ASSIGN(auto entries, MapEntries(node, "map[string]string"));
  for (auto& [key, value_node] : entries) {
    T value{};
    PROM_TRY(Decode(value_node, &value));
    out->emplace(std::move(key), std::move(value));
  }
  return {};
}

// Reads a mapping into a struct and insists that every key is asked for:
//
//   yaml::Mapping m(node, "config.plain");
//   m.Field("ca_file", &tls->ca_file);
//   m.Field("min_version", &tls->min_version);
//   PROM_TRY(m.Finish());
//
// The type name is upstream's, for its error texts. The first error sticks; Finish
// returns it, or "field X not found in type T" for a key nobody asked for. A null
// node is a mapping without keys.
class Mapping {
 public:
  Mapping(const Node& node, std::string_view type_name);

  template <typename T>
  Mapping& Field(std::string_view key, T* out) {
    if (const Node* value = Take(key)) Keep(Decode(*value, out));
    return *this;
  }
  Mapping& Duration(std::string_view key, std::int64_t* out_ms);
  Mapping& Size(std::string_view key, std::int64_t* out_bytes);
  // A list of structs, where a null item is an error with this text.
  template <typename T>
  Mapping& List(std::string_view key, std::vector<T>* out, std::string_view null_item, std::string_view list_type = "list") {
    const Node* value = Take(key);
    if (value == nullptr) return *this;
    out->clear();
    if (value->is_null()) return *this;
    if (!value->is_sequence()) {
      Keep(Result<void>(value->TypeError(list_type)));
      return *this;
    }
    for (const Node& item : value->items()) {
      if (item.is_null()) {
        Keep(Result<void>(item.At(null_item)));
        return *this;
      }
      T element{};
      Result<void> done = Decode(item, &element);
      const bool ok = bool(done);
      Keep(std::move(done));
      if (!ok) return *this;
      out->push_back(std::move(element));
    }
    return *this;
  }
  // The value of a key, marked as known; null pointer when the key is absent or an earlier error sticks.
  const Node* Take(std::string_view key);
  void Keep(Result<void> done);
  bool Has(std::string_view key) const;

  Result<void> Finish();
  // An error at the value of `key`, or at the mapping when there is no such key.
  Error At(std::string_view key, std::string_view message) const;
  const Node& node() const { return node_; }

 private:
  struct Entry {
    std::string key;
    Node key_node, value;
    bool taken = false;
  };
  Entry* Find(std::string_view key);
  const Entry* Find(std::string_view key) const;

  Node node_;
  std::string type_name_;
  std::vector<Entry> entries_;           // in file order, each key once
  std::map<std::string, std::size_t, std::less<>> index_;
  std::optional<Error> error_;
};

}  // namespace prom::yaml

// The table of discovery kinds: keys with types and defaults, and upstream's checks.
// Used by sd_configs.cc only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "discovery/sd_configs.h"

namespace prom::discovery {

enum class SdType : std::uint8_t {
  kText, kFile /* a path, joined to the directory of the file */, kSecret, kInt, kBool, kDuration, kTexts, kMap, kUrl, kFilters, kSelectors, kNamespaces, kAttachMetadata, kTls,
};

struct SdField {
  std::string_view key;
  SdType type;
  std::string_view fallback = {};  // the default as text
  // Allowed values of a role, separated by spaces; checked where it is read, text: `<unknown> "x"`.
  std::string_view allowed = {};
  std::string_view unknown = {};
};

// What is wrong, and the key it is about (empty: the section).
struct SdProblem {
  std::string_view key;
  std::string message;
};
using SdCheck = std::optional<SdProblem> (*)(SdConfig& config, const BearerToken& bearer);

struct SdKind {
  std::string_view name;       // key is <name>_sd_configs
  std::string_view type_name;  // upstream's, for error texts
  bool http;                   // has the HTTP client keys inlined
  std::span<const SdField> fields;
  SdCheck before_http;  // may be null; run before the HTTP client's own checks
  SdCheck after_http;   // may be null
};

// Sorted by name.
std::span<const SdKind> SdKinds();

}  // namespace prom::discovery

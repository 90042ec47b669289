// What the tests of upstream's parser data share: loading, and {"hex": ...} for text that is not UTF-8.
#pragma once

#include <string>

#include <yaml-cpp/yaml.h>

#include "promql/parse_literal.h"
#include "../../testing.h"

namespace prom::testing {

inline YAML::Node LoadParseCases(const std::string& file) { return YAML::LoadFile(ConformanceDir() + "/promql-parse/" + file); }

inline std::string CaseText(const YAML::Node& node) {
  if (!node) return {};
  if (!node.IsMap()) return node.as<std::string>();
  const auto hex = node["hex"].as<std::string>();
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

}  // namespace prom::testing

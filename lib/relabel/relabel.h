// Relabelling: rules that edit or drop a label set. Config is a rule as it is
// written, Rule the same compiled; Process runs a list of them.
//
// Facts that are easy to miss, all upstream's: the regex is ^(?s:RE)$; `regex:` with
// nothing behind it is the empty regex, not the default; an empty result of replace
// deletes the label; a target label that expands to an invalid name is skipped;
// hashmod takes the last 8 bytes of the MD5; labelmap iterates over the labels as
// they were before the rule; lowercase and uppercase map letter by letter (case.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/labels.h"

namespace prom::yaml {
class Node;
class Writer;
}  // namespace prom::yaml

namespace prom::relabel {

enum class NameScheme : std::uint8_t { kUnset, kUtf8, kLegacy };
bool IsValidLabelName(NameScheme scheme, std::string_view name);
Result<void> Decode(const yaml::Node& node, NameScheme* out);  // "legacy", "utf8"; empty changes nothing

enum class Action : std::uint8_t {
  kUnset, kReplace, kKeep, kDrop, kKeepEqual, kDropEqual, kHashMod, kLabelMap, kLabelDrop, kLabelKeep, kLowercase, kUppercase
};
std::string_view ActionName(Action action);
std::optional<Action> ParseAction(std::string_view name);  // any case

struct Config {
  std::optional<std::vector<std::string>> source_labels;
  std::string separator = ";";
  std::optional<std::string> regex;  // unset: the default "(.*)"
  std::uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  Action action = Action::kReplace;
  NameScheme scheme = NameScheme::kUnset;  // set by Compile when unset
  std::string where;                       // file:line:column of the rule; empty when not from a file

  friend bool operator==(const Config&, const Config&) = default;
};

// Reads one rule; keys and types are checked here, the rest by Compile.
Result<void> Decode(const yaml::Node& node, Config* out);
void Write(yaml::Writer* out, const Config& config);

// Upstream's Validate: sets config->scheme if it was unset; texts as upstream's, without position.
Result<void> Validate(Config* config, NameScheme scheme);
// Only ${1} and $name besides legacy characters, for the legacy scheme.
bool IsLegacyTargetTemplate(std::string_view text);

// A compiled rule. Immutable, cheap to copy, thread-safe.
class Rule {
 public:
  // kInvalid: Validate's errors, or "error parsing regexp: ..."; config.where in front.
  static Result<Rule> Compile(Config config, NameScheme scheme);

  // False: the label set is to be dropped.
  bool Apply(LabelsBuilder* labels) const;
  const Config& config() const;

  struct Program;

 private:
  explicit Rule(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

using Rules = std::vector<Rule>;
Result<Rules> CompileAll(std::vector<Config> configs, NameScheme scheme);

// Applies the rules in order; false as soon as one says drop (*labels is then in between).
bool Process(std::span<const Rule> rules, LabelsBuilder* labels);

}  // namespace prom::relabel

#include "relabel/relabel.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/strings.h"
#include "relabel/case.h"
#include "relabel/regex.h"

namespace prom::relabel {

namespace {

constexpr std::pair<Action, std::string_view> kActions[] = {
    {Action::kReplace, "replace"},     {Action::kKeep, "keep"},           {Action::kDrop, "drop"},           {Action::kKeepEqual, "keepequal"},
    {Action::kDropEqual, "dropequal"}, {Action::kHashMod, "hashmod"},     {Action::kLabelMap, "labelmap"},   {Action::kLabelDrop, "labeldrop"},
    {Action::kLabelKeep, "labelkeep"}, {Action::kLowercase, "lowercase"}, {Action::kUppercase, "uppercase"},
};

constexpr std::string_view kDefaultRegex = "(.*)";
constexpr std::string_view kDefaultSeparator = ";";
constexpr std::string_view kDefaultReplacement = "$1";

bool HasVariable(std::string_view text) { return text.find('$') != std::string_view::npos; }

bool IsWordChar(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

Error Invalid(std::string message) { return {Errc::kInvalid, std::move(message)}; }

}  // namespace

bool IsValidLabelName(NameScheme scheme, std::string_view name) {
  return scheme == NameScheme::kLegacy ? IsLegacyLabelName(name) : prom::IsValidLabelName(name);
}

std::string_view ActionName(Action action) {
  for (const auto& [a, name] : kActions)
    if (a == action) return name;
  return {};
}

std::optional<Action> ParseAction(std::string_view name) {
  for (const auto& [action, known] : kActions)
    if (EqualIgnoreCase(name, known)) return action;
  return std::nullopt;
}

// ^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$ : a sequence of word characters and
// variables that does not begin with a digit.
bool IsLegacyTargetTemplate(std::string_view text) {
  if (text.empty()) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '$') {
      ++i;
      const bool brace = i < text.size() && text[i] == '{';
      if (brace) ++i;
      const std::size_t start = i;
      while (i < text.size() && IsWordChar(text[i])) ++i;
      if (i == start) return false;
      if (brace) {
        if (i == text.size() || text[i] != '}') return false;
        ++i;
      }
      continue;
    }
    if (!IsWordChar(text[i]) || (i == 0 && text[i] >= '0' && text[i] <= '9')) return false;
    ++i;
  }
  return true;
}

Result<void> Validate(Config* config, NameScheme scheme) {
  const Config& c = *config;
  const Action a = c.action;
  const std::string name(ActionName(a));
  const bool equal = a == Action::kKeepEqual || a == Action::kDropEqual;
  const bool change_case = a == Action::kLowercase || a == Action::kUppercase;
  if (a == Action::kUnset) return Invalid("relabel action cannot be empty");
  if (c.modulus == 0 && a == Action::kHashMod) return Invalid("relabel configuration for hashmod requires non-zero modulus");
  if ((a == Action::kReplace || a == Action::kHashMod || change_case || equal) && c.target_label.empty())
    return Invalid("relabel configuration for " + name + " action requires 'target_label' value");
  if (c.scheme == NameScheme::kUnset) config->scheme = scheme == NameScheme::kUnset ? NameScheme::kUtf8 : scheme;

  const auto valid_template = [&](const std::string& text) {
    // With UTF-8 names any text is a name, variables included.
    return c.scheme == NameScheme::kUtf8 ? IsValidLabelName(c.scheme, text) : IsLegacyTargetTemplate(text);
  };
  const auto bad_target = [&] { return Invalid(Quote(c.target_label) + " is invalid 'target_label' for " + name + " action"); };
  if (a == Action::kReplace && !HasVariable(c.target_label) && !IsValidLabelName(c.scheme, c.target_label)) return bad_target();
  if (a == Action::kReplace && HasVariable(c.target_label) && !valid_template(c.target_label)) return bad_target();
  if ((change_case || equal) && !IsValidLabelName(c.scheme, c.target_label)) return bad_target();
  if ((change_case || equal) && c.replacement != kDefaultReplacement) return Invalid("'replacement' can not be set for " + name + " action");
  if (a == Action::kLabelMap && !valid_template(c.replacement))
    return Invalid(Quote(c.replacement) + " is invalid 'replacement' for " + name + " action");
  if (a == Action::kHashMod && !IsValidLabelName(c.scheme, c.target_label)) return bad_target();
  if (equal && (c.regex || c.modulus != 0 || c.separator != kDefaultSeparator || c.replacement != kDefaultReplacement))
    return Invalid(name + " action requires only 'source_labels' and `target_label`, and no other fields");
  if ((a == Action::kLabelDrop || a == Action::kLabelKeep) &&
      (c.source_labels || !c.target_label.empty() || c.modulus != 0 || c.separator != kDefaultSeparator || c.replacement != kDefaultReplacement))
    return Invalid(name + " action requires only 'regex', and no other fields");
  return {};
}

struct Rule::Program {
  Program(Config c, Regex r) : config(std::move(c)), regex(std::move(r)) {}
  Config config;
  Regex regex;
  Template target, replacement;
  std::vector<std::string> sources;
  std::size_t groups = 1;  // that the templates need, with group 0
};

Result<Rule> Rule::Compile(Config config, NameScheme scheme) {
  const auto located = [&](Error e) {
    if (!config.where.empty()) e.message.insert(0, config.where + ": ");
    return e;
  };
  auto regex = Regex::Compile(config.regex ? std::string_view(*config.regex) : kDefaultRegex);
  if (!regex) return located(std::move(regex.error()));
  if (auto valid = Validate(&config, scheme); !valid) return located(std::move(valid.error()));
  auto program = std::make_shared<Program>(std::move(config), std::move(*regex));
  program->target = Template(program->config.target_label, program->regex);
  program->replacement = Template(program->config.replacement, program->regex);
  program->groups = 1 + static_cast<std::size_t>(std::max(program->target.max_group(), program->replacement.max_group()));
  if (program->config.source_labels) program->sources = *program->config.source_labels;
  return Rule(std::move(program));
}

const Config& Rule::config() const { return program_->config; }

namespace {

// The values of the source labels, joined: a view into the label set where there is
// one source, else into *scratch.
std::string_view SourceValue(const Rule::Program& p, const LabelsBuilder& labels, std::string* scratch) {
  if (p.sources.empty()) return "";
  if (p.sources.size() == 1) return labels.Get(p.sources[0]);
  scratch->clear();
  for (std::size_t i = 0; i < p.sources.size(); ++i) {
    if (i > 0) *scratch += p.config.separator;
    *scratch += labels.Get(p.sources[i]);
  }
  return *scratch;
}

void Replace(const Rule::Program& p, std::string_view value, LabelsBuilder* labels) {
  thread_local std::vector<std::string_view> groups;
  thread_local std::string target, result;
  groups.resize(p.groups);
  if (!p.regex.Find(value, 0, &groups)) return;
  std::string_view name = p.config.target_label;
  if (p.target.has_variables()) {
    target.clear();
    p.target.Expand(groups, &target);
    if (!IsValidLabelName(p.config.scheme, target)) return;
    name = target;
  }
  // Expanded into a buffer of its own: the groups may point into the label set.
  result.clear();
  p.replacement.Expand(groups, &result);
  if (result.empty()) labels->Del(name);
  else if (labels->Get(name) != result) labels->Set(name, result);
}

// Regexp.ReplaceAllString. A regex like `a)|(b` escapes its anchors, so that there
// can be more than one match.
std::string ReplaceAll(const Rule::Program& p, std::string_view s) {
  std::vector<std::string_view> groups(p.groups);
  std::string out;
  std::size_t last = 0, from = 0;
  while (from <= s.size() && p.regex.Find(s, from, &groups)) {
    const auto begin = static_cast<std::size_t>(groups[0].data() - s.data());
    const std::size_t end = begin + groups[0].size();
    out += s.substr(last, begin - last);
    // Not an empty match right behind the one before.
    if (end > last || begin == 0) p.replacement.Expand(groups, &out);
    last = end;
    from = end > from ? end : from + 1;
    while (from < s.size() && (static_cast<unsigned char>(s[from]) & 0xc0) == 0x80 && from != end) ++from;
  }
  out += s.substr(last);
  return out;
}

}  // namespace

bool Rule::Apply(LabelsBuilder* labels) const {
  const Program& p = *program_;
  const Config& c = p.config;
  thread_local std::string scratch;
  switch (c.action) {
    case Action::kDrop: return !p.regex.Matches(SourceValue(p, *labels, &scratch));
    case Action::kKeep: return p.regex.Matches(SourceValue(p, *labels, &scratch));
    case Action::kDropEqual: return labels->Get(c.target_label) != SourceValue(p, *labels, &scratch);
    case Action::kKeepEqual: return labels->Get(c.target_label) == SourceValue(p, *labels, &scratch);
    case Action::kReplace: Replace(p, SourceValue(p, *labels, &scratch), labels); return true;
    case Action::kLowercase: labels->Set(c.target_label, ToLowerUtf8(SourceValue(p, *labels, &scratch))); return true;
    case Action::kUppercase: labels->Set(c.target_label, ToUpperUtf8(SourceValue(p, *labels, &scratch))); return true;
    case Action::kHashMod: {
      const std::uint64_t hash = Md5Tail64(SourceValue(p, *labels, &scratch));
      labels->Set(c.target_label, std::to_string(hash % c.modulus));
      return true;
    }
    case Action::kLabelMap: {
      // Collected first: new labels must not be mapped again.
      std::vector<std::pair<std::string, std::string>> mapped;
      for (const auto& [name, value] : labels->pairs())
        if (p.regex.Matches(name)) mapped.emplace_back(ReplaceAll(p, name), value);
      for (const auto& [name, value] : mapped) labels->Set(name, value);
      return true;
    }
    case Action::kLabelDrop:
    case Action::kLabelKeep: {
      const bool drop_matching = c.action == Action::kLabelDrop;
      std::vector<std::string> doomed;
      for (const auto& [name, value] : labels->pairs())
        if (p.regex.Matches(name) == drop_matching) doomed.push_back(name);
      for (const auto& name : doomed) labels->Del(name);
      return true;
    }
    case Action::kUnset: break;  // Compile lets none through
  }
  return true;
}

Result<Rules> CompileAll(std::vector<Config> configs, NameScheme scheme) {
  Rules rules;
  rules.reserve(configs.size());
  for (Config& config : configs) {
    PROM_ASSIGN(Rule rule, Rule::Compile(std::move(config), scheme));
    rules.push_back(std::move(rule));
  }
  return rules;
}

bool Process(std::span<const Rule> rules, LabelsBuilder* labels) {
  for (const Rule& rule : rules)
    if (!rule.Apply(labels)) return false;
  return true;
}

}  // namespace prom::relabel

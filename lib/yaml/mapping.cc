#include "yaml/yaml.h"

namespace prom::yaml {

namespace {

bool IsMerge(const Node& key) { return key.is_scalar() && key.text() == "<<" && (key.tag() == "!!merge" || (key.tag().empty() && key.plain())); }

// Calls take(key, key_node, value, merged) for every entry, those of merged mappings
// after the mapping's own: whoever takes the first of a name gives own keys precedence.
// In a list of merges earlier ones win.
template <typename F>
Result<void> ForEachEntry(const Node& node, bool merged, const F& take) {
  std::vector<Node> merges;
  for (const auto& [key, value] : node.entries()) {
    if (IsMerge(key)) {
      merges.push_back(value);
      continue;
    }
    std::string name;
    PROM_TRY(Decode(key, &name));
    PROM_TRY(take(std::move(name), key, value, merged));
  }
  const auto merge_one = [&](const Node& value) -> Result<void> {
    if (!value.is_mapping()) return value.At("yaml: map merge requires map or sequence of maps as the value");
    return ForEachEntry(value, true, take);
  };
  for (const Node& value : merges) {
    if (!value.is_sequence()) {
      PROM_TRY(merge_one(value));
      continue;
    }
    for (const Node& item : value.items()) PROM_TRY(merge_one(item));
  }
  return {};
}

}  // namespace

Result<std::vector<std::pair<std::string, Node>>> MapEntries(const Node& node, std::string_view type_name) {
  std::vector<std::pair<std::string, Node>> out;
  if (node.is_null()) return out;
  if (!node.is_mapping()) return node.TypeError(type_name);
  std::map<std::string, bool> seen;  // name -> came from a merge
  PROM_TRY(ForEachEntry(node, false, [&](std::string name, const Node& key, const Node& value, bool merged) -> Result<void> {
    if (!seen.emplace(name, merged).second) {
      if (merged) return {};
      return key.At("yaml: unmarshal errors: key \"" + name + "\" already set in map");
    }
    out.emplace_back(std::move(name), value);
    return {};
  }));
  return out;
}

Mapping::Mapping(const Node& node, std::string_view type_name) : node_(node), type_name_(type_name) {
  if (node.is_null()) return;
  if (!node.is_mapping()) {
    error_ = node.TypeError(type_name);
    return;
  }
  Keep(ForEachEntry(node, false, [&](std::string name, const Node& key, const Node& value, bool merged) -> Result<void> {
    if (!index_.emplace(name, entries_.size()).second) {
      if (merged) return {};
      return key.At("yaml: unmarshal errors: field " + name + " already set in type " + type_name_);
    }
    entries_.push_back({std::move(name), key, value});
    return {};
  }));
}

Mapping::Entry* Mapping::Find(std::string_view key) {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second];
}
const Mapping::Entry* Mapping::Find(std::string_view key) const {
  const auto it = index_.find(key);
  return it == index_.end() ? nullptr : &entries_[it->second];
}

bool Mapping::Has(std::string_view key) const { return Find(key) != nullptr; }

const Node* Mapping::Take(std::string_view key) {
  Entry* entry = Find(key);
  if (entry == nullptr) return nullptr;
  entry->taken = true;
  return error_ ? nullptr : &entry->value;
}

void Mapping::Keep(Result<void> done) {
  if (!done && !error_) error_ = std::move(done.error());
}

Mapping& Mapping::Duration(std::string_view key, std::int64_t* out_ms) {
  if (const Node* value = Take(key)) Keep(Decode(*value, DurationMs{out_ms}));
  return *this;
}

Mapping& Mapping::Size(std::string_view key, std::int64_t* out_bytes) {
  if (const Node* value = Take(key)) Keep(Decode(*value, SizeBytes{out_bytes}));
  return *this;
}

Error Mapping::At(std::string_view key, std::string_view message) const {
  const Entry* entry = Find(key);
  return (entry == nullptr ? node_ : entry->value).At(message);
}

Result<void> Mapping::Finish() {
  if (error_) return *error_;
  for (const Entry& entry : entries_)
    if (!entry.taken) return entry.key_node.At("yaml: unmarshal errors: field " + entry.key + " not found in type " + type_name_);
  return {};
}

}  // namespace prom::yaml

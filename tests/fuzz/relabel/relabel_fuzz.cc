// Any text as a list of relabel rules, run over a few label sets.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "relabel/relabel.h"
#include "yaml/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prom;
  auto doc = yaml::Document::Parse(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!doc) return 0;
  std::vector<relabel::Config> configs;
  if (!Decode(doc->root(), &configs)) return 0;
  for (const auto scheme : {relabel::NameScheme::kUtf8, relabel::NameScheme::kLegacy}) {
    auto rules = relabel::CompileAll(configs, scheme);
    if (!rules) continue;
    for (const Labels& in : {Labels{}, Labels{{"__name__", "up"}, {"a", "foo"}, {"b", "x:1"}, {"job", "node"}}, Labels{{"a", "f\no\xc3\xa9"}, {"b", "some-name-value"}}}) {
      LabelsBuilder labels(in);
      if (!relabel::Process(*rules, &labels)) continue;
      for (const Label l : labels.Build())
        if (l.name.empty() && l.value.empty()) std::abort();
    }
  }
  return 0;
}

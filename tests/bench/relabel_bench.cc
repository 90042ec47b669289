// What metric relabelling costs a series, beside RE2 alone on the same text:
// name  ours_ns  floor_ns  ratio
#include <re2/re2.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "relabel/relabel.h"
#include "yaml/yaml.h"

using namespace prom;

namespace {

template <typename F>
double BestNs(const F& run) {
  constexpr int kRuns = 20'000;
  double best = 1e18;
  for (int round = 0; round < 15; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRuns; ++i) run();
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kRuns);
  }
  return best;
}

relabel::Rules Compile(const char* text) {
  auto doc = yaml::Document::Parse(text, "bench");
  std::vector<relabel::Config> configs;
  if (!doc || !Decode(doc->root(), &configs)) std::abort();
  auto rules = relabel::CompileAll(configs, relabel::NameScheme::kUtf8);
  if (!rules) std::abort();
  return std::move(*rules);
}

}  // namespace

int main() {
  const Labels series{{"__name__", "http_request_duration_seconds_bucket"}, {"instance", "app-17.example.org:9090"}, {"job", "app"}, {"le", "0.25"}, {"path", "/api/v1/query"}};
  struct Row {
    const char *name, *rules, *regex, *label;  // the label the rule reads; null: all names
  };
  const Row rows[] = {
      {"drop_by_name_no_match", "[{source_labels: [__name__], regex: 'go_.*|process_.*|expensive.*', action: drop}]", "^(?s:go_.*|process_.*|expensive.*)$", "__name__"},
      {"keep_literals", "[{source_labels: [job], regex: 'node|app|db', action: keep}]", "^(?s:node|app|db)$", "job"},
      {"replace_default_regex", "[{source_labels: [job], target_label: job}]", "^(?s:(.*))$", "job"},
      {"replace_two_groups_same", "[{source_labels: [instance], regex: '(.*):(.*)', target_label: instance, replacement: '$1:$2'}]", "^(?s:(.*):(.*))$", "instance"},
      {"labeldrop_no_match", "[{action: labeldrop, regex: 'exported_.*'}]", "^(?s:exported_.*)$", nullptr},
  };
  for (const Row& row : rows) {
    const auto rules = Compile(row.rules);
    LabelsBuilder labels(series);
    const re2::RE2 re(row.regex);
    const double ours = BestNs([&] { (void)relabel::Process(rules, &labels); });
    std::vector<std::string> texts;
    for (const Label l : series)
      if (row.label == nullptr || l.name == row.label) texts.emplace_back(row.label == nullptr ? l.name : l.value);
    const int groups_used = re.NumberOfCapturingGroups() == 0 ? 0 : re.NumberOfCapturingGroups() + 1;
    const double floor = BestNs([&] {
      re2::StringPiece groups[3];
      for (const auto& text : texts) (void)re.Match(text, 0, text.size(), re2::RE2::UNANCHORED, groups, groups_used);
    });
    std::printf("relabel_%-26s %8.1f ns  RE2 alone %8.1f ns  ratio %.2f\n", row.name, ours, floor, ours / floor);
  }
}

#include <boost/test/unit_test.hpp>

#include <cstddef>

#include "relabel/relabel.h"
#include "yaml/yaml.h"

using namespace prom;
using relabel::Action;
using relabel::NameScheme;

// allocations.cc
std::size_t AllocationCount();

namespace {

relabel::Rules MustCompile(const std::string& yaml, NameScheme scheme = NameScheme::kUtf8) {
  auto doc = yaml::Document::Parse(yaml, "rules");
  BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
  std::vector<relabel::Config> configs;
  auto decoded = Decode(doc->root(), &configs);
  BOOST_TEST_REQUIRE(bool(decoded), (decoded ? "" : decoded.error().message));
  auto rules = relabel::CompileAll(configs, scheme);
  BOOST_TEST_REQUIRE(bool(rules), (rules ? "" : rules.error().message));
  return std::move(*rules);
}

std::string ErrorOf(const std::string& yaml, NameScheme scheme = NameScheme::kUtf8) {
  auto doc = yaml::Document::Parse(yaml, "r.yml");
  BOOST_TEST_REQUIRE(bool(doc));
  relabel::Config config;
  if (auto decoded = Decode(doc->root(), &config); !decoded) return decoded.error().message;
  auto rule = relabel::Rule::Compile(config, scheme);
  return rule ? "" : rule.error().message;
}

std::string Run(const std::string& yaml, const Labels& in, NameScheme scheme = NameScheme::kUtf8) {
  LabelsBuilder b(in);
  return relabel::Process(MustCompile(yaml, scheme), &b) ? b.Build().ToString() : "dropped";
}

}  // namespace

BOOST_AUTO_TEST_CASE(regex_null_is_empty_not_default) {
  // `regex:` matches only the empty value, so nothing is replaced here...
  BOOST_TEST(Run("[{source_labels: [a], regex: , target_label: b, replacement: x}]", {{"a", "1"}}) == R"({a="1"})");
  // ... and here it does.
  BOOST_TEST(Run("[{source_labels: [none], regex: , target_label: b, replacement: x}]", {{"a", "1"}}) == R"({a="1", b="x"})");
  BOOST_TEST(Run("[{source_labels: [a], target_label: b}]", {{"a", "1"}}) == R"({a="1", b="1"})");
}

BOOST_AUTO_TEST_CASE(replace_facts) {
  // An empty result deletes the target.
  BOOST_TEST(Run("[{source_labels: [none], target_label: a}]", {{"a", "1"}}) == "{}");
  // An invalid name is skipped; with legacy names, so is one with a dash.
  BOOST_TEST(Run("[{source_labels: [a], target_label: '${1}', replacement: x}]", {{"a", "x-y"}}, NameScheme::kLegacy) == R"({a="x-y"})");
  BOOST_TEST(Run("[{source_labels: [a], target_label: '${1}', replacement: x}]", {{"a", "x-y"}}) == R"({a="x-y", "x-y"="x"})");
  // The dot matches newlines, and the match is of the whole value.
  BOOST_TEST(Run("[{source_labels: [a], regex: 'x.*', target_label: b, replacement: y}]", {{"a", "x\n1"}}).find("b=\"y\"") != std::string::npos);
  BOOST_TEST(Run("[{source_labels: [a], regex: 'x', target_label: b, replacement: y}]", {{"a", "xx"}}) == R"({a="xx"})");
  // Source and target may be the same label.
  BOOST_TEST(Run("[{source_labels: [instance], regex: '(.*):.*', target_label: instance}]", {{"instance", "host:9100"}}) == R"({instance="host"})");
  // Separator.
  BOOST_TEST(Run("[{source_labels: [a, b], separator: '', target_label: c}]", {{"a", "1"}, {"b", "2"}}) == R"({a="1", b="2", c="12"})");
}

// Go's Regexp.Expand.
BOOST_AUTO_TEST_CASE(templates) {
  struct Row {
    const char *replacement, *want;
  };
  // The regex has two groups, the second named: "ab" gives $1 = a, $2 = $tail = b.
  const Row rows[] = {
      {"$1", "a"}, {"${1}", "a"}, {"${1}x", "ax"}, {"$1x", ""}, {"$2$1", "ba"}, {"$0", "ab"}, {"$3", ""}, {"${tail}", "b"}, {"$tail.", "b."}, {"$tails", ""},
      {"$$1", "$1"}, {"$", "$"}, {"a$", "a$"}, {"${", "${"}, {"${}", "${}"}, {"${1", "${1"}, {"$-", "$-"}, {"${a b}", "${a b}"}, {"$01", ""}, {"$99999999999", ""},
      {"$1\xe2\x80\x93$2", "a\xe2\x80\x93" "b"} /* a dash ends the name */, {"$1\xc3\xa9", ""} /* a letter does not */, {"plain", "plain"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT("replacement=" << row.replacement) {
      relabel::Config config;
      config.source_labels = {"s"};
      config.regex = "(a)(?<tail>b)";
      config.target_label = "t";
      config.replacement = row.replacement;
      auto rule = relabel::Rule::Compile(config, NameScheme::kUtf8);
      BOOST_TEST_REQUIRE(bool(rule));
      LabelsBuilder b(Labels{{"s", "ab"}});
      BOOST_TEST(rule->Apply(&b));
      BOOST_TEST(b.Get("t") == row.want);
    }
  }
}

// (?<name>...) is Go's; RE2 of 2022 has (?P<name>...) only, and the rewrite must not touch text that looks alike.
BOOST_AUTO_TEST_CASE(named_groups) {
  struct Row {
    const char *regex, *value;
  };
  const Row matching[] = {{"(?<n>a)", "a"}, {"(?P<n>a)", "a"}, {R"(\(\?<n>)", "(?<n>"}, {R"([(?<n>]+)", "(?<n>"}, {R"(\Q(?<n>\E)", "(?<n>"}, {R"([]a(?<]+)", "](?<"},
                          {R"([[:alpha:](?<]+)", "a(?<"}, {R"(\[(?<n>a)\])", "[a]"}};
  for (const auto& row : matching) {
    BOOST_TEST_CONTEXT("regex=" << row.regex) {
      relabel::Config config;
      config.source_labels = {"s"};
      config.regex = row.regex;
      config.action = Action::kKeep;
      auto rule = relabel::Rule::Compile(config, NameScheme::kUtf8);
      BOOST_TEST_REQUIRE(bool(rule), (rule ? "" : rule.error().message));
      LabelsBuilder b(Labels{{"s", row.value}});
      BOOST_TEST(rule->Apply(&b));
    }
  }
}

BOOST_AUTO_TEST_CASE(literal_regexes) {
  const std::string keep = "[{source_labels: [a], regex: 'x|yy|', action: keep}]";
  BOOST_TEST(Run(keep, {{"a", "x"}}) != "dropped");
  BOOST_TEST(Run(keep, {{"a", "yy"}}) != "dropped");
  BOOST_TEST(Run(keep, {{"b", "1"}}) != "dropped");  // the empty alternative
  BOOST_TEST(Run(keep, {{"a", "y"}}) == "dropped");
  BOOST_TEST(Run(keep, {{"a", "x|yy"}}) == "dropped");
  BOOST_TEST(Run("[{source_labels: [a], regex: '(.+)', target_label: b, replacement: 'p$1'}]", {{"c", "1"}}) == R"({c="1"})");
  BOOST_TEST(Run("[{source_labels: [a], regex: '.*', target_label: b, replacement: 'p$1$0'}]", {{"a", "1"}}) == R"({a="1", b="p1"})");
}

BOOST_AUTO_TEST_CASE(label_actions) {
  // labelmap works on the labels as they were: a mapped name is not mapped again.
  BOOST_TEST(Run("[{action: labelmap, regex: '(a+)', replacement: 'a$1'}]", {{"a", "1"}}) == R"({a="1", aa="1"})");
  // Anchors can be escaped; then only what matches is replaced, as ReplaceAllString does.
  BOOST_TEST(Run("[{action: labelmap, regex: 'a)|(b', replacement: 'x'}]", {{"ab", "1"}}) == R"({ab="1", xx="1"})");
  BOOST_TEST(Run("[{action: labeldrop, regex: 'a|b'}]", {{"a", "1"}, {"b", "2"}, {"c", "3"}}) == R"({c="3"})");
  BOOST_TEST(Run("[{action: labelkeep, regex: 'a|b'}]", {{"a", "1"}, {"b", "2"}, {"c", "3"}}) == R"({a="1", b="2"})");
  BOOST_TEST(Run("[{action: LabelDrop, regex: 'a'}]", {{"a", "1"}}) == "{}");  // any case
}

// Last 8 bytes of the MD5, big-endian. md5("") = d41d8cd98f00b204e9800998ecf8427e: 0xe9800998ecf8427e % 100 = 58.
BOOST_AUTO_TEST_CASE(hashmod) { BOOST_TEST(Run("[{source_labels: [none], modulus: 100, target_label: h, action: hashmod}]", {}) == R"({h="58"})"); }

// Go: strings.ToUpper("straße") = "STRAßE" etc., letter by letter.
BOOST_AUTO_TEST_CASE(case_mapping) {
  struct Row {
    const char *in, *lower, *upper;
  };
  const Row rows[] = {
      {"AbC1", "abc1", "ABC1"}, {"straße", "straße", "STRASSE"}, {"ÄÖÜéà", "äöüéà", "ÄÖÜÉÀ"}, {"ΑΒγδς", "αβγδς", "ΑΒΓΔΣ"}, {"Привет Ёж", "привет ёж", "ПРИВЕТ ЁЖ"},
      {"ǅ", "ǆ", "Ǆ"}, {"ÿŸ", "ÿÿ", "ŸŸ"}, {"ſ", "ſ", "S"}, {"İ", "i", "İ"}, {"ı", "ı", "I"}, {"Ａｂ", "ａｂ", "ＡＢ"}, {"𐐀𐐨", "𐐨𐐨", "𐐀𐐀"}, {"測試", "測試", "測試"}, {"ᲀ", "ᲀ", "В"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT("in=" << row.in) {
      const std::string upper = std::string(row.in) == "straße" ? "STRAßE" : row.upper;
      LabelsBuilder b(Labels{{"a", row.in}});
      const auto rules = MustCompile("[{source_labels: [a], target_label: l, action: lowercase}, {source_labels: [a], target_label: u, action: uppercase}]");
      BOOST_TEST(relabel::Process(rules, &b));
      BOOST_TEST(b.Get("l") == row.lower);
      BOOST_TEST(b.Get("u") == upper);
    }
  }
}

BOOST_AUTO_TEST_CASE(errors) {
  struct Row {
    const char *yaml, *want;
  };
  const Row rows[] = {
      {"regex: 'a(b'\ntarget_label: x", "r.yml:1:1: error parsing regexp: missing closing ): `^(?s:a(b)$`"},
      {"regex: '*'\ntarget_label: x", "r.yml:1:1: error parsing regexp: missing argument to repetition operator: `*`"},
      {"regex: 'a**'\ntarget_label: x", "r.yml:1:1: error parsing regexp: invalid nested repetition operator: `**`"},
      {"regex: '(?=a)'\ntarget_label: x", "r.yml:1:1: error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
      {"regex: '[b-a]'\ntarget_label: x", "r.yml:1:1: error parsing regexp: invalid character class range: `b-a`"},
      {"action: nonsense", "r.yml:1:9: unknown relabel action \"nonsense\""},
      {"action:", "r.yml:1:1: relabel action cannot be empty"},
      {"sorce_labels: [a]", "r.yml:1:1: yaml: unmarshal errors: field sorce_labels not found in type relabel.plain"},
      {"source_labels: a", "r.yml:1:16: yaml: unmarshal errors: cannot unmarshal !!str `a` into []string"},
      {"source_labels: ['']\ntarget_label: x", "r.yml:1:16: \"\" is not a valid label name"},
      {"modulus: -1", "r.yml:1:10: yaml: unmarshal errors: cannot unmarshal !!int `-1` into uint"},
      {"action: labeldrop\nregex: a\nsource_labels: []", "r.yml:1:1: labeldrop action requires only 'regex', and no other fields"},
      {"action: keepequal\nregex: (.*)\nsource_labels: [a]\ntarget_label: b", "r.yml:1:1: keepequal action requires only 'source_labels' and `target_label`, and no other fields"},
      {"action: lowercase\nreplacement: x\ntarget_label: b", "r.yml:1:1: 'replacement' can not be set for lowercase action"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT("yaml=" << row.yaml) BOOST_TEST(ErrorOf(row.yaml) == row.want);
  BOOST_TEST(ErrorOf("action: labelmap\nregex: a\nreplacement: 'x-y'", NameScheme::kLegacy) == "r.yml:1:1: \"x-y\" is invalid 'replacement' for labelmap action");
  BOOST_TEST(ErrorOf("target_label: 'x-y'", NameScheme::kLegacy) == "r.yml:1:1: \"x-y\" is invalid 'target_label' for replace action");
  BOOST_TEST(ErrorOf("target_label: 'x-y'") == "");
  BOOST_TEST(ErrorOf("target_label: x\nregex: '" + std::string(20'000, 'a') + "'").find("more than the 16384 allowed") != std::string::npos);
  BOOST_TEST(ErrorOf("target_label: x\nregex: '((a{1000}){1000}){1000}'").find("error parsing regexp: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_changes_nothing_allocated) {
  const auto rules = MustCompile(R"([
    {source_labels: [__name__], regex: 'go_.*', action: drop},
    {source_labels: [job, instance], regex: 'a;b', action: drop},
    {source_labels: [job], regex: 'prometheus|node', action: keep},
    {source_labels: [job], target_label: job},
    {source_labels: [instance], regex: '(nothing):(.*)', target_label: x},
    {source_labels: [job], regex: 'prom(.*)', target_label: job, replacement: 'prom$1'},
    {action: labeldrop, regex: 'exported_.*'},
    {source_labels: [job], target_label: instance, action: dropequal}])");
  LabelsBuilder b(Labels{{"__name__", "http_requests_total"}, {"job", "prometheus"}, {"instance", "a-rather-long-instance-name.example.org:9090"}});
  for (int i = 0; i < 3; ++i) BOOST_TEST_REQUIRE(relabel::Process(rules, &b));  // buffers of the thread grow, RE2 compiles lazily
  const std::size_t before = AllocationCount();
  const bool keep = relabel::Process(rules, &b);
  const std::size_t after = AllocationCount();
  BOOST_TEST(keep);
  BOOST_TEST(after - before == 0u);
}

// Any text as a selector. What the store selects must be what the matchers say of
// each series one by one, in plain terms of strings and RE2.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

#include "promql/memory_store.h"
#include "promql/parse.h"

namespace {

using namespace prom;

const std::vector<Labels>& Series() {
  static const std::vector<Labels> series = {
      Labels{{"__name__", "up"}, {"job", "node"}, {"instance", "a:9100"}},  Labels{{"__name__", "up"}, {"job", "api"}, {"instance", "b:80"}, {"x", "k"}},
      Labels{{"__name__", "up"}, {"job", "\xe2\x84\xaa"}},                  Labels{{"__name__", "Up"}, {"job", "line\nbreak"}},
      Labels{{"__name__", "utf8.name"}, {"l.x", "v"}, {"job", "\"quoted\""}}, Labels{{"job", "no name"}},
      Labels{{"__name__", "http_requests_total"}, {"code", "200"}},         Labels{{"__name__", "http_requests_total"}, {"code", "500"}, {"job", ""}}};
  return series;
}

bool Plainly(const Matcher& m, const std::string& value) {
  switch (m.type()) {
    case Matcher::Type::kEqual: return value == m.value();
    case Matcher::Type::kNotEqual: return value != m.value();
    default: break;
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 regex("^(?s:" + m.value() + ")$", options);
  return regex.ok() && re2::RE2::PartialMatch(value, regex) == (m.type() == Matcher::Type::kRegex);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto matchers = promql::ParseMetricSelector(input);
  if (!matchers) return 0;
  promql::MemoryStore store;
  for (const Labels& labels : Series()) store.Append(labels, 0, 1);
  const auto selected = store.Select(*matchers, 0, 0);
  if (!selected) return 0;
  std::size_t next = 0;
  std::vector<Labels> all = Series();
  std::sort(all.begin(), all.end());
  for (const Labels& labels : all) {
    bool want = true;
    for (const Matcher& m : *matchers) want = want && Plainly(m, std::string(labels.Get(m.name())));
    const bool got = next < (*selected)->size() && (*selected)->labels(next) == labels;
    next += got;
    if (want == got) continue;
    std::fprintf(stderr, "%.*s: %s is %s\n", static_cast<int>(input.size()), input.data(), labels.ToString().c_str(), got ? "selected" : "left out");
    std::abort();
  }
  return 0;
}

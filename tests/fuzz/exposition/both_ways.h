// Reads a page with and without the parser's fast path; both must agree on everything.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "exposition/text_parser.h"

namespace prom::testing {

inline void Require(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

inline void ReadBothWays(std::string_view page, TextFormat format) {
  TextParser fast(page, format);
  TextParser slow(page, format, {.fast_path = false});
  for (;;) {
    const auto entry = fast.Next();
    Require(slow.Next() == entry, "kind of entry");
    if (entry == TextParser::Entry::kEnd) return;
    if (entry == TextParser::Entry::kError) {
      Require(fast.error().message == slow.error().message, "error text");
      Require(fast.error().line == slow.error().line && fast.error().column == slow.error().column, "error position");
      Require(!fast.error().message.empty() && fast.error().line > 0 && fast.error().column > 0, "error filled in");
      return;
    }
    Require(fast.entry_end() == slow.entry_end() && fast.entry_end() <= page.size() + 1, "end of entry");
    if (entry == TextParser::Entry::kSeries) {
      Require(fast.series() == slow.series(), "series");
      const double a = fast.value(), b = slow.value();
      Require(std::memcmp(&a, &b, sizeof a) == 0, "value");
      Require(fast.value_start() == slow.value_start() && fast.value_end() == slow.value_end(), "place of the value");
      Require(fast.has_timestamp() == slow.has_timestamp() && (!fast.has_timestamp() || fast.timestamp_ms() == slow.timestamp_ms()), "timestamp");
      Require(fast.normalization_applies() == slow.normalization_applies(), "normalization");
      const auto x = fast.labels(), y = slow.labels();
      Require(bool(x) == bool(y), "labels");
      if (x) Require(*x == *y, "labels");
      Require(fast.has_exemplar() == slow.has_exemplar(), "exemplar");
      if (fast.has_exemplar()) Require(fast.exemplar().labels == slow.exemplar().labels, "exemplar labels");
    } else {
      Require(fast.text() == slow.text() && fast.type() == slow.type(), "metadata");
      if (entry != TextParser::Entry::kComment) Require(fast.metric() == slow.metric(), "metric");
    }
  }
}

}  // namespace prom::testing

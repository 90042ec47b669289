#include "exposition/page_parser.h"

#include <boost/test/unit_test.hpp>

#include <bit>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/number.h"

using namespace prom;
using Entry = TextParser::Entry;

namespace {

// What a page means, from TextParser alone: no memory of other pages.
struct Meaning {
  std::string error;
  std::map<std::string, std::uint64_t> row;                          // series key -> value bits
  std::vector<std::tuple<std::string, std::int64_t, std::uint64_t>> timed;
  std::vector<std::string> exemplars;
  std::size_t samples = 0, duplicates = 0;
};

std::uint64_t Bits(double v) { return std::bit_cast<std::uint64_t>(v); }

std::string ExemplarText(const std::string& key, const Exemplar& e) {
  return key + " # " + e.labels.ToString() + " " + FormatFloatG(e.value) + " " + std::to_string(e.has_time) + " " + std::to_string(e.t_ms);
}

Meaning Reference(const std::string& page, TextFormat format, const PageOptions& options) {
  Meaning out;
  TextParser parser(page, format, {.normalize_float_labels = options.normalize_float_labels});
  std::set<std::string> seen;
  for (;;) {
    const Entry entry = parser.Next();
    if (entry == Entry::kEnd) return out;
    if (entry == Entry::kError) return Meaning{.error = parser.error().message, .row = {}, .timed = {}, .exemplars = {}};
    if (entry != Entry::kSeries) continue;
    const auto labels = parser.labels();
    if (!labels) return Meaning{.error = labels.error().message, .row = {}, .timed = {}, .exemplars = {}};
    ++out.samples;
    // One series text is one series, unless a # TYPE line made other labels of it.
    const std::string key = std::string(parser.series()) + "\n" + labels->bytes();
    const bool again = !seen.insert(key).second;
    if (parser.has_timestamp() && options.honor_timestamps) {
      out.timed.emplace_back(key, parser.timestamp_ms(), Bits(parser.value()));
    } else if (again) {
      ++out.duplicates;
      continue;
    } else {
      out.row[key] = Bits(parser.value());
    }
    if (parser.has_exemplar()) out.exemplars.push_back(ExemplarText(key, parser.exemplar()));
  }
}

// Follows a PageParser as a scrape loop would, by labels.
class Follower {
 public:
  explicit Follower(PageOptions options) : options_(options), parser_(options) {}

  void Check(const std::string& text, TextFormat format) {
    const Meaning want = Reference(text, format, options_);
    std::string copy = text;
    const auto page = parser_.Parse(&copy, format);
    Meaning got;
    if (!page) {
      got.error = page.error().message;
      BOOST_TEST(got.error == want.error);
      BOOST_TEST(parser_.last_error().line >= 1u);
      BOOST_TEST(copy == text);  // a refused page is handed back
      return;
    }
    const auto& p = **page;
    if (p.generation != generation_) {
      generation_ = p.generation;
      std::vector<std::string> moved(p.moved_from.size());
      for (std::size_t i = 0; i < moved.size(); ++i) {
        if (p.moved_from[i] != PageParser::kNoSlot) moved[i] = names_.at(p.moved_from[i]);
      }
      names_ = moved;
      std::set<std::string> alive(names_.begin(), names_.end());
      ++renumbered;
    }
    for (const auto& created : p.created) {
      if (created.slot >= names_.size()) names_.resize(created.slot + 1);
      names_[created.slot] = created.labels.bytes();
    }
    BOOST_TEST_REQUIRE(names_.size() == parser_.slots());
    BOOST_TEST_REQUIRE(p.values.size() == parser_.slots());
    // The key has the series text in it, which the parser does not give: compare labels and values.
    const auto labels_of = [](const std::string& key) { return key.substr(key.find('\n') + 1); };
    std::multimap<std::string, std::uint64_t> want_row, got_row;
    for (const auto& [key, bits] : want.row) want_row.emplace(labels_of(key), bits);
    for (std::uint32_t slot = 0; slot < names_.size(); ++slot) {
      if ((p.present[slot / 64] >> (slot % 64) & 1) != 0) got_row.emplace(names_[slot], Bits(p.values[slot]));
    }
    BOOST_TEST((Sorted(got_row) == Sorted(want_row)));
    std::vector<std::tuple<std::string, std::int64_t, std::uint64_t>> want_timed, got_timed;
    for (const auto& [key, t, bits] : want.timed) want_timed.emplace_back(labels_of(key), t, bits);
    for (const auto& s : p.timed) got_timed.emplace_back(names_[s.slot], s.t_ms, Bits(s.value));
    BOOST_TEST((got_timed == want_timed));
    std::vector<std::string> want_exemplars, got_exemplars;
    for (const auto& e : want.exemplars) want_exemplars.push_back(labels_of(e));
    for (const auto& e : p.exemplars) got_exemplars.push_back(ExemplarText(names_[e.slot], e.exemplar));
    BOOST_TEST((got_exemplars == want_exemplars));
    BOOST_TEST(p.samples == want.samples);
    BOOST_TEST(p.duplicates == want.duplicates);
    BOOST_TEST(want.error == "");
    // Appeared and disappeared, against the row before.
    std::multiset<std::string> now, come(previous_), gone;
    for (const auto& [name, bits] : got_row) now.insert(name);
    for (const auto slot : p.appeared) come.insert(names_[slot]);
    for (const auto slot : p.disappeared) {
      const auto it = come.find(names_[slot]);
      BOOST_TEST_REQUIRE((it != come.end()));
      come.erase(it);
    }
    BOOST_TEST((come == now));
    previous_ = now;
  }

  void Fail() {
    std::multiset<std::string> gone;
    for (const auto slot : parser_.MarkAllAbsent()) gone.insert(names_[slot]);
    BOOST_TEST((gone == previous_));
    previous_.clear();
  }

  PageParser& parser() { return parser_; }
  int renumbered = 0;

 private:
  static std::multiset<std::pair<std::string, std::uint64_t>> Sorted(const std::multimap<std::string, std::uint64_t>& m) { return {m.begin(), m.end()}; }
  PageOptions options_;
  PageParser parser_;
  std::vector<std::string> names_;
  std::multiset<std::string> previous_;
  std::uint64_t generation_ = 0;
};

std::vector<std::string> Lines(const std::string& page) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size() - 1);
    out.push_back(page.substr(at, end + 1 - at));
    at = end + 1;
  }
  return out;
}

std::string BasePage(bool open_metrics) {
  std::string page;
  for (int f = 0; f < 12; ++f) {
    const std::string name = "family_" + std::to_string(f);
    const char* type = f % 4 == 0 ? "histogram" : f % 4 == 1 ? "counter" : f % 4 == 2 ? "gauge" : "summary";
    page += "# HELP " + name + " Help of it.\n# TYPE " + name + " " + type + "\n";
    for (int i = 0; i < 6; ++i) {
      const std::string value = std::to_string(i * 17 + f);
      if (f % 4 == 0) {
        page += name + "_bucket{path=\"/x\",le=\"" + std::to_string(i) + "\"} " + value;
        if (open_metrics && i == 3) page += " # {id=\"abc\"} 0.5 1.5";
      } else if (f % 4 == 3) {
        page += name + "{quantile=\"0." + std::to_string(i) + "\"} " + value + ".25";
      } else if (i == 5) {
        page += name + "{node=\"" + std::to_string(i) + "\",x=\"a\\\"b\"} 1e+0" + std::to_string(f % 10) + (open_metrics ? " 12.5" : " 12500");
      } else {
        page += name + "{node=\"" + std::to_string(i) + "\"} " + value;
      }
      page += "\n";
    }
  }
  return page;
}

int RandomEdits(TextFormat format, PageOptions options, unsigned seed, int pages) {
  std::mt19937 random(seed);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const bool open_metrics = format == TextFormat::kOpenMetrics;
  const std::string base = BasePage(open_metrics);
  std::vector<std::string> lines = Lines(base);
  Follower follower(options);
  int fresh = 0, good = 0;
  for (int i = 0; i < pages; ++i) {
    const std::size_t edits = pick(4) == 0 ? pick(12) : pick(3);
    for (std::size_t e = 0; e < edits && !lines.empty(); ++e) {
      const std::size_t at = pick(lines.size());
      switch (pick(9)) {
        case 0: lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at)); break;
        case 1: lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(pick(lines.size())), lines[at]); break;
        case 2: std::swap(lines[at], lines[pick(lines.size())]); break;
        case 3: lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), "fresh{n=\"" + std::to_string(fresh++) + "\"} 1\n"); break;
        case 4: lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), pick(2) == 0 ? "# TYPE family_1 summary\n" : "# TYPE family_0 gauge\n"); break;
        case 5: {  // another time
          const std::size_t blank = lines[at].rfind(' ');
          if (blank != std::string::npos && lines[at][0] != '#') lines[at] = lines[at].substr(0, lines[at].size() - 1) + " " + std::to_string(pick(100)) + "\n";
          break;
        }
        default: {  // another value: by far the most common change
          const std::size_t blank = lines[at].rfind(' ');
          if (lines[at][0] != '#' && blank != std::string::npos) {
            static const char* kValues[] = {"1", "NaN", "+Inf", "12345678901234567890", "0.1", "-3", "1e-300", "7.25"};
            lines[at] = lines[at].substr(0, blank + 1) + kValues[pick(8)] + "\n";
          }
        }
      }
    }
    if (pick(40) == 0) lines = Lines(base);
    std::string page;
    for (const auto& line : lines) page += line;
    if (open_metrics) page += "# EOF\n";
    std::string broken = page;
    const std::size_t how = pick(12);
    if (how == 0) broken.resize(pick(broken.size() + 1));                       // truncated
    if (how == 1) broken[pick(broken.size())] = static_cast<char>(pick(256));  // one byte damaged
    if (how == 2 && !open_metrics) broken.pop_back();                          // no newline at the end
    BOOST_TEST_CONTEXT("seed " << seed << " page " << i << ":\n" << broken) { follower.Check(broken, format); }
    if (pick(30) == 0) follower.Fail();
    if (!Reference(page, format, options).error.empty()) {
      lines = Lines(base);  // an edit broke it
    } else {
      ++good;
    }
  }
  return good;
}

}  // namespace

BOOST_AUTO_TEST_CASE(equals_text_parser_under_random_edits) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    const auto format = seed % 2 == 0 ? TextFormat::kPrometheus : TextFormat::kOpenMetrics;
    PageOptions options;
    options.honor_timestamps = seed % 3 != 0;
    options.normalize_float_labels = seed % 4 != 3;
    if (seed == 5) options.max_page_bytes = 100;  // nothing remembered
    BOOST_TEST(RandomEdits(format, options, seed, 400) > 250);  // most pages must be good ones to mean anything
  }
}

BOOST_AUTO_TEST_CASE(page_truncated_at_every_byte) {
  for (const bool open_metrics : {false, true}) {
    const std::string page = BasePage(open_metrics).substr(0, 700) + (open_metrics ? "\n# EOF\n" : "\n");
    const auto format = open_metrics ? TextFormat::kOpenMetrics : TextFormat::kPrometheus;
    Follower follower({});
    for (std::size_t n = 0; n <= page.size(); ++n) {
      BOOST_TEST_CONTEXT("n=" << n) { follower.Check(page.substr(0, n), format); }
    }
  }
}

BOOST_AUTO_TEST_CASE(prediction_finds_nearly_all_lines) {
  PageParser parser;
  std::string page = BasePage(false);
  const std::size_t lines = Lines(page).size();
  auto first = page;
  BOOST_TEST_REQUIRE(bool(parser.Parse(&first, TextFormat::kPrometheus)));
  BOOST_TEST(parser.predicted_lines() == 0u);
  auto same = page;
  BOOST_TEST_REQUIRE(bool(parser.Parse(&same, TextFormat::kPrometheus)));
  BOOST_TEST(parser.predicted_lines() == lines);
  // One line gone, one new: the rest is found again at once.
  auto edited = Lines(page);
  edited.erase(edited.begin() + 20);
  edited.insert(edited.begin() + 40, "fresh 1\n");
  std::string text;
  for (const auto& line : edited) text += line;
  const auto done = parser.Parse(&text, TextFormat::kPrometheus);
  BOOST_TEST_REQUIRE(bool(done));
  BOOST_TEST((*done)->created.size() == 1u);
  BOOST_TEST((*done)->disappeared.size() == 1u);
  BOOST_TEST(parser.predicted_lines() == lines - 2);
}

BOOST_AUTO_TEST_CASE(metadata_is_reported_when_it_changes) {
  PageParser parser;
  std::string page = "# HELP a one\\ntwo\n# TYPE a counter\na 1\n";
  auto done = parser.Parse(&page, TextFormat::kPrometheus);
  BOOST_TEST_REQUIRE(bool(done));
  BOOST_TEST_REQUIRE((*done)->metadata.size() == 2u);
  BOOST_TEST((*done)->metadata[0].metric == "a");
  BOOST_TEST((*done)->metadata[0].text() == "one\ntwo");
  BOOST_TEST(((*done)->metadata[1].type == MetricType::kCounter));
  page = "# HELP a one\\ntwo\n# TYPE a counter\na 2\n";
  done = parser.Parse(&page, TextFormat::kPrometheus);
  BOOST_TEST((*done)->metadata.empty());
  page = "# HELP a one\\ntwo\n# TYPE a gauge\na 2\n";
  done = parser.Parse(&page, TextFormat::kPrometheus);
  BOOST_TEST_REQUIRE((*done)->metadata.size() == 1u);
  BOOST_TEST(((*done)->metadata[0].type == MetricType::kGauge));
}

BOOST_AUTO_TEST_CASE(renumbers_when_mostly_dead) {
  // Each page has 40 series that live on and 60 that are new.
  Follower follower({});
  for (int i = 0; i < 60; ++i) {
    std::string page;
    for (int k = 0; k < 40; ++k) page += "stays{k=\"" + std::to_string(k) + "\"} " + std::to_string(i) + "\n";
    for (int k = 0; k < 60; ++k) page += "goes{i=\"" + std::to_string(i) + "\",k=\"" + std::to_string(k) + "\"} 1\n";
    BOOST_TEST_CONTEXT("page " << i) { follower.Check(page, TextFormat::kPrometheus); }
  }
  BOOST_TEST(follower.renumbered > 3);
  BOOST_TEST(follower.parser().slots() < 1200u);
}

BOOST_AUTO_TEST_CASE(errors_have_line_and_column) {
  PageParser parser;
  std::string page = "a 1\nb 2\nc{x=y} 3\n";
  BOOST_TEST(!parser.Parse(&page, TextFormat::kPrometheus));
  BOOST_TEST(parser.last_error().line == 3u);
  BOOST_TEST(parser.last_error().column == 5u);
  BOOST_TEST(parser.last_error().message == "expected label value, got \"y\" (\"INVALID\") while parsing: \"c{x=y\"");
  page = "a 1\nb{x=\"1\",x=\"2\"} 2\n";
  const auto done = parser.Parse(&page, TextFormat::kPrometheus);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST(done.error().message == "label name \"x\" is not unique: invalid sample");
  BOOST_TEST(parser.last_error().line == 2u);
  BOOST_TEST(parser.slots() == 0u);  // nothing of refused pages stays
}

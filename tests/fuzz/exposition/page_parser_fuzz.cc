// Pages of one target, separated by byte 0x1e; the first byte chooses format and
// options. A parser that remembers must say what one that has just begun says.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "both_ways.h"
#include "exposition/page_parser.h"

namespace {

using prom::PageParser;
using prom::testing::Require;

class Names {
 public:
  void Follow(const PageParser::Page& page) {
    if (!page.moved_from.empty()) {
      std::vector<std::string> moved;
      for (const auto from : page.moved_from) moved.push_back(from == PageParser::kNoSlot ? "" : names_.at(from));
      names_ = moved;
    }
    for (const auto& created : page.created) {
      if (created.slot >= names_.size()) names_.resize(created.slot + 1);
      names_[created.slot] = created.labels.bytes();
    }
    Require(names_.size() == page.values.size(), "number of slots");
  }
  std::multiset<std::pair<std::string, std::string>> Row(const PageParser::Page& page) const {
    std::multiset<std::pair<std::string, std::string>> out;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if ((page.present[i / 64] >> (i % 64) & 1) == 0) continue;
      out.emplace(names_[i], std::string(reinterpret_cast<const char*>(&page.values[i]), 8));
    }
    return out;
  }
  std::vector<std::string> Timed(const PageParser::Page& page) const {
    std::vector<std::string> out;
    for (const auto& s : page.timed) out.push_back(names_.at(s.slot) + std::to_string(s.t_ms) + std::string(reinterpret_cast<const char*>(&s.value), 8));
    for (const auto& e : page.exemplars) out.push_back(names_.at(e.slot) + e.exemplar.labels.bytes());
    return out;
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto format = (data[0] & 1) != 0 ? prom::TextFormat::kOpenMetrics : prom::TextFormat::kPrometheus;
  prom::PageOptions options;
  options.honor_timestamps = (data[0] & 2) == 0;
  options.normalize_float_labels = (data[0] & 4) == 0;
  PageParser remembers(options);
  Names names;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (bool more = true; more;) {
    const std::size_t end = rest.find('\x1e');
    more = end != std::string_view::npos;
    std::string page(rest.substr(0, end)), copy = page;
    rest = more ? rest.substr(end + 1) : std::string_view();
    PageParser begins(options);
    const auto got = remembers.Parse(&page, format);
    const auto want = begins.Parse(&copy, format);
    Require(bool(got) == bool(want), "accepted or not");
    if (!got) {
      Require(got.error().message == want.error().message, "error text");
      Require(remembers.last_error().line == begins.last_error().line, "line of the error");
      continue;
    }
    Names fresh;
    fresh.Follow(**want);
    names.Follow(**got);
    Require(names.Row(**got) == fresh.Row(**want), "row");
    Require(names.Timed(**got) == fresh.Timed(**want), "samples with a time, exemplars");
    Require((*got)->samples == (*want)->samples && (*got)->duplicates == (*want)->duplicates, "counts");
  }
  return 0;
}

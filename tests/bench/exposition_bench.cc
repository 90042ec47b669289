// Cost of reading exposition text, on recorded pages of six exporters ($PROMKIT_CORPUS,
// or ../shared/corpus beside the source tree). ns a sample, best of several rounds; the
// column in the middle is the floor or the naive way, measured in the same run.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/number.h"
#include "exposition/page_parser.h"
#include "exposition/text_parser.h"

namespace {

// This file lies in <source>/tests/bench.
std::string SourceDir() {
  const std::string file = __FILE__;
  return file.substr(0, file.rfind("/tests/bench/"));
}

using Pages = std::map<std::string, std::vector<std::string>>;

// Pages by exporter, oldest first, at most `limit` of each.
Pages LoadCorpus(std::size_t limit) {
  const char* env = std::getenv("PROMKIT_CORPUS");
  const std::string dir = env != nullptr ? env : SourceDir() + "/../shared/corpus";
  Pages out;
  FILE* tar = ::popen(("zstd -dc --long=27 '" + dir + "/pages.tar.zst' 2>/dev/null").c_str(), "r");
  if (tar == nullptr) return out;
  char header[512];
  while (std::fread(header, 1, sizeof header, tar) == sizeof header && header[0] != '\0') {
    const std::size_t size = std::strtoull(std::string(header + 124, 11).c_str(), nullptr, 8);
    std::string body((size + 511) / 512 * 512, '\0');
    if (std::fread(body.data(), 1, body.size(), tar) != body.size()) break;
    body.resize(size);
    const std::string name(header, strnlen(header, 100));
    const std::size_t slash = name.rfind('/');
    if (header[156] != '0' || slash == std::string::npos) continue;
    auto& pages = out[name.substr(0, slash)];
    if (pages.size() < limit) pages.push_back(std::move(body));
  }
  ::pclose(tar);
  return out;
}

double Nanoseconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

double BestOf(int rounds, const std::function<double()>& once) {
  double best = 1e300;
  for (int i = 0; i < rounds; ++i) best = std::min(best, once());
  return best;
}

void Line(const char* name, double ours, const char* peer_name, double peer, double budget) {
  std::printf("%-44s %8.1f ns   %s %.1f ns", name, ours, peer_name, peer);
  if (budget > 0) std::printf("   budget %.0f ns", budget);
  std::printf("\n");
}

volatile double sink = 0;

}  // namespace

int main(int argc, char** argv) {
  // --benchmarks=seen,new,... as db_bench has it; all by default.
  const std::string filter = argc > 1 && std::strncmp(argv[1], "--benchmarks=", 13) == 0 ? "," + std::string(argv[1] + 13) + "," : "";
  const auto wanted = [&](const char* name) { return filter.empty() || filter.find("," + std::string(name) + ",") != std::string::npos; };
  const Pages corpus = LoadCorpus(60);
  if (corpus.empty()) {
    std::printf("no corpus: set PROMKIT_CORPUS to the folder of pages.tar.zst\n");
    return 0;
  }
  std::size_t page_samples = 0, bytes = 0, count = 0;
  for (const auto& [exporter, pages] : corpus) {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      std::size_t n = 0;
      prom::TextParser parser(pages[i], prom::TextFormat::kPrometheus);
      for (auto e = parser.Next(); e != prom::TextParser::Entry::kEnd && e != prom::TextParser::Entry::kError; e = parser.Next()) {
        n += e == prom::TextParser::Entry::kSeries;
      }
      page_samples += n;
      bytes += pages[i].size();
      ++count;
    }
  }
  std::printf("%zu pages, %zu samples, %.1f bytes a sample\n", count, page_samples, static_cast<double>(bytes) / static_cast<double>(page_samples));
  const auto per_sample = [&](double ns) { return ns / static_cast<double>(page_samples); };

  const double floor = BestOf(5, [&] {
    return per_sample(Nanoseconds([&] {
      std::size_t lines = 0;
      for (const auto& [exporter, pages] : corpus) {
        for (const auto& page : pages) {
          for (const char* p = page.data(); (p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(page.data() + page.size() - p)))) != nullptr; ++p) ++lines;
        }
      }
      sink = static_cast<double>(lines);
    }));
  });
  const double naive = BestOf(2, [&] {
    return per_sample(Nanoseconds([&] {
      double sum = 0;
      for (const auto& [exporter, pages] : corpus) {
        for (const auto& page : pages) {
          std::size_t at = 0;
          while (at < page.size()) {
            const std::size_t end = std::min(page.find('\n', at), page.size());
            if (end > at && page[at] != '#') {
              const std::size_t blank = page.rfind(' ', end);
              std::map<std::string, std::string> labels;
              std::size_t p = page.find_first_of("{ ", at);
              labels["__name__"] = page.substr(at, p - at);
              while (p < blank && page[p] != '}') {
                const std::size_t equal = page.find('=', ++p);
                if (equal > blank) break;
                const std::size_t quote = page.find('"', equal + 2);
                labels[page.substr(p, equal - p)] = page.substr(equal + 2, quote - equal - 2);
                p = quote + 1;
              }
              sum += std::strtod(page.c_str() + blank + 1, nullptr) + static_cast<double>(labels.size());
            }
            at = end + 1;
          }
        }
      }
      sink = sum;
    }));
  });

  // Every page after the first of its exporter, by one parser a target.
  std::size_t predicted = 0;
  const double seen = BestOf(5, [&] {
    double total = 0;
    std::size_t samples = 0;
    predicted = 0;
    for (const auto& [exporter, pages] : corpus) {
      prom::PageParser parser;
      std::vector<std::string> copies = pages;  // Parse takes the text over
      (void)parser.Parse(&copies[0], prom::TextFormat::kPrometheus);
      total += Nanoseconds([&] {
        for (std::size_t i = 1; i < copies.size(); ++i) {
          const auto page = parser.Parse(&copies[i], prom::TextFormat::kPrometheus);
          samples += (*page)->samples;
          predicted += parser.predicted_lines();
        }
      });
    }
    return total / static_cast<double>(samples);
  });
  if (wanted("seen")) Line("parse page seen before", seen, "newline scan", floor, 20);

  const double fresh = BestOf(5, [&] {
    double total = 0;
    std::size_t samples = 0;
    for (const auto& [exporter, pages] : corpus) {
      for (std::size_t i = 0; i < pages.size(); i += 10) {
        std::string copy = pages[i];
        prom::PageParser parser;
        total += Nanoseconds([&] { samples += (*parser.Parse(&copy, prom::TextFormat::kPrometheus))->samples; });
      }
    }
    return total / static_cast<double>(samples);
  });
  Line("parse new page, labels built", fresh, "split into map", naive, 100);

  const double pull = BestOf(3, [&] {
    return per_sample(Nanoseconds([&] {
      double sum = 0;
      for (const auto& [exporter, pages] : corpus) {
        for (const auto& page : pages) {
          prom::TextParser parser(page, prom::TextFormat::kPrometheus);
          for (auto e = parser.Next(); e != prom::TextParser::Entry::kEnd; e = parser.Next()) sum += parser.value();
        }
      }
      sink = sum;
    }));
  });
  Line("pull parser, no labels", pull, "split into map", naive, 0);
  return 0;
}

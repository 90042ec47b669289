// Cost of reading exposition text, on recorded pages of six exporters ($PROMKIT_CORPUS,
// or ../shared/corpus beside the source tree). ns a sample, best of several rounds; the
// column in the middle is the floor or the naive way, measured in the same run.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "exposition/page_parser.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_text.h"
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

volatile double g_sink = 0;  // keeps the compiler from leaving work out

// Takes everything, does nothing.
class NullSink : public prom::StreamSink {
 public:
  using Done = prom::Result<void>;
  Done DefineSeries(std::uint32_t, const prom::Labels&) override { return {}; }
  Done DefineLayout(std::uint32_t, std::span<const std::uint32_t>) override { return {}; }
  Done Reset() override { return {}; }
  Done Row(std::uint32_t, std::int64_t, std::span<const double> values, std::span<const std::uint64_t>) override {
    sum += values.empty() ? 0 : values[0];
    return {};
  }
  Done Sample(std::uint32_t, std::int64_t, double v, std::int64_t) override {
    sum += v;
    return {};
  }
  Done HistogramAt(std::uint32_t, std::int64_t, const prom::Histogram&, std::int64_t) override { return {}; }
  Done ExemplarOf(std::uint32_t, const prom::Exemplar&) override { return {}; }
  Done MetadataOf(std::string_view, const prom::Metadata&) override { return {}; }
  Done Commit(std::uint64_t) override { return {}; }
  double sum = 0;
};

// The scrapes of the corpus as rows, one layout an exporter.
struct Scrapes {
  struct One {
    std::uint32_t layout;
    std::vector<double> values;
    std::vector<std::uint64_t> present;
  };
  std::vector<prom::Labels> series;
  std::vector<std::vector<std::uint32_t>> layouts;
  std::vector<One> rows;
  std::size_t samples = 0;

  explicit Scrapes(const Pages& corpus) {
    for (const auto& [exporter, pages] : corpus) {
      prom::PageParser parser;
      const auto layout = static_cast<std::uint32_t>(layouts.size());
      layouts.emplace_back();
      const std::size_t first = rows.size();
      for (std::string page : pages) {
        const auto got = parser.Parse(&page, prom::TextFormat::kPrometheus);
        for (const auto& created : (*got)->created) {
          prom::LabelsBuilder labels(created.labels);
          labels.Set("job", exporter).Set("instance", "localhost:9100");
          layouts.back().push_back(static_cast<std::uint32_t>(series.size()));
          series.push_back(labels.Build());
        }
        rows.push_back({layout, {(*got)->values.begin(), (*got)->values.end()}, {(*got)->present.begin(), (*got)->present.end()}});
        samples += (*got)->samples;
      }
      for (std::size_t i = first; i < rows.size(); ++i) {  // the layout as it is at the end
        rows[i].values.resize(layouts.back().size());
        rows[i].present.resize((layouts.back().size() + 63) / 64);
      }
    }
  }
  void Define(prom::StreamSink* sink) const {
    for (std::uint32_t i = 0; i < series.size(); ++i) (void)sink->DefineSeries(i, series[i]);
    for (std::uint32_t i = 0; i < layouts.size(); ++i) (void)sink->DefineLayout(i, layouts[i]);
  }
  void Send(prom::StreamSink* sink) const {
    std::int64_t t_ms = 1'700'000'000'000;
    std::uint64_t sequence = 0;
    for (const auto& row : rows) {
      (void)sink->Row(row.layout, t_ms += 15'000, row.values, row.present);
      (void)sink->Commit(++sequence);
    }
  }
};

// What all measurements share.
struct Context {
  Pages corpus;
  std::size_t pages = 0, bytes = 0, samples = 0;
  double scan = 0, naive = 0;  // the floor and the naive way, ns a sample
};

double NewlineScan(const Context& c) {
  return BestOf(5, [&] {
    std::size_t lines = 0;
    const double ns = Nanoseconds([&] {
      for (const auto& [exporter, pages] : c.corpus) {
        for (const auto& page : pages) {
          const char* const end = page.data() + page.size();
          for (const char* p = page.data(); (p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)))) != nullptr; ++p) ++lines;
        }
      }
    });
    g_sink = static_cast<double>(lines);
    return ns / static_cast<double>(c.samples);
  });
}

// Labels into a map of strings, value by strtod.
double SplitNaively(const std::string& page) {
  double sum = 0;
  for (std::size_t at = 0; at < page.size();) {
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
  return sum;
}

double NaiveSplit(const Context& c) {
  return BestOf(2, [&] {
    double sum = 0;
    const double ns = Nanoseconds([&] {
      for (const auto& [exporter, pages] : c.corpus) {
        for (const auto& page : pages) sum += SplitNaively(page);
      }
    });
    g_sink = sum;
    return ns / static_cast<double>(c.samples);
  });
}

// Every page after the first of its exporter, by one parser a target.
void PageSeen(const Context& c) {
  std::size_t predicted = 0;
  const double ours = BestOf(5, [&] {
    double total = 0;
    std::size_t samples = 0;
    predicted = 0;
    for (const auto& [exporter, pages] : c.corpus) {
      prom::PageParser parser;
      std::vector<std::string> copies = pages;  // Parse takes the text over
      (void)parser.Parse(&copies[0], prom::TextFormat::kPrometheus);
      total += Nanoseconds([&] {
        for (std::size_t i = 1; i < copies.size(); ++i) {
          samples += (*parser.Parse(&copies[i], prom::TextFormat::kPrometheus))->samples;
          predicted += parser.predicted_lines();
        }
      });
    }
    return total / static_cast<double>(samples);
  });
  Line("parse page seen before", ours, "newline scan", c.scan, 20);
  std::printf("  (lines found by comparison: %zu a page)\n", predicted / (c.pages - c.corpus.size()));
}

void PageNew(const Context& c) {
  const double ours = BestOf(5, [&] {
    double total = 0;
    std::size_t samples = 0;
    for (const auto& [exporter, pages] : c.corpus) {
      for (std::size_t i = 0; i < pages.size(); i += 10) {
        std::string copy = pages[i];
        prom::PageParser parser;
        total += Nanoseconds([&] { samples += (*parser.Parse(&copy, prom::TextFormat::kPrometheus))->samples; });
      }
    }
    return total / static_cast<double>(samples);
  });
  Line("parse new page, labels built", ours, "split into map", c.naive, 100);
}

// The lines of a page in another order each time: nothing can be predicted, all series are known.
void PageKnown(const Context& c) {
  const double ours = BestOf(5, [&] {
    double total = 0;
    std::size_t samples = 0;
    for (const auto& [exporter, pages] : c.corpus) {
      std::vector<std::string> lines;
      for (std::size_t at = 0; at < pages[0].size();) {
        const std::size_t end = std::min(pages[0].find('\n', at), pages[0].size() - 1);
        if (pages[0][at] != '#') lines.push_back(pages[0].substr(at, end + 1 - at));
        at = end + 1;
      }
      prom::PageParser parser;
      std::mt19937 random(1);
      for (int i = 0; i < 5; ++i) {
        std::shuffle(lines.begin(), lines.end(), random);
        std::string page;
        for (const auto& line : lines) page += line;
        const double ns = Nanoseconds([&] { (void)parser.Parse(&page, prom::TextFormat::kPrometheus); });
        if (i == 0) continue;
        total += ns;
        samples += lines.size();
      }
    }
    return total / static_cast<double>(samples);
  });
  Line("parse known series, order lost", ours, "split into map", c.naive, 100);
}

void Pull(const Context& c) {
  const double ours = BestOf(3, [&] {
    double sum = 0;
    const double ns = Nanoseconds([&] {
      for (const auto& [exporter, pages] : c.corpus) {
        for (const auto& page : pages) {
          prom::TextParser parser(page, prom::TextFormat::kPrometheus);
          for (auto e = parser.Next(); e != prom::TextParser::Entry::kEnd; e = parser.Next()) sum += parser.value();
        }
      }
    });
    g_sink = sum;
    return ns / static_cast<double>(c.samples);
  });
  Line("pull parser, no labels", ours, "split into map", c.naive, 0);
}

prom::Result<void> Drop(std::string_view bytes) {
  g_sink = g_sink + static_cast<double>(bytes.size());
  return {};
}

void Binary(const Context& c) {
  const Scrapes scrapes(c.corpus);
  const auto per_sample = [&](double ns) { return ns / static_cast<double>(scrapes.samples); };
  std::string to(1u << 20, 'y');
  const double copy = BestOf(5, [&] {
    return per_sample(Nanoseconds([&] {
      for (const auto& row : scrapes.rows) {
        std::memcpy(to.data(), row.values.data(), row.values.size() * 8);
        g_sink = static_cast<double>(to[row.values.size() % 64]);
      }
    }));
  });
  const double encode = BestOf(5, [&] {
    prom::StreamEncoder encoder(Drop);
    scrapes.Define(&encoder);
    return per_sample(Nanoseconds([&] { scrapes.Send(&encoder); }));
  });
  Line("binary stream, encode rows", encode, "memcpy", copy, 0);
  std::string bytes;
  prom::StreamEncoder encoder([&](std::string_view b) { return bytes.append(b), prom::Result<void>(); });
  scrapes.Define(&encoder);
  (void)encoder.Flush();
  const std::size_t head = bytes.size();
  scrapes.Send(&encoder);
  const double decode = BestOf(5, [&] {
    NullSink null;
    prom::StreamDecoder decoder(&null);
    (void)decoder.Feed(std::string_view(bytes).substr(0, head));
    const double ns = Nanoseconds([&] { (void)decoder.Feed(std::string_view(bytes).substr(head)); });
    g_sink = null.sum;
    return per_sample(ns);
  });
  Line("binary stream, decode rows", decode, "memcpy", copy, 0);
  std::printf("  (%.2f bytes a sample, definitions aside)\n", static_cast<double>(bytes.size() - head) / static_cast<double>(scrapes.samples));
  constexpr int kSingles = 200'000;
  const double singles = BestOf(3, [&] {
    prom::StreamEncoder one(Drop);
    scrapes.Define(&one);
    return Nanoseconds([&] {
             for (int i = 0; i < kSingles; ++i) (void)one.Sample(static_cast<std::uint32_t>(i) % 1000, 1'700'000'000'000 + i / 1000, i);
           }) / kSingles;
  });
  Line("binary stream, encode single samples", singles, "memcpy", copy, 0);
}

void Text(const Context& c) {
  const Scrapes scrapes(c.corpus);
  std::string bytes;
  const double write = BestOf(3, [&] {
    bytes.clear();
    prom::StreamTextWriter writer([&](std::string_view b) { return bytes.append(b), prom::Result<void>(); });
    scrapes.Define(&writer);
    return Nanoseconds([&] { scrapes.Send(&writer); }) / static_cast<double>(scrapes.samples);
  });
  Line("text stream, write", write, "split into map", c.naive, 0);
  const double read = BestOf(3, [&] {
    NullSink null;
    prom::StreamTextReader reader(&null, &prom::SystemClock(), {});
    const double ns = Nanoseconds([&] {
      for (std::size_t at = 0; at < bytes.size(); at += 65536) (void)reader.Feed(std::string_view(bytes).substr(at, 65536));
      (void)reader.Finish();
    });
    g_sink = null.sum;
    return ns / static_cast<double>(reader.samples());
  });
  Line("text stream, read", read, "split into map", c.naive, 0);
  std::printf("  (%.1f bytes a sample)\n", static_cast<double>(bytes.size()) / static_cast<double>(scrapes.samples));

  // What `promstore dump` prints: series after series. The floor is the search for newlines.
  std::string sorted;
  std::size_t samples = 0;
  for (const auto& labels : scrapes.series) {
    if (sorted.size() > (64u << 20)) break;
    std::string series;
    prom::AppendSeriesText(&series, labels);
    for (int i = 0; i < 60; ++i, ++samples) sorted += series + ' ' + std::to_string(i * 1000 + 7) + ' ' + std::to_string(1'700'000'000'000 + i * 15'000) + '\n';
  }
  const double lines = BestOf(3, [&] {
    return Nanoseconds([&] {
             for (const char* p = sorted.data(); (p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(sorted.data() + sorted.size() - p)))) != nullptr; ++p) g_sink = g_sink + 1;
           }) / static_cast<double>(samples);
  });
  const double import = BestOf(3, [&] {
    NullSink null;
    prom::StreamTextReader reader(&null, &prom::SystemClock(), {});
    const double ns = Nanoseconds([&] {
      for (std::size_t at = 0; at < sorted.size(); at += 256u << 10) (void)reader.Feed(std::string_view(sorted).substr(at, 256u << 10));
      (void)reader.Finish();
    });
    g_sink = null.sum;
    return ns / static_cast<double>(samples);
  });
  Line("text stream, read, sorted by series", import, "find newlines", lines, 150);
}

}  // namespace

int main(int argc, char** argv) {
  // --benchmarks=seen,new,... as db_bench has it; all by default.
  const std::string filter = argc > 1 && std::strncmp(argv[1], "--benchmarks=", 13) == 0 ? "," + std::string(argv[1] + 13) + "," : "";
  Context c;
  c.corpus = LoadCorpus(60);
  if (c.corpus.empty()) {
    std::printf("no corpus: set PROMKIT_CORPUS to the folder of pages.tar.zst\n");
    return 0;
  }
  for (const auto& [exporter, pages] : c.corpus) {
    for (const auto& page : pages) {
      prom::TextParser parser(page, prom::TextFormat::kPrometheus);
      for (auto e = parser.Next(); e != prom::TextParser::Entry::kEnd && e != prom::TextParser::Entry::kError; e = parser.Next()) {
        c.samples += e == prom::TextParser::Entry::kSeries;
      }
      c.bytes += page.size();
      ++c.pages;
    }
  }
  std::printf("%zu pages, %zu samples, %.1f bytes a sample\n", c.pages, c.samples, static_cast<double>(c.bytes) / static_cast<double>(c.samples));
  c.scan = NewlineScan(c);
  c.naive = NaiveSplit(c);
  const std::pair<const char*, void (*)(const Context&)> kAll[] = {{"seen", PageSeen}, {"new", PageNew}, {"known", PageKnown}, {"pull", Pull}, {"binary", Binary}, {"text", Text}};
  for (const auto& [name, run] : kAll) {
    if (filter.empty() || filter.find("," + std::string(name) + ",") != std::string::npos) run(c);
  }
  return 0;
}

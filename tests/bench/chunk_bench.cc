// Bytes, encode and decode cost of value and time columns, on recorded exporter
// pages and on generated counters, beside Gorilla XOR and memcpy.
//
//   bench_chunk [pages.tar.zst]     default: $PROMKIT_CORPUS, else ../shared/corpus/pages.tar.zst
//
// Unpacks with zstd and tar through a pipe; without the file only the generated
// columns are measured. Times are CPU time, the best of several runs, on one thread.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <time.h>

#include "base/bytes.h"
#include "base/number.h"
#include "chunk/block_compress.h"
#include "chunk/histogram_chunk.h"
#include "chunk/time_column.h"
#include "chunk/value_body.h"
#include "chunk/value_chunk.h"

namespace {

using prom::chunk::EncoderHint;

struct Series {
  std::vector<double> v;
  std::vector<std::int64_t> t;
};
using Data = std::vector<Series>;

// CPU time of this thread: a busy machine then costs cache misses, not seconds.
double Seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// ---- Gorilla XOR with Prometheus's bit layout, as the floor to beat ----
class BitWriter {
 public:
  void Put(std::uint64_t v, unsigned bits) {
    while (bits > 0) {
      const unsigned take = std::min(bits, 64 - fill_);
      const std::uint64_t part = take == 64 ? v : (v >> (bits - take)) & ((1ull << take) - 1);
      word_ = take == 64 ? part : word_ << take | part;
      fill_ += take;
      bits -= take;
      if (fill_ == 64) Flush();
    }
  }
  std::string Finish() {
    const unsigned bytes = (fill_ + 7) / 8;
    if (fill_ > 0) {
      word_ <<= 64 - fill_;
      Flush();
    }
    out_.resize(out_.size() - (bytes > 0 ? 8 - bytes : 0));
    return std::move(out_);
  }

 private:
  void Flush() {
    prom::AppendLe(&out_, __builtin_bswap64(word_));
    word_ = 0;
    fill_ = 0;
  }
  std::string out_;
  std::uint64_t word_ = 0;
  unsigned fill_ = 0;
};

std::string GorillaEncode(const double* v, std::size_t n) {
  BitWriter w;
  std::uint64_t previous = 0;
  unsigned leading = 0xff, trailing = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(v[i]);
    if (i == 0) {
      w.Put(bits, 64);
    } else if (const std::uint64_t x = bits ^ previous; x == 0) {
      w.Put(0, 1);
    } else {
      const unsigned lead = std::min(31u, static_cast<unsigned>(std::countl_zero(x))), trail = static_cast<unsigned>(std::countr_zero(x));
      if (leading != 0xff && lead >= leading && trail >= trailing) {
        w.Put(2, 2);
        w.Put(x >> trailing, 64 - leading - trailing);
      } else {
        leading = lead;
        trailing = trail;
        const unsigned size = 64 - lead - trail;
        w.Put(3, 2);
        w.Put(lead, 5);
        w.Put(size & 63, 6);
        w.Put(x >> trail, size);
      }
    }
    previous = bits;
  }
  return w.Finish();
}

class BitReader {
 public:
  explicit BitReader(const std::string& padded) : p_(reinterpret_cast<const unsigned char*>(padded.data())) {}
  std::uint64_t Get(unsigned bits) {  // the string has 16 bytes of padding
    if (bits > 56) {
      const std::uint64_t high = Get(bits - 32);
      return high << 32 | Get(32);
    }
    std::uint64_t word = __builtin_bswap64(prom::LoadLe<std::uint64_t>(p_ + at_ / 8)) << (at_ % 8);
    at_ += bits;
    return bits == 0 ? 0 : word >> (64 - bits);
  }

 private:
  const unsigned char* p_;
  std::size_t at_ = 0;
};

void GorillaDecode(const std::string& padded, std::size_t n, double* out) {
  BitReader r(padded);
  std::uint64_t bits = r.Get(64);
  unsigned leading = 0, size = 0;
  out[0] = std::bit_cast<double>(bits);
  for (std::size_t i = 1; i < n; ++i) {
    if (r.Get(1)) {
      if (r.Get(1)) {
        leading = static_cast<unsigned>(r.Get(5));
        size = static_cast<unsigned>(r.Get(6));
        if (size == 0) size = 64;
      }
      bits ^= r.Get(size) << (64 - leading - size);
    }
    out[i] = std::bit_cast<double>(bits);
  }
}

// ---- data ----
// A page is lines of "series value"; the last space outside braces ends the series.
Data LoadPages(const std::string& archive) {
  Data data;
  if (std::FILE* probe = std::fopen(archive.c_str(), "rb")) {
    std::fclose(probe);
  } else {
    return data;
  }
  std::string dir = (std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") + std::string("/promkit-bench-XXXXXX");
  if (::mkdtemp(dir.data()) == nullptr) return data;
  const auto run = [](const std::string& command) {
    std::string text;
    if (std::FILE* pipe = ::popen(command.c_str(), "r")) {
      char buffer[65536];
      while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, n);
      ::pclose(pipe);
    }
    return text;
  };
  run("zstd -dc --long=27 '" + archive + "' | tar x -C '" + dir + "'");
  const std::string list = run("cd '" + dir + "' && find pages -type f | sort");
  std::unordered_map<std::string, std::size_t> index;
  std::string page;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = list.find('\n', at);
    const std::string name = list.substr(at, end - at);
    at = end + 1;
    const std::string exporter = name.substr(6, name.rfind('/') - 6);
    const std::int64_t t = std::atoll(name.c_str() + name.rfind('/') + 1);
    std::FILE* f = std::fopen((dir + "/" + name).c_str(), "rb");
    if (f == nullptr) continue;
    page.resize(4 << 20);
    page.resize(std::fread(page.data(), 1, page.size(), f));
    std::fclose(f);
    for (std::size_t i = 0; i < page.size();) {
      std::size_t eol = page.find('\n', i);
      if (eol == std::string::npos) eol = page.size();
      const std::string_view line(page.data() + i, eol - i);
      i = eol + 1;
      if (line.empty() || line[0] == '#') continue;
      const std::size_t brace = line.rfind('}');
      const std::size_t space = line.find(' ', brace == std::string_view::npos ? 0 : brace);
      if (space == std::string_view::npos) continue;
      const auto value = prom::ParseFloat(line.substr(space + 1, line.find(' ', space + 1) - space - 1));
      if (!value) continue;
      const auto [it, fresh] = index.try_emplace(exporter + "/" + std::string(line.substr(0, space)), data.size());
      if (fresh) data.emplace_back();
      Series& s = data[it->second];
      // A series that was away for a scrape ended; what comes back is counted on the same column.
      s.v.push_back(*value);
      s.t.push_back(t);
    }
  }
  run("rm -rf '" + dir + "'");
  return data;
}

// Counters that never rest: rates of several sizes, bursts, a reset now and then.
Data BusyCounters(std::size_t series, std::size_t samples) {
  std::mt19937_64 rng(7);
  Data data(series);
  for (std::size_t s = 0; s < series; ++s) {
    const double rate = std::pow(10.0, 1.0 + 4.0 * static_cast<double>(s % 10) / 9);
    const int kind = static_cast<int>(s % 5);  // 3 of 5 integers, 1 hundredths, 1 sums of floats
    double v = 0;
    for (std::size_t i = 0; i < samples; ++i) {
      const double noise = static_cast<double>(rng() % 1000000) / 1e6;
      double step = rate * (0.5 + noise) * (i / 64 % 7 == 3 ? 5 : 1);
      if (rng() % 4000 == 0) v = 0;
      if (kind < 3) v += std::floor(step);
      if (kind == 3) v = std::round((v + step / 100) * 100) / 100;
      if (kind == 4) v += step * 1e-3;
      data[s].v.push_back(v);
      data[s].t.push_back(1'700'000'000'000 + static_cast<std::int64_t>(i) * 15000);
    }
  }
  return data;
}

// ---- measuring ----
struct Totals {
  double bytes = 0, encode_ns = 0, decode_ns = 0;
};

struct Piece {
  const double* v;
  std::size_t n;
};

std::vector<Piece> Cut(const Data& data, std::size_t length) {
  std::vector<Piece> pieces;
  for (const Series& s : data)
    for (std::size_t at = 0; at < s.v.size(); at += length) pieces.push_back({s.v.data() + at, std::min(length, s.v.size() - at)});
  return pieces;
}

template <typename EncodeFunction, typename DecodeFunction>
Totals Measure(const std::vector<Piece>& pieces, EncodeFunction&& encode, DecodeFunction&& decode) {
  std::size_t samples = 0;
  for (const Piece& p : pieces) samples += p.n;
  std::vector<std::string> chunks(pieces.size());
  std::vector<double> out(65536);
  Totals best{0, 1e18, 1e18};
  for (int round = 0; round < 6; ++round) {
    double start = Seconds();
    for (std::size_t i = 0; i < pieces.size(); ++i) encode(i, pieces[i], &chunks[i]);
    best.encode_ns = std::min(best.encode_ns, (Seconds() - start) * 1e9 / static_cast<double>(samples));
    start = Seconds();
    for (std::size_t i = 0; i < pieces.size(); ++i) decode(chunks[i], pieces[i].n, out.data());
    best.decode_ns = std::min(best.decode_ns, (Seconds() - start) * 1e9 / static_cast<double>(samples));
  }
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    bytes += chunks[i].size();
    decode(chunks[i], pieces[i].n, out.data());
    if (std::memcmp(out.data(), pieces[i].v, pieces[i].n * 8) != 0) {
      std::fprintf(stderr, "bench_chunk: chunk %zu does not round trip\n", i);
      std::exit(1);
    }
  }
  best.bytes = static_cast<double>(bytes) / static_cast<double>(samples);
  return best;
}

void Line(const std::string& name, double ours, double floor, const char* budget) { std::printf("%-44s %9.3f %9.3f  %s\n", name.c_str(), ours, floor, budget); }

// Returns bytes a sample at 480, in groups.
double Report(const std::string& name, const Data& data, const char* bytes_budget, const char* encode_budget, const char* decode_budget) {
  double grouped = 0;
  for (const std::size_t length : {32u, 120u, 480u}) {
    const std::vector<Piece> pieces = Cut(data, length);
    std::vector<std::uint32_t> series_of;
    for (std::size_t s = 0; s < data.size(); ++s)
      for (std::size_t at = 0; at < data[s].v.size(); at += length) series_of.push_back(static_cast<std::uint32_t>(s));
    const auto decode = [](const std::string& chunk, std::size_t n, double* out) {
      if (!prom::chunk::DecodeValues(chunk, {out, n})) std::abort();
    };
    std::vector<EncoderHint> hints(data.size());
    const Totals hinted = Measure(
        pieces,
        [&](std::size_t i, const Piece& p, std::string* chunk) {
          chunk->clear();
          prom::chunk::EncodeValues({p.v, p.n}, chunk, &hints[series_of[i]]);
        },
        decode);
    const Totals plain = Measure(
        pieces,
        [&](std::size_t, const Piece& p, std::string* chunk) {
          chunk->clear();
          prom::chunk::EncodeValues({p.v, p.n}, chunk);
        },
        decode);
    const Totals gorilla = Measure(
        pieces,
        [&](std::size_t, const Piece& p, std::string* chunk) {
          *chunk = GorillaEncode(p.v, p.n);
          chunk->append(16, '\0');
        },
        [](const std::string& chunk, std::size_t n, double* out) { GorillaDecode(chunk, n, out); });
    std::vector<double> room(65536);
    const Totals copy = Measure(
        pieces, [](std::size_t, const Piece& p, std::string* chunk) { chunk->assign(reinterpret_cast<const char*>(p.v), p.n * 8); },
        [](const std::string& chunk, std::size_t n, double* out) { std::memcpy(out, chunk.data(), n * 8); });
    // Gorilla's padding is not part of its format.
    const double gorilla_bytes = gorilla.bytes - 16.0 * static_cast<double>(pieces.size()) / [&] {
      double samples = 0;
      for (const Piece& p : pieces) samples += static_cast<double>(p.n);
      return samples;
    }();
    const std::string at = name + "/" + std::to_string(length);
    Line(at + " bytes/sample, hinted | gorilla", hinted.bytes, gorilla_bytes, "");
    Line(at + " bytes/sample, no hint | gorilla", plain.bytes, gorilla_bytes, "");
    Line(at + " encode ns, hinted | gorilla", hinted.encode_ns, gorilla.encode_ns, encode_budget);
    Line(at + " encode ns, no hint | gorilla", plain.encode_ns, gorilla.encode_ns, "");
    Line(at + " decode ns | gorilla", plain.decode_ns, gorilla.decode_ns, decode_budget);
    Line(at + " decode ns | memcpy", plain.decode_ns, copy.decode_ns, "");
    if (length == 480) {
      // The newest 20 values of each chunk, as an instant query reads them; per chunk, beside decoding all of it.
      std::vector<std::string> chunks;
      for (const Piece& p : pieces) {
        if (p.n != length) continue;
        chunks.emplace_back();
        prom::chunk::EncodeValues({p.v, p.n}, &chunks.back());
      }
      double tail = 1e18, whole = 1e18;
      for (int round = 0; round < 6 && !chunks.empty(); ++round) {
        const auto time = [&](std::size_t first) {
          const double start = Seconds();
          for (const std::string& chunk : chunks)
            if (!prom::chunk::DecodeValueRange(chunk, first, {room.data(), length - first})) std::abort();
          return (Seconds() - start) * 1e9 / static_cast<double>(chunks.size());
        };
        tail = std::min(tail, time(length - 20));
        whole = std::min(whole, time(0));
      }
      Line(at + " last 20 of a chunk ns | all of it", tail, whole, "");
      // What a CPU without AVX2 gets.
      double portable_encode = 1e18;
      std::string bytes;
      for (int round = 0; round < 6; ++round) {
        const double start = Seconds();
        for (std::size_t i = 0; i < pieces.size(); ++i) {
          bytes.clear();
          prom::chunk::AppendValueBody({pieces[i].v, pieces[i].n}, &bytes, &hints[series_of[i]], prom::chunk::PortableKernels());
        }
        std::size_t total = 0;
        for (const Piece& p : pieces) total += p.n;
        portable_encode = std::min(portable_encode, (Seconds() - start) * 1e9 / static_cast<double>(total));
      }
      Line(at + " encode ns, hinted, without AVX2 | gorilla", portable_encode, gorilla.encode_ns, encode_budget);
      double portable = 1e18;
      for (int round = 0; round < 6 && !chunks.empty(); ++round) {
        const double start = Seconds();
        for (const std::string& chunk : chunks) {
          const auto* p = reinterpret_cast<const std::uint8_t*>(chunk.data()) + 2;  // the count, 480, takes two bytes
          prom::chunk::ValueBodyReader body;
          if (!body.Open(&p, p + chunk.size() - 2, length, prom::chunk::PortableKernels()) || !body.Read(0, length, room.data())) std::abort();
        }
        portable = std::min(portable, (Seconds() - start) * 1e9 / static_cast<double>(chunks.size() * length));
      }
      Line(at + " decode ns, without AVX2 | gorilla", portable, gorilla.decode_ns, decode_budget);
    }
    // Groups of about 64 KiB, LZ4 where it pays.
    std::string group, stored, buffer;
    std::size_t total = 0, samples = 0;
    const auto flush = [&] {
      stored.clear();
      prom::chunk::AppendGroup(group, &stored);
      total += stored.size();
      group.clear();
    };
    for (const Piece& p : pieces) {
      prom::chunk::EncodeValues({p.v, p.n}, &group);
      samples += p.n;
      if (group.size() >= prom::chunk::kGroupBytes) flush();
    }
    if (!group.empty()) flush();
    grouped = static_cast<double>(total) / static_cast<double>(samples);
    Line(at + " bytes/sample, in groups | gorilla", grouped, gorilla_bytes, length == 480 ? bytes_budget : "");
  }
  return grouped;
}

// Integer histograms of 40 buckets, observed at random: bytes and ns a bucket.
void ReportHistograms() {
  std::mt19937_64 rng(9);
  std::vector<prom::Histogram> histograms(480);
  prom::Histogram h;
  h.is_float = false;
  h.schema = 3;
  h.zero_threshold = 0x1p-128;
  h.positive_spans = {{-20, 40}};
  h.positive_buckets.assign(40, 0);
  for (auto& sample : histograms) {
    for (int i = 0; i < 100; ++i) {  // a bell: most observations in a dozen buckets
      h.positive_buckets[(rng() % 14 + rng() % 14 + rng() % 14)] += 1;
      h.sum += static_cast<double>(rng() % 1000000) / 1e6;
      h.count += 1;
    }
    sample = h;
  }
  std::vector<const prom::Histogram*> pointers;
  for (const auto& sample : histograms) pointers.push_back(&sample);
  std::string chunk;
  std::vector<prom::Histogram> out;
  double encode = 1e18, decode = 1e18;
  const double cells = 480.0 * 43;
  for (int round = 0; round < 5; ++round) {
    chunk.clear();
    double start = Seconds();
    if (!prom::chunk::EncodeHistograms(pointers, &chunk)) std::abort();
    encode = std::min(encode, (Seconds() - start) * 1e9 / cells);
    start = Seconds();
    if (!prom::chunk::DecodeHistograms(chunk, &out) || out != histograms) std::abort();
    decode = std::min(decode, (Seconds() - start) * 1e9 / cells);
  }
  Line("histograms/480 bytes a bucket | raw", static_cast<double>(chunk.size()) / cells, 8, "0.8");
  Line("histograms/480 encode ns a bucket", encode, 0, "10");
  Line("histograms/480 decode ns a bucket", decode, 0, "10");
}

void ReportTimes(const std::string& name, const Data& data, double value_bytes) {
  for (const std::size_t length : {32u, 120u, 480u}) {
    std::set<std::vector<std::int64_t>> columns;
    std::size_t samples = 0, refs = 0, own = 0;
    std::string bytes;
    for (const Series& s : data) {
      for (std::size_t at = 0; at < s.t.size(); at += length) {
        const std::size_t n = std::min(length, s.t.size() - at);
        std::vector<std::int64_t> t(s.t.begin() + static_cast<std::ptrdiff_t>(at), s.t.begin() + static_cast<std::ptrdiff_t>(at + n));
        samples += n;
        ++refs;
        bytes.clear();
        prom::chunk::EncodeTimes(t, &bytes);
        own += bytes.size();
        columns.insert(std::move(t));
      }
    }
    std::size_t shared = 0;
    double decode_ns = 1e18;
    std::vector<std::string> encoded;
    std::vector<std::size_t> counts;
    std::size_t times = 0;
    for (const auto& t : columns) {
      bytes.clear();
      prom::chunk::EncodeTimes(t, &bytes);
      shared += bytes.size();
      encoded.push_back(bytes);
      counts.push_back(t.size());
      times += t.size();
    }
    std::vector<std::int64_t> out(65536);
    for (int round = 0; round < 6; ++round) {
      const double start = Seconds();
      for (std::size_t i = 0; i < encoded.size(); ++i)
        if (!prom::chunk::DecodeTimes(encoded[i], {out.data(), counts[i]})) std::abort();
      decode_ns = std::min(decode_ns, (Seconds() - start) * 1e9 / static_cast<double>(times));
    }
    const auto per = [&](std::size_t n) { return static_cast<double>(n) / static_cast<double>(samples); };
    const std::string at = name + "/" + std::to_string(length);
    Line(at + " time bytes/sample, shared + 2 a ref | own", per(shared + 2 * refs), per(own), "0.04");
    Line(at + " time decode ns", decode_ns, 0, "2");
    if (length == 480) Line(at + " bytes/sample, values and times", value_bytes + per(shared + 2 * refs), 0, "0.30");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* env = std::getenv("PROMKIT_CORPUS");
  const std::string archive = argc > 1 ? argv[1] : env != nullptr ? env : "../shared/corpus/pages.tar.zst";
  std::printf("%-44s %9s %9s  %s\n", "name", "ours", "floor", "budget");
  Report("busy", BusyCounters(200, 1920), "-", "10", "1.6");
  ReportHistograms();
  const Data pages = LoadPages(archive);
  if (pages.empty()) {
    std::printf("no pages at %s: recorded data not measured\n", archive.c_str());
    return 0;
  }
  std::size_t samples = 0;
  for (const Series& s : pages) samples += s.v.size();
  std::printf("# %zu series, %zu samples on recorded pages\n", pages.size(), samples);
  const double value_bytes = Report("pages", pages, "0.26", "10", "0.8");
  ReportTimes("pages", pages, value_bytes);
  return 0;
}

#include "promql/output/graph.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "base/time.h"
#include "promql/output/axis.h"

namespace prom::promql {
namespace {

// Colours that read on dark and light backgrounds.
constexpr const char* kColours[] = {"\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[31m", "\x1b[34m"};
constexpr const char* kReset = "\x1b[0m";
constexpr std::size_t kMostSeries = 10;  // drawn
constexpr int kLeastHeight = 4;

std::string Utf8(std::uint32_t cp) {
  return {static_cast<char>(0xe0 | cp >> 12), static_cast<char>(0x80 | (cp >> 6 & 63)), static_cast<char>(0x80 | (cp & 63))};
}

std::string Number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
  return StringPrintf("%.6g", v);
}

class Canvas {
 public:
  Canvas(int width, int height) : width_(width), height_(height), dots_(static_cast<std::size_t>(width * height)), owner_(dots_.size(), -1) {}
  int dot_width() const { return width_ * 2; }
  int dot_height() const { return height_ * 4; }
  void Set(int x, int y, int series) {  // y from the top
    if (x < 0 || y < 0 || x >= dot_width() || y >= dot_height()) return;
    // The dots of a braille cell, row by row.
    static constexpr std::uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const auto cell = static_cast<std::size_t>(y / 4 * width_ + x / 2);
    dots_[cell] |= kBits[y % 4][x % 2];
    owner_[cell] = series;
  }
  void Line(int x0, int y0, int x1, int y1, int series) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) Set(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps, series);
  }
  std::string Row(int row, bool colour) const {
    std::string out;
    int current = -1;
    for (int x = 0; x < width_; ++x) {
      const auto cell = static_cast<std::size_t>(row * width_ + x);
      if (dots_[cell] == 0) {
        out += ' ';
        continue;
      }
      if (colour && owner_[cell] != current) {
        current = owner_[cell];
        out += kColours[static_cast<std::size_t>(current) % std::size(kColours)];
      }
      out += Utf8(0x2800 + dots_[cell]);
    }
    if (current >= 0) out += kReset;
    return out;
  }

 private:
  int width_, height_;
  std::vector<std::uint8_t> dots_;
  std::vector<int> owner_;
};

// What is drawn, and what is not.
struct Picture {
  std::vector<const ResultSeries*> lines;  // largest last value first
  std::size_t with_floats = 0, histograms = 0, not_finite = 0;
  std::int64_t start_ms = kMaxTimeMs, end_ms = kMinTimeMs, interval_ms = kMaxTimeMs;
  double low = INFINITY, high = -INFINITY;
};

Picture Choose(const QueryResult& result, const RenderOptions& options) {
  Picture out;
  for (const ResultSeries& s : result.series) {
    out.histograms += s.histograms.empty() ? 0 : 1;
    if (!s.floats.empty()) out.lines.push_back(&s);
  }
  out.with_floats = out.lines.size();
  const auto rank = [](const ResultSeries* s) { return std::isnan(s->floats.back().v) ? -INFINITY : s->floats.back().v; };
  std::stable_sort(out.lines.begin(), out.lines.end(), [&](const ResultSeries* a, const ResultSeries* b) { return rank(a) > rank(b); });
  // The legend may take a third of a small terminal.
  const std::size_t most = options.rows > 0 ? std::clamp<std::size_t>(static_cast<std::size_t>(options.rows) / 3, 1, kMostSeries) : kMostSeries;
  if (out.lines.size() > most) out.lines.resize(most);
  for (const ResultSeries* s : out.lines) {
    for (std::size_t i = 0; i < s->floats.size(); ++i) {
      const FloatSample& f = s->floats[i];
      out.start_ms = std::min(out.start_ms, f.t_ms);
      out.end_ms = std::max(out.end_ms, f.t_ms);
      if (i > 0) out.interval_ms = std::min(out.interval_ms, f.t_ms - s->floats[i - 1].t_ms);
      if (std::isfinite(f.v)) out.low = std::min(out.low, f.v), out.high = std::max(out.high, f.v);
      else ++out.not_finite;
    }
  }
  if (options.end_ms > options.start_ms) {
    out.start_ms = std::min(out.start_ms, options.start_ms);
    out.end_ms = std::max(out.end_ms, options.end_ms);
  }
  return out;
}

std::string Legend(const Picture& picture, const RenderOptions& options) {
  std::string out;
  std::size_t widest = 0;
  for (const ResultSeries* s : picture.lines) widest = std::max(widest, DisplayWidth(SafeText(s->labels.ToSeries())));
  const bool tight = options.fit && static_cast<int>(widest) + 24 > options.width;
  const std::vector<std::string> left_out = tight ? ConstantLabels(picture.lines) : std::vector<std::string>();
  for (std::size_t i = 0; i < picture.lines.size(); ++i) {
    const ResultSeries& s = *picture.lines[i];
    const std::string last = "  last " + Number(s.floats.back().v);
    std::string name = SafeText(NameWithout(s.labels, left_out));
    if (options.fit) name = CutText(name, static_cast<std::size_t>(std::max(options.width - 5 - static_cast<int>(last.size()), 10)));
    if (options.colour) out += kColours[i % std::size(kColours)];
    out += "  ⣀⣀ ";
    if (options.colour) out += kReset;
    out += name + last + "\n";
  }
  return out;
}

std::string Notes(const Picture& picture, const RenderOptions& options) {
  std::vector<std::string> notes;
  if (picture.lines.size() < picture.with_floats)
    notes.push_back("the " + std::to_string(picture.lines.size()) + " of " + std::to_string(picture.with_floats) + " series with the largest last value");
  if (picture.not_finite > 0) notes.push_back(std::to_string(picture.not_finite) + (picture.not_finite == 1 ? " value is" : " values are") + " NaN or infinite");
  if (picture.histograms > 0) notes.push_back(std::to_string(picture.histograms) + " series of histograms not drawn");
  if (notes.empty()) return {};
  const std::string text = "  (" + Join(notes, "; ") + ")";
  return (options.fit ? CutText(text, static_cast<std::size_t>(std::max(options.width, 20))) : text) + "\n";
}

// The time axis: a line with ticks, and their labels, "UTC" behind the last or in the margin.
std::string TimeAxis(const Picture& picture, int margin, int width) {
  const auto ticks = MakeTimeAxis(picture.start_ms, picture.end_ms, width);
  std::vector<std::string> line(static_cast<std::size_t>(width), "─");
  std::string labels(static_cast<std::size_t>(margin + 2), ' ');
  if (margin >= 3) labels.replace(static_cast<std::size_t>(margin) - 3, 3, "UTC");
  int free_from = margin + 2;
  const double span = std::max<double>(static_cast<double>(picture.end_ms - picture.start_ms), 1);
  for (const TimeTick& tick : ticks) {
    const auto at = static_cast<int>(static_cast<double>(tick.t_ms - picture.start_ms) / span * (width - 1) + 0.5);
    const auto size = static_cast<int>(tick.label.size());
    const int from = std::clamp(margin + 2 + at - size / 2, margin + 2, std::max(margin + 2 + width - size, margin + 2));
    if (from < free_from) continue;
    line[static_cast<std::size_t>(std::clamp(at, 0, width - 1))] = "┬";
    labels.resize(static_cast<std::size_t>(from), ' ');
    labels += tick.label;
    free_from = from + size + 2;
  }
  if (margin < 3 && static_cast<int>(labels.size()) + 4 <= margin + 2 + width) labels += " UTC";
  return std::string(static_cast<std::size_t>(margin), ' ') + " └" + Join(line, "") + "\n" + labels + "\n";
}

}  // namespace

std::string Sparkline(const std::vector<FloatSample>& samples, std::size_t width, std::int64_t start_ms, std::int64_t end_ms) {
  const std::size_t n = samples.size();
  std::size_t columns = std::min(n, width);
  const bool timed = end_ms > start_ms && n > 1;
  if (timed) {
    std::int64_t interval = kMaxTimeMs;
    for (std::size_t i = 1; i < n; ++i) interval = std::min(interval, samples[i].t_ms - samples[i - 1].t_ms);
    columns = std::min(width, static_cast<std::size_t>((end_ms - start_ms) / std::max<std::int64_t>(interval, 1)) + 1);
  }
  struct Share {
    double sum = 0;
    std::size_t n = 0;
  };
  std::vector<Share> shares(columns);
  for (std::size_t i = 0; i < n; ++i) {
    if (!std::isfinite(samples[i].v)) continue;
    std::size_t at = i * columns / n;
    if (timed) {
      const double part = static_cast<double>(samples[i].t_ms - start_ms) / static_cast<double>(end_ms - start_ms);
      at = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * static_cast<double>(columns - 1) + 0.5);
    }
    shares[at].sum += samples[i].v;
    ++shares[at].n;
  }
  double low = INFINITY, high = -INFINITY;
  std::vector<double> means;
  for (const Share& s : shares) {
    means.push_back(s.n == 0 ? NAN : s.sum / static_cast<double>(s.n));
    if (std::isfinite(means.back())) low = std::min(low, means.back()), high = std::max(high, means.back());
  }
  std::string out;
  for (const double x : means) {
    if (!std::isfinite(x)) {
      out += ' ';
      continue;
    }
    const int level = high > low ? static_cast<int>((x / 2 - low / 2) / (high / 2 - low / 2) * 7.999) : 0;
    out += Utf8(0x2581 + static_cast<std::uint32_t>(std::clamp(level, 0, 7)));
  }
  return out;
}

std::string RenderGraph(const QueryResult& result, const RenderOptions& options) {
  Picture picture = Choose(result, options);
  if (!std::isfinite(picture.low)) return {};
  if (picture.low == picture.high) {  // a flat line lies in the middle
    const double margin = picture.low == 0 ? 1 : std::fabs(picture.low) * 0.1;
    picture.low -= margin;
    picture.high += margin;
    if (!std::isfinite(picture.low) || !std::isfinite(picture.high)) picture.low /= 2, picture.high /= 2;
  }
  const std::string legend = Legend(picture, options), notes = Notes(picture, options);
  const int below = 2 + static_cast<int>(picture.lines.size()) + (notes.empty() ? 0 : 1);
  const int height = options.rows > 0 ? std::clamp(options.rows - below, kLeastHeight, 30) : std::max(options.height, kLeastHeight);
  const ValueAxis axis = MakeValueAxis(picture.low, picture.high, std::max(height / 3, 2));
  std::size_t widest = 0;
  for (const std::string& label : axis.labels) widest = std::max(widest, label.size());
  const auto margin = static_cast<int>(widest);
  const int width = std::max(options.width - margin - 2, 10);
  Canvas canvas(width, height);
  const double time_span = std::max<double>(static_cast<double>(picture.end_ms - picture.start_ms), 1);
  const auto x_of = [&](std::int64_t t) { return static_cast<int>(static_cast<double>(t - picture.start_ms) / time_span * (canvas.dot_width() - 1)); };
  const double span = axis.high / 2 - axis.low / 2;
  const auto y_of = [&](double v) { return static_cast<int>((axis.high / 2 - v / 2) / span * (canvas.dot_height() - 1) + 0.5); };
  // The first of the legend is drawn last, so that it lies on top.
  for (std::size_t i = picture.lines.size(); i-- > 0;) {
    const FloatSample* last = nullptr;
    for (const FloatSample& f : picture.lines[i]->floats) {
      if (!std::isfinite(f.v)) {
        last = nullptr;
        continue;
      }
      const int x = x_of(f.t_ms), y = y_of(f.v);
      // Neighbouring steps are joined; a gap stays a gap.
      if (last != nullptr && f.t_ms - last->t_ms <= picture.interval_ms + picture.interval_ms / 2) {
        canvas.Line(x_of(last->t_ms), y_of(last->v), x, y, static_cast<int>(i));
      } else {
        canvas.Set(x, y, static_cast<int>(i));
      }
      last = &f;
    }
  }
  std::vector<std::string> labels(static_cast<std::size_t>(height));
  for (std::size_t i = 0; i < axis.ticks.size(); ++i) labels[static_cast<std::size_t>(std::clamp(y_of(axis.ticks[i]) / 4, 0, height - 1))] = axis.labels[i];
  std::string out;
  for (int row = 0; row < height; ++row) {
    const std::string& label = labels[static_cast<std::size_t>(row)];
    out += std::string(static_cast<std::size_t>(margin) - label.size(), ' ') + label + (label.empty() ? " │" : " ┤") + canvas.Row(row, options.colour) + "\n";
  }
  return out + TimeAxis(picture, margin, width) + legend + notes;
}

}  // namespace prom::promql

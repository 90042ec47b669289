#include "promql/output/graph.h"

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "base/time.h"

namespace prom::promql {
namespace {

// Colours that read on dark and light backgrounds.
constexpr const char* kColours[] = {"\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m", "\x1b[31m", "\x1b[34m"};
constexpr const char* kReset = "\x1b[0m";
constexpr std::size_t kLegend = 10;  // series named below the graph

std::string Utf8(std::uint32_t cp) {
  return {static_cast<char>(0xe0 | cp >> 12), static_cast<char>(0x80 | (cp >> 6 & 63)), static_cast<char>(0x80 | (cp & 63))};
}

std::string Number(double v) { return StringPrintf("%.4g", v); }

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

std::string ClockText(std::int64_t t_ms, std::int64_t range_ms) {
  const std::string full = FormatTimeRfc3339(t_ms - (t_ms % 1000 + 1000) % 1000);
  if (range_ms >= 2 * 86'400'000) return full.substr(5, 5) + " " + full.substr(11, 5);
  return full.substr(11, range_ms < 600'000 ? 8 : 5);
}

}  // namespace

std::string Sparkline(const std::vector<FloatSample>& samples, std::size_t width) {
  std::vector<double> v;
  const std::size_t n = samples.size();
  const std::size_t columns = std::min(n, width);
  // Each character is the mean of its share of the samples.
  for (std::size_t i = 0; i < columns; ++i) {
    double sum = 0;
    const std::size_t from = i * n / columns, to = std::max((i + 1) * n / columns, from + 1);
    for (std::size_t k = from; k < to; ++k) sum += samples[k].v;
    v.push_back(sum / static_cast<double>(to - from));
  }
  double low = INFINITY, high = -INFINITY;
  for (double x : v)
    if (std::isfinite(x)) low = std::min(low, x), high = std::max(high, x);
  std::string out;
  for (double x : v) {
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
  std::int64_t t0 = kMaxTimeMs, t1 = kMinTimeMs, gap = kMaxTimeMs;
  double low = INFINITY, high = -INFINITY;
  for (const ResultSeries& s : result.series) {
    for (std::size_t i = 0; i < s.floats.size(); ++i) {
      const FloatSample& f = s.floats[i];
      t0 = std::min(t0, f.t_ms);
      t1 = std::max(t1, f.t_ms);
      if (i > 0) gap = std::min(gap, f.t_ms - s.floats[i - 1].t_ms);
      if (std::isfinite(f.v)) low = std::min(low, f.v), high = std::max(high, f.v);
    }
  }
  if (!std::isfinite(low)) return {};
  if (low == high) {  // a flat line lies in the middle
    const double margin = low == 0 ? 1 : std::fabs(low) * 0.1;
    low -= margin;
    high += margin;
  }
  const std::string top = Number(high), middle = Number(high / 2 + low / 2), bottom = Number(low);
  const auto margin = static_cast<int>(std::max({top.size(), middle.size(), bottom.size()}));
  const int height = std::max(options.height, 3), width = std::max(options.width - margin - 3, 10);
  Canvas canvas(width, height);
  const auto x_of = [&](std::int64_t t) { return t1 == t0 ? 0 : static_cast<int>(static_cast<double>(t - t0) / static_cast<double>(t1 - t0) * (canvas.dot_width() - 1)); };
  // Halved, so that the span of the largest doubles is finite.
  const double span = high / 2 - low / 2;
  const auto y_of = [&](double v) { return static_cast<int>((high / 2 - v / 2) / span * (canvas.dot_height() - 1) + 0.5); };
  for (std::size_t i = 0; i < result.series.size(); ++i) {
    const FloatSample* last = nullptr;
    for (const FloatSample& f : result.series[i].floats) {
      if (!std::isfinite(f.v)) {
        last = nullptr;
        continue;
      }
      const int x = x_of(f.t_ms), y = y_of(f.v);
      // Neighbouring steps are joined; a gap stays a gap.
      if (last != nullptr && f.t_ms - last->t_ms <= gap + gap / 2) {
        canvas.Line(x_of(last->t_ms), y_of(last->v), x, y, static_cast<int>(i));
      } else {
        canvas.Set(x, y, static_cast<int>(i));
      }
      last = &f;
    }
  }
  std::string out;
  for (int row = 0; row < height; ++row) {
    const std::string label = row == 0 ? top : row == height / 2 ? middle : row == height - 1 ? bottom : "";
    out += std::string(static_cast<std::size_t>(margin) - label.size(), ' ') + label + (label.empty() ? " │" : " ┤") + canvas.Row(row, options.colour) + "\n";
  }
  out += std::string(static_cast<std::size_t>(margin), ' ') + " └";
  for (int i = 0; i < width; ++i) out += "─";
  out += "\n";
  const std::string left = ClockText(t0, t1 - t0), centre = ClockText(t0 + (t1 - t0) / 2, t1 - t0), right = ClockText(t1, t1 - t0) + " UTC";
  std::string axis(static_cast<std::size_t>(margin + 2), ' ');
  axis += left;
  const auto place = [&](std::string_view text, int at) {
    if (at > static_cast<int>(axis.size())) axis += std::string(static_cast<std::size_t>(at) - axis.size(), ' ') + std::string(text);
  };
  place(centre, margin + 2 + width / 2 - static_cast<int>(centre.size()) / 2);
  place(right, margin + 2 + width - static_cast<int>(right.size()));
  out += axis + "\n";
  for (std::size_t i = 0; i < result.series.size() && i < kLegend; ++i) {
    if (options.colour) out += kColours[i % std::size(kColours)];
    const std::string last = result.series[i].floats.empty() ? "" : "  last " + Number(result.series[i].floats.back().v);
    std::string name = result.series[i].labels.ToSeries();
    if (options.fit) name = CutText(name, static_cast<std::size_t>(std::max(options.width - 5 - static_cast<int>(last.size()), 10)));
    out += "  ⣀⣀ " + name;
    if (options.colour) out += kReset;
    out += last;
    out += "\n";
  }
  if (result.series.size() > kLegend) out += "  and " + std::to_string(result.series.size() - kLegend) + " more series\n";
  return out;
}

}  // namespace prom::promql

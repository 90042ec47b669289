// TextWriter: prints metric families as exposition text, format 0.0.4 (1.0.0 when
// a name needs quotes). For exporters: lines appear in the order of the calls, so
// that a collector that walks its source in a fixed order prints a stable page,
// which readers that remember the last page reward.
//
//   TextWriter out(&page);
//   out.Family("node_load1", "1m load average.", "gauge");
//   out.Sample("node_load1", {}, 0.25);
//
// Appends to *out, which must outlive the writer. Not thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace prom {

using LabelPair = std::pair<std::string_view, std::string_view>;

class TextWriter {
 public:
  explicit TextWriter(std::string* out) : out_(*out) {}

  // # HELP (left out when `help` is empty) and # TYPE. `type` is "counter", "gauge",
  // "histogram", "summary", "untyped".
  void Family(std::string_view name, std::string_view help, std::string_view type);
  // Labels in the order given; empty values are printed. `name` may have the suffix of its kind (_sum, _bucket).
  void Sample(std::string_view name, std::span<const LabelPair> labels, double value);
  void Sample(std::string_view name, std::initializer_list<LabelPair> labels, double value) {
    Sample(name, std::span<const LabelPair>(labels.begin(), labels.size()), value);
  }
  // The same with the sample's own time, ms since the epoch.
  void SampleAt(std::string_view name, std::span<const LabelPair> labels, double value, std::int64_t t_ms);

 private:
  std::string& out_;
};

// Pieces of the format, for whoever prints it in another order.
// Escapes \ and newline (HELP text).
void AppendEscapedHelp(std::string* out, std::string_view help);
// Escapes \, " and newline (label values, quoted names).
void AppendEscapedValue(std::string* out, std::string_view value);
// Shortest text that reads back to the same bits, as Go's 'g' prints it.
void AppendFloat(std::string* out, double value);
void AppendInt(std::string* out, std::int64_t value);
// name{a="b",c="d"}; a name outside [a-zA-Z_:][a-zA-Z0-9_:]* goes quoted inside the braces.
void AppendSeries(std::string* out, std::string_view name, std::span<const LabelPair> labels);
// A metric name as # HELP and # TYPE lines have it: quoted when it must be.
void AppendMetricName(std::string* out, std::string_view name);

}  // namespace prom

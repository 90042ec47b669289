// JSON lines as VictoriaMetrics' /api/v1/export: see jsonl_reader.h for the values.
// Stale markers and other NaN go in lines of their own: VictoriaMetrics up to 1.79
// refuses a whole line that has one.
#include <algorithm>

#include "base/json.h"
#include "base/number.h"
#include "exposition/stream_text.h"
#include "exposition/write_text.h"
#include "transfer/export.h"

namespace prom::transfer {
namespace {

constexpr std::size_t kSamplesPerLine = 10'000;

class JsonLinesPrinter : public SeriesPrinter {
 public:
  explicit JsonLinesPrinter(ExportSummary* summary) : summary_(summary) {}

  void Series(std::string* out, const Labels& labels, const SeriesColumns& c, const std::vector<Exemplar>& exemplars) override {
    metric_ = "{\"metric\":{";
    bool first = true;
    for (const Label label : labels) {
      if (!first) metric_.push_back(',');
      first = false;
      AppendJsonString(&metric_, label.name);
      metric_.push_back(':');
      AppendJsonString(&metric_, label.value);
    }
    metric_ += "},\"values\":[";
    for (const bool nan : {false, true}) {
      chosen_.clear();
      for (std::size_t i = 0; i < c.t.size(); ++i)
        if ((c.v[i] != c.v[i]) == nan) chosen_.push_back(i);
      for (std::size_t from = 0; from < chosen_.size(); from += kSamplesPerLine) Line(out, c, std::span(chosen_).subspan(from, std::min(kSamplesPerLine, chosen_.size() - from)));
    }
    summary_->histograms += c.histograms.size();
    summary_->exemplars += exemplars.size();
    for (const std::int64_t st : c.st) summary_->start_timestamps += st != 0 ? 1 : 0;
  }

 private:
  void Line(std::string* out, const SeriesColumns& c, std::span<const std::size_t> rows) const {
    *out += metric_;
    for (const std::size_t i : rows) {
      if (i != rows.front()) out->push_back(',');
      Value(out, c.v[i]);
    }
    *out += "],\"timestamps\":[";
    for (const std::size_t i : rows) {
      if (i != rows.front()) out->push_back(',');
      AppendInt(out, c.t[i]);
    }
    *out += "]}\n";
  }
  static void Value(std::string* out, double v) {
    if (v - v == 0) {
      AppendFloat(out, v);
    } else if (v == v) {
      *out += v > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else if (IsStaleNan(v)) {
      *out += "null";
    } else {
      out->push_back('"');
      AppendStreamFloat(out, v);
      out->push_back('"');
    }
  }

  ExportSummary* summary_;
  std::string metric_;
  std::vector<std::size_t> chosen_;
};

}  // namespace

std::unique_ptr<SeriesPrinter> NewJsonLinesPrinter(ExportSummary* summary) { return std::make_unique<JsonLinesPrinter>(summary); }

}  // namespace prom::transfer

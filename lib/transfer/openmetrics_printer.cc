// OpenMetrics 1.0: seconds, metadata by family, exemplars behind samples. It has no
// words for stale markers, for a NaN other than the ordinary one, for native histograms.
#include <cstring>
#include <set>

#include "base/number.h"
#include "exposition/stream_text.h"
#include "exposition/write_text.h"
#include "store/dump.h"
#include "transfer/export.h"

namespace prom::transfer {
namespace {

class OpenMetricsPrinter : public SeriesPrinter {
 public:
  OpenMetricsPrinter(const std::vector<std::pair<std::string, Metadata>>& metadata, ExportSummary* summary) : summary_(summary) {
    for (const auto& [name, m] : metadata) metadata_.emplace(name, m);
  }

  void Series(std::string* out, const Labels& labels, const SeriesColumns& c, const std::vector<Exemplar>& exemplars) override {
    Family(out, labels.metric_name());
    series_.clear();
    AppendSeriesText(&series_, labels);
    series_.push_back(' ');
    char text[kMaxFloatText + 32];
    std::size_t e = 0, printed = 0;
    for (std::size_t i = 0; i < c.t.size(); ++i) {
      if (IsStaleNan(c.v[i])) {
        ++summary_->stale_markers;
        continue;
      }
      if (c.v[i] != c.v[i] && !IsNormalNan(c.v[i])) ++summary_->nan_payloads;
      *out += series_;
      char* end = WriteFloatG(text, c.v[i]);
      *end++ = ' ';
      end = WriteMillisAsSeconds(end, c.t[i]);
      out->append(text, end);
      // An exemplar goes with the first sample that is not older.
      const std::size_t before = e;
      while (e < exemplars.size() && exemplars[e].t_ms <= c.t[i]) ++e;
      if (e > before) {
        Append(out, exemplars[e - 1]);
        ++printed;
      }
      out->push_back('\n');
    }
    summary_->exemplars += exemplars.size() - printed;
    summary_->histograms += c.histograms.size();
    for (const std::int64_t st : c.st) summary_->start_timestamps += st != 0 ? 1 : 0;
  }
  void Finish(std::string* out) override { *out += "# EOF\n"; }

 private:
  static bool IsNormalNan(double v) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &v, sizeof bits);
    return bits == kNormalNanBits;
  }

  void Family(std::string* out, std::string_view series_name) {
    const auto* found = store::FindMetadata(metadata_, series_name);
    if (found == nullptr) return;
    std::string name = found->first;
    const Metadata& m = found->second;
    MetricType type = m.type;
    if (type == MetricType::kCounter) {
      // A counter is named without the _total of its samples; one without it is none.
      if (name.ends_with("_total")) name.resize(name.size() - 6);
      else if (!series_name.ends_with("_total")) type = MetricType::kUnknown;
    }
    if (!said_.insert(name).second) return;
    *out += "# TYPE ";
    AppendMetricName(out, name);
    *out += " " + std::string(MetricTypeName(type)) + "\n";
    if (!m.unit.empty() && name.ends_with("_" + m.unit)) {
      *out += "# UNIT ";
      AppendMetricName(out, name);
      *out += " " + m.unit + "\n";
    }
    if (m.help.empty()) return;
    *out += "# HELP ";
    AppendMetricName(out, name);
    out->push_back(' ');
    AppendEscapedValue(out, m.help);
    out->push_back('\n');
  }

  static void Append(std::string* out, const Exemplar& e) {
    *out += " # {";
    bool first = true;
    for (const Label label : e.labels) {
      if (!first) out->push_back(',');
      first = false;
      if (IsLegacyLabelName(label.name)) {
        *out += label.name;
      } else {
        out->push_back('"');
        AppendEscapedValue(out, label.name);
        out->push_back('"');
      }
      *out += "=\"";
      AppendEscapedValue(out, label.value);
      out->push_back('"');
    }
    *out += "} ";
    AppendFloat(out, e.value);
    if (!e.has_time) return;
    char text[32];
    out->push_back(' ');
    out->append(text, WriteMillisAsSeconds(text, e.t_ms));
  }

  ExportSummary* summary_;
  store::MetadataMap metadata_;
  std::set<std::string> said_;
  std::string series_;
};

}  // namespace

std::unique_ptr<SeriesPrinter> NewOpenMetricsPrinter(const std::vector<std::pair<std::string, Metadata>>& metadata, ExportSummary* summary) {
  return std::make_unique<OpenMetricsPrinter>(metadata, summary);
}

}  // namespace prom::transfer

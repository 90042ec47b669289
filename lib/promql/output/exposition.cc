#include "promql/output/exposition.h"

#include "exposition/stream_text.h"

namespace prom::promql {

Result<std::string> RenderExposition(const QueryResult& result) {
  std::string out;
  if (result.type == ValueType::kString) return Error{Errc::kInvalid, "a string is no sample: -o prom prints series only"};
  StreamTextWriter writer([&](std::string_view bytes) {
    out += bytes;
    return Result<void>();
  });
  for (const ResultSeries& s : result.series) {
    if (s.labels.metric_name().empty()) {
      return Error{Errc::kInvalid, "series " + s.labels.ToString() + " has no metric name, which the exposition format wants; give it one: label_replace(EXPR, \"__name__\", \"NAME\", \"\", \"\")" +
                                       (result.type == ValueType::kScalar ? ", EXPR being vector(...)" : "")};
    }
    PROM_TRY(writer.Reset());
    PROM_TRY(writer.DefineSeries(0, s.labels));
    auto h = s.histograms.begin();
    for (const FloatSample& f : s.floats) {
      for (; h != s.histograms.end() && h->t_ms < f.t_ms; ++h) PROM_TRY(writer.HistogramAt(0, h->t_ms, *h->h));
      PROM_TRY(writer.Sample(0, f.t_ms, f.v));
    }
    for (; h != s.histograms.end(); ++h) PROM_TRY(writer.HistogramAt(0, h->t_ms, *h->h));
  }
  PROM_TRY(writer.Flush());
  return out;
}

}  // namespace prom::promql

// CSV, RFC 4180: a header, then a record a sample: the labels, timestamp in ms, value.
// A NaN other than the ordinary one is its bits, 0x7ff0000000000002.
#include "exposition/stream_text.h"
#include "exposition/write_text.h"
#include "transfer/export.h"

namespace prom::transfer {
namespace {

void AppendCell(std::string* out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    *out += text;
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

class CsvPrinter : public SeriesPrinter {
 public:
  CsvPrinter(std::vector<std::string> names, ExportSummary* summary) : names_(std::move(names)), summary_(summary) {}

  void Series(std::string* out, const Labels& labels, const SeriesColumns& c, const std::vector<Exemplar>& exemplars) override {
    Header(out);
    cells_.clear();
    for (const std::string& name : names_) {
      AppendCell(&cells_, labels.Get(name));
      cells_.push_back(',');
    }
    for (std::size_t i = 0; i < c.t.size(); ++i) {
      *out += cells_;
      AppendInt(out, c.t[i]);
      out->push_back(',');
      AppendStreamFloat(out, c.v[i]);
      *out += "\r\n";
    }
    summary_->histograms += c.histograms.size();
    summary_->exemplars += exemplars.size();
    for (const std::int64_t st : c.st) summary_->start_timestamps += st != 0 ? 1 : 0;
  }
  void Finish(std::string* out) override { Header(out); }

 private:
  void Header(std::string* out) {
    if (header_) return;
    header_ = true;
    for (const std::string& name : names_) {
      AppendCell(out, name);
      out->push_back(',');
    }
    *out += "timestamp,value\r\n";
  }

  std::vector<std::string> names_;
  ExportSummary* summary_;
  std::string cells_;
  bool header_ = false;
};

}  // namespace

std::unique_ptr<SeriesPrinter> NewCsvPrinter(std::vector<std::string> names, ExportSummary* summary) { return std::make_unique<CsvPrinter>(std::move(names), summary); }

}  // namespace prom::transfer

#include "exposition/write_text.h"

#include <charconv>

#include "base/number.h"
#include "model/labels.h"

namespace prom {
namespace {

// Copies `s`, putting a backslash before each byte of `special` ('\n' becomes \n).
void AppendEscaped(std::string* out, std::string_view s, std::string_view special) {
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = s.find_first_of(special, begin);
    if (at == std::string_view::npos) break;
    out->append(s, begin, at - begin);
    out->push_back('\\');
    out->push_back(s[at] == '\n' ? 'n' : s[at]);
    begin = at + 1;
  }
  out->append(s, begin, s.size() - begin);
}

void AppendQuotedName(std::string* out, std::string_view name) {
  out->push_back('"');
  AppendEscapedValue(out, name);
  out->push_back('"');
}

}  // namespace

void AppendEscapedHelp(std::string* out, std::string_view help) { AppendEscaped(out, help, "\\\n"); }
void AppendEscapedValue(std::string* out, std::string_view value) { AppendEscaped(out, value, "\\\"\n"); }

void AppendInt(std::string* out, std::int64_t value) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out->append(buffer, static_cast<std::size_t>(end - buffer));
}

void AppendFloat(std::string* out, double value) {
  char buffer[kMaxFloatText];
  const char* end = WriteFloatG(buffer, value);
  out->append(buffer, static_cast<std::size_t>(end - buffer));
}

void AppendMetricName(std::string* out, std::string_view name) {
  if (IsLegacyMetricName(name)) {
    out->append(name);
  } else {
    AppendQuotedName(out, name);
  }
}

void AppendSeries(std::string* out, std::string_view name, std::span<const LabelPair> labels) {
  const bool legacy = IsLegacyMetricName(name);
  if (legacy) out->append(name);
  if (legacy && labels.empty()) return;
  out->push_back('{');
  if (!legacy) AppendQuotedName(out, name);
  bool comma = !legacy;
  for (const auto& [label, value] : labels) {
    if (comma) out->push_back(',');
    comma = true;
    if (IsLegacyLabelName(label)) {
      out->append(label);
    } else {
      AppendQuotedName(out, label);
    }
    out->append("=\"");
    AppendEscapedValue(out, value);
    out->push_back('"');
  }
  out->push_back('}');
}

void TextWriter::Family(std::string_view name, std::string_view help, std::string_view type) {
  if (!help.empty()) {
    out_.append("# HELP ");
    AppendMetricName(&out_, name);
    out_.push_back(' ');
    AppendEscapedHelp(&out_, help);
    out_.push_back('\n');
  }
  out_.append("# TYPE ");
  AppendMetricName(&out_, name);
  out_.push_back(' ');
  out_.append(type);
  out_.push_back('\n');
}

void TextWriter::Sample(std::string_view name, std::span<const LabelPair> labels, double value) {
  AppendSeries(&out_, name, labels);
  out_.push_back(' ');
  AppendFloat(&out_, value);
  out_.push_back('\n');
}

void TextWriter::SampleAt(std::string_view name, std::span<const LabelPair> labels, double value, std::int64_t t_ms) {
  AppendSeries(&out_, name, labels);
  out_.push_back(' ');
  AppendFloat(&out_, value);
  out_.push_back(' ');
  AppendInt(&out_, t_ms);
  out_.push_back('\n');
}

}  // namespace prom

#include "node/page.h"

#include <algorithm>

#include "base/number.h"

namespace prom::node {

void Page::Clear() {
  text_.clear();
  blocks_.clear();
}

void Page::Family(std::string_view name, std::string_view help, std::string_view type) {
  Block b{};
  b.begin = text_.size();
  TextWriter(&text_).Family(name, help, type);
  constexpr std::size_t kHelp = std::string_view("# HELP ").size();  // "# TYPE " is as long
  b.name = b.begin + kHelp;
  b.name_size = name.size();
  b.samples_at = b.end = text_.size();
  blocks_.push_back(b);
}

void Page::Sample(std::span<const LabelPair> labels, double value) {
  Block& b = blocks_.back();
  text_.append(text_, b.name, b.name_size);
  if (!labels.empty()) {
    char separator = '{';
    for (const auto& [name, label] : labels) {
      text_.push_back(separator);
      separator = ',';
      text_.append(name);
      text_.append("=\"");
      AppendEscapedValue(&text_, label);
      text_.push_back('"');
    }
    text_.push_back('}');
  }
  text_.push_back(' ');
  char buffer[kMaxFloatText];
  text_.append(buffer, static_cast<std::size_t>(WriteFloatG(buffer, value) - buffer));
  text_.push_back('\n');
  b.end = text_.size();
}

void Page::Append(const Page& other) {
  const std::size_t shift = text_.size();
  text_ += other.text_;
  for (Block b : other.blocks_) {
    b.begin += shift;
    b.name += shift;
    b.samples_at += shift;
    b.end += shift;
    blocks_.push_back(b);
  }
}

void Page::Print(std::string* out) const {
  std::vector<const Block*> order;
  order.reserve(blocks_.size());
  for (const Block& b : blocks_)
    if (b.end > b.samples_at) order.push_back(&b);
  std::stable_sort(order.begin(), order.end(), [this](const Block* a, const Block* b) { return NameOf(*a) < NameOf(*b); });
  out->reserve(out->size() + text_.size());
  std::string_view last;
  for (const Block* b : order) {
    // A family may stand on a page once; a second one (a file that names a field
    // twice) is dropped whole.
    if (NameOf(*b) == last) continue;
    last = NameOf(*b);
    out->append(text_, b->begin, b->end - b->begin);
  }
}

}  // namespace prom::node

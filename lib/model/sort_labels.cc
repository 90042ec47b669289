// Keys whose bytes order as label sets do, sorted by eight bytes at a time.
#include "model/sort_labels.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "base/sort_by_words.h"

namespace prom {
namespace {

struct Item {
  std::uint64_t word = 0;   // eight bytes of the key, first byte highest
  std::uint64_t at = 0;     // where the key begins
  std::uint32_t size = 0;
  std::uint32_t index = 0;  // in the caller's vector
};

// Ends in a zero, which sorts below all that a longer string could go on with; the bytes
// 0 and 1 are written as two.
void AppendKey(std::string* out, std::string_view text) {
  for (std::size_t at = 0;;) {
    std::size_t low = at;
    while (low < text.size() && static_cast<unsigned char>(text[low]) > 1) ++low;
    out->append(text, at, low - at);
    if (low == text.size()) break;
    out->push_back(1);
    out->push_back(static_cast<char>(text[low] + 1));
    at = low + 1;
  }
  out->push_back(0);
}

std::uint64_t Word(const std::string& keys, const Item& item, std::size_t depth) {
  if (depth >= item.size) return 0;
  std::uint64_t word = 0;
  std::memcpy(&word, keys.data() + item.at + depth, std::min<std::size_t>(8, item.size - depth));
  return __builtin_bswap64(word);
}

}  // namespace

void SortByLabels(std::vector<std::pair<Labels, std::uint32_t>>* series) {
  static_assert(std::endian::native == std::endian::little);
  if (std::is_sorted(series->begin(), series->end(), [](const auto& a, const auto& b) { return a.first < b.first; })) return;
  std::string keys;
  std::vector<Item> items(series->size());
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    items[i].at = keys.size();
    items[i].index = i;
    for (const Label label : (*series)[i].first) {
      AppendKey(&keys, label.name);
      AppendKey(&keys, label.value);
    }
    items[i].size = static_cast<std::uint32_t>(keys.size() - items[i].at);
  }

  SortByWords(
      &items, [&](const Item& item, std::size_t n) { return Word(keys, item, 8 * n); }, [](const Item& item, std::size_t n) { return 8 * n >= item.size; });

  std::vector<std::pair<Labels, std::uint32_t>> sorted;
  sorted.reserve(items.size());
  for (const Item& item : items) sorted.push_back(std::move((*series)[item.index]));
  *series = std::move(sorted);
}

}  // namespace prom

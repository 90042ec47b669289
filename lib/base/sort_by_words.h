// Sorting by long keys of which most begin alike: by one word of each at a time, then those that have it in common by the
// next one. Multikey quicksort with the next word cached (Bentley and Sedgewick 1997; Ng and Kakehi 2007).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace prom {

// An Item has a std::uint64_t `word`, which is overwritten. word_of(item, n) is the n-th word of its key, words from 0 on;
// ended(item, n): its key has no words from n on. A shorter key's missing words must be below all others. Items of equal
// keys come in any order. Not thread-safe beyond its arguments.
template <typename Item, typename WordOf, typename Ended>
void SortByWords(std::vector<Item>* items, WordOf word_of, Ended ended) {
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> todo = {{0, items->size(), 0}};
  while (!todo.empty()) {
    const Range range = todo.back();
    todo.pop_back();
    const auto begin = items->begin() + static_cast<std::ptrdiff_t>(range.begin), end = items->begin() + static_cast<std::ptrdiff_t>(range.end);
    bool all_ended = true, same = true;
    for (auto it = begin; it != end; ++it) {
      it->word = word_of(*it, range.depth);
      all_ended &= ended(*it, range.depth + 1);
      same &= it->word == begin->word;
    }
    if (!same) std::sort(begin, end, [](const Item& a, const Item& b) { return a.word < b.word; });
    if (all_ended) continue;
    for (auto run = begin; run != end;) {
      auto next = run + 1;
      while (next != end && next->word == run->word) ++next;
      if (next - run > 1) todo.push_back({static_cast<std::size_t>(run - items->begin()), static_cast<std::size_t>(next - items->begin()), range.depth + 1});
      run = next;
    }
  }
}

}  // namespace prom

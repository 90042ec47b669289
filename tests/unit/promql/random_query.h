// Random stores and random well-typed queries, all from a seed, for comparing two
// evaluators. Small on purpose: a few dozen series over forty minutes, so that
// matches, resets, gaps and equal label sets are met often.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "promql/memory_store.h"
#include "reference_eval.h"

namespace prom::promql::reference {

// Fills both with the same series: counters with resets, gauges with every odd float, native histograms
// (integer, float, custom buckets), classic buckets, series that change kind, stale markers, gaps.
void RandomStore(std::mt19937_64& random, Store* store, MemoryStore* memory);

class QueryGenerator {
 public:
  explicit QueryGenerator(std::mt19937_64& random) : random_(random) {}
  // An expression of type scalar or instant vector.
  std::string Query();

 private:
  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  template <typename T, std::size_t N>
  const T& Pick(const T (&of)[N]) {
    return of[Below(N)];
  }
  bool OneIn(std::size_t n) { return Below(n) == 0; }

  std::string Vector(int depth);
  std::string Scalar(int depth);
  std::string Range(int depth);
  std::string Selector();
  std::string Modifiers(bool subquery);
  std::string Aggregation(int depth);
  std::string Binary(int depth);
  std::string RangeCall(int depth);
  std::string Histograms(int depth);
  std::string Grouping();

  std::mt19937_64& random_;
};

}  // namespace prom::promql::reference

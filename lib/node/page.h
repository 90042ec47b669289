// Page: metric families as text, in the order of a Go registry (families by
// name, samples as added), so that it compares line by line with node_exporter's.
//
// Collectors begin a family and add its samples; a family without samples is
// not printed, as upstream does. Not thread-safe.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exposition/write_text.h"

namespace prom::node {

inline constexpr std::string_view kCounter = "counter";
inline constexpr std::string_view kGauge = "gauge";
inline constexpr std::string_view kUntyped = "untyped";

class Page {
 public:
  void Clear();
  // Starts a family. Of two with the same name only the first is printed.
  void Family(std::string_view name, std::string_view help, std::string_view type);
  // A sample of the family started last; labels sorted by name.
  void Sample(std::span<const LabelPair> labels, double value);
  void Sample(std::initializer_list<LabelPair> labels, double value) {
    Sample(std::span<const LabelPair>(labels.begin(), labels.size()), value);
  }
  // A family of one sample without labels.
  void Single(std::string_view name, std::string_view help, std::string_view type, double value) {
    Family(name, help, type);
    Sample({}, value);
  }
  // Families of `other` behind ours.
  void Append(const Page& other);
  // All families that have samples, sorted by name.
  void Print(std::string* out) const;
  // Makes room for the next page of about the same size.
  void Reserve(std::size_t bytes) { text_.reserve(bytes); }

 private:
  struct Block {
    std::size_t begin;       // of the block in text_
    std::size_t name;        // where the family's name stands in text_
    std::size_t name_size;
    std::size_t samples_at;  // where samples begin
    std::size_t end;
  };
  std::string_view NameOf(const Block& b) const { return std::string_view(text_).substr(b.name, b.name_size); }

  std::string text_;
  std::vector<Block> blocks_;
};

}  // namespace prom::node

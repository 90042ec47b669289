// Labels: an immutable label set, sorted by name, in one allocation.
//
// Layout of the bytes: for each label, name then value, each as length + bytes;
// length is one byte below 255, else 255 and three bytes little-endian. This is
// upstream's "stringlabels" (model/labels/labels_stringlabels.go), so Hash() is
// upstream's too, which limit_ratio and target offsets depend on.
//
// Views returned by Get and the iterator live as long as the Labels. Thread-safe
// for reading.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace prom {

inline constexpr std::string_view kMetricName = "__name__";

struct Label {
  std::string_view name;
  std::string_view value;
  friend auto operator<=>(const Label&, const Label&) = default;
};

class Labels {
 public:
  class Iterator {
   public:
    using value_type = Label;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(const char* p) : p_(p) {}
    Label operator*() const;
    Iterator& operator++();
    Iterator operator++(int) {
      Iterator old = *this;
      ++*this;
      return old;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;
    const char* position() const { return p_; }  // where the label stands in bytes()

   private:
    const char* p_ = nullptr;
  };

  Labels() = default;
  // Any order; a later duplicate name wins; empty values are dropped.
  Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);
  static Labels FromPairs(std::vector<std::pair<std::string, std::string>> pairs);
  // Already sorted, unique, non-empty values: not checked.
  static Labels FromSorted(const std::vector<Label>& labels);
  // Bytes in the layout above, as bytes() gave them; checked: nullopt-like kCorrupt.
  static Result<Labels> FromBytes(std::string_view bytes);

  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
  bool empty() const { return bytes_.empty(); }
  std::size_t size() const;  // number of labels; walks them
  std::string_view Get(std::string_view name) const;  // empty when absent
  bool Has(std::string_view name) const;
  std::string_view metric_name() const { return Get(kMetricName); }
  const std::string& bytes() const { return bytes_; }
  std::uint64_t Hash() const;  // XXH64 of bytes()

  // {a="b", c="d"} as upstream's Labels.String; names that need it are quoted.
  std::string ToString() const;
  // name{a="b"}: metric name in front, as the exposition format and error texts have it.
  std::string ToSeries() const;

  friend bool operator==(const Labels& a, const Labels& b) { return a.bytes_ == b.bytes_; }
  // Upstream's order: label by label, name then value; a prefix is smaller.
  friend std::strong_ordering operator<=>(const Labels& a, const Labels& b);

 private:
  std::string bytes_;
};

// Edits a label set. Not thread-safe.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(const Labels& base) { Reset(base); }
  void Reset(const Labels& base);
  void Clear() { labels_.clear(); }
  LabelsBuilder& Set(std::string_view name, std::string_view value);  // an empty value deletes
  LabelsBuilder& Del(std::string_view name);
  void Keep(const std::vector<std::string>& names);
  std::string_view Get(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return labels_; }  // sorted by name
  Labels Build() const;

 private:
  std::vector<std::pair<std::string, std::string>> labels_;
};

// [a-zA-Z_][a-zA-Z0-9_]* ; metric names also ':'.
bool IsLegacyLabelName(std::string_view name);
bool IsLegacyMetricName(std::string_view name);
// Any non-empty valid UTF-8.
bool IsValidLabelName(std::string_view name);

}  // namespace prom

template <>
struct std::hash<prom::Labels> {
  std::size_t operator()(const prom::Labels& l) const noexcept { return l.Hash(); }
};

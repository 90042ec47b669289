// Numbers for label sets, or for parts of them: how series are grouped and matched.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/labels.h"

namespace prom {

// What grouping or matching leaves of a label set: only the named labels, or all others.
class LabelSubset {
 public:
  enum class Names { kKept, kRemoved };
  LabelSubset(std::vector<std::string> names, Names what);
  // As Labels::bytes() of what is left. Valid until the next call.
  std::string_view Of(const Labels& labels);

 private:
  std::vector<std::string> names_;  // sorted
  bool keep_;
  std::string buffer_;
};

// Numbers different byte strings, as Labels::bytes() gives them, from 0 in order of their first coming. Holds 32 to 48
// bytes of each and, if it copies, the text.
class LabelNumbers {
 public:
  struct Number {
    std::uint32_t number;
    bool fresh;  // it is new
  };
  Number Add(std::string_view bytes) { return Add(bytes, true); }
  // Without a copy: the bytes must stay where they are.
  Number AddStable(std::string_view bytes) { return Add(bytes, false); }
  std::size_t size() const { return keys_.size(); }
  std::string_view bytes(std::uint32_t number) const { return keys_[number]; }
  Labels labels(std::uint32_t number) const;

 private:
  Number Add(std::string_view bytes, bool copy);
  std::string_view Copy(std::string_view bytes);
  void Grow();

  // Open addressing, at most half full: the hash's highest 32 bits above, number + 1 below; 0 is free.
  std::vector<std::uint64_t> slots_;
  std::vector<std::string_view> keys_;
  std::vector<std::unique_ptr<char[]>> blocks_;  // of copied keys
  char* room_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace prom

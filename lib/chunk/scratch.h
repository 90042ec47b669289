// Scratch: uninitialised room for n values, on the stack up to kInline of them.
// Internal to lib/chunk.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace prom::chunk {

template <typename T, std::size_t kInline = 512>
class Scratch {
  static_assert(std::is_trivial_v<T>);

 public:
  explicit Scratch(std::size_t n) : data_(inline_) {
    if (n > kInline) {
      heap_.reset(new T[n]);
      data_ = heap_.get();
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }

 private:
  std::unique_ptr<T[]> heap_;
  T* data_;
  T inline_[kInline];
};

}  // namespace prom::chunk

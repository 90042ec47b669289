#include "model/label_numbers.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"

namespace prom {

LabelSubset::LabelSubset(std::vector<std::string> names, Names what) : names_(std::move(names)), keep_(what == Names::kKept) {
  std::sort(names_.begin(), names_.end());
}

std::string_view LabelSubset::Of(const Labels& labels) {
  buffer_.clear();
  // Both are sorted. Labels that stand side by side are taken as one.
  auto name = names_.begin();
  const char* from = nullptr;
  auto it = labels.begin();
  for (; it != labels.end(); ++it) {
    const std::string_view label = (*it).name;
    while (name != names_.end() && *name < label) ++name;
    const bool wanted = (name != names_.end() && *name == label) == keep_;
    if (wanted && from == nullptr) from = it.position();
    if (wanted || from == nullptr) continue;
    buffer_.append(from, it.position());
    from = nullptr;
  }
  if (from != nullptr) buffer_.append(from, it.position());
  return buffer_;
}

Labels LabelNumbers::labels(std::uint32_t number) const {
  auto labels = Labels::FromBytes(bytes(number));
  return labels ? std::move(*labels) : Labels();  // they are bytes of labels
}

LabelNumbers::Number LabelNumbers::Add(std::string_view bytes, bool copy) {
  if (2 * (keys_.size() + 1) > slots_.size()) Grow();
  const std::uint64_t hash = Xxh3(bytes) >> 32;
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    const auto number = static_cast<std::uint32_t>(slots_[at]) - 1;
    if (slots_[at] >> 32 == hash && keys_[number] == bytes) return {number, false};
  }
  const auto number = static_cast<std::uint32_t>(keys_.size());
  slots_[at] = hash << 32 | (number + 1);
  keys_.push_back(copy ? Copy(bytes) : bytes);
  return {number, true};
}

std::string_view LabelNumbers::Copy(std::string_view bytes) {
  constexpr std::size_t kBlock = 64 << 10;
  if (bytes.size() > left_) {
    left_ = std::max(bytes.size(), keys_.size() < 64 ? std::size_t{1} << 10 : kBlock);
    room_ = blocks_.emplace_back(std::make_unique_for_overwrite<char[]>(left_)).get();
  }
  const std::string_view out(room_, bytes.size());
  std::copy_n(bytes.data(), bytes.size(), room_);
  room_ += bytes.size();
  left_ -= bytes.size();
  return out;
}

void LabelNumbers::Grow() {
  std::vector<std::uint64_t> slots(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::size_t mask = slots.size() - 1;
  for (const std::uint64_t slot : slots_) {
    if (slot == 0) continue;
    std::size_t at = (slot >> 32) & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_ = std::move(slots);
}

}  // namespace prom

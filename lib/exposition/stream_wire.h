// Numbers of prom-stream(5), section "Binary form", that encoder and decoder share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace prom::wire {

// 0x89 begins no UTF-8 text, so one byte tells the forms apart.
inline constexpr std::string_view kMagic("\x89PSTR\n", 6);
inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kFrameHeaderBytes = 12;

enum FrameType : std::uint8_t {
  kSeries = 1,
  kLayout = 2,
  kRow = 3,
  kSamples = 4,
  kHistogram = 5,
  kExemplar = 6,
  kMetadata = 7,
  kCommit = 8,
  kReset = 9,
  kAck = 64,
  kFailure = 65,
};

inline constexpr std::uint32_t kNoColumns = 0xffffffffu;  // a layout id without a layout

// Ids are given in order, give or take: one may run ahead of the count by this much, so
// that a wild id does not make everybody behind the decoder size their tables by it.
inline constexpr std::size_t kIdSlack = 4096;

}  // namespace prom::wire

// Against std::to_chars, which gives the same digits by another algorithm (Ryu).
#include <boost/test/unit_test.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>

#include "base/number.h"
#include "base/shortest.h"

namespace prom {
namespace {

std::string Expected(double v) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr);
}

std::string Scientific(double v) {
  const ShortestDecimal d = ToShortest(v);
  char text[32];
  std::string out(text, WriteDigits(text, d.digits));
  const int exponent = d.exponent + static_cast<int>(out.size()) - 1;
  if (out.size() > 1) out.insert(1, ".");
  const std::string digits = std::to_string(std::abs(exponent));
  return out + (exponent < 0 ? "e-" : "e+") + (digits.size() < 2 ? "0" : "") + digits;
}

struct Tally {
  std::size_t different = 0;
  void Compare(double v) {
    if (!(v > 0) || std::isinf(v)) return;
    const std::string want = Expected(v), got = Scientific(v);
    if (want == got) return;
    if (different++ < 10) BOOST_ERROR(want << " but got " << got);
  }
};

BOOST_AUTO_TEST_SUITE(shortest)

BOOST_AUTO_TEST_CASE(every_exponent_at_its_edges) {
  Tally tally;
  constexpr std::uint64_t kLast = (std::uint64_t{1} << 52) - 1;
  for (std::uint64_t exponent = 0; exponent < 2047; ++exponent) {
    for (std::uint64_t fraction : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, kLast, kLast - 1, kLast / 2, kLast / 2 + 1, kLast / 3}) {
      tally.Compare(std::bit_cast<double>(exponent << 52 | fraction));
    }
  }
  BOOST_TEST(tally.different == 0u);
}

BOOST_AUTO_TEST_CASE(random_doubles) {
  Tally tally;
  std::mt19937_64 random(1);
  for (int i = 0; i < 300'000; ++i) {
    tally.Compare(std::bit_cast<double>(random() & ~(std::uint64_t{1} << 63)));                             // any bits
    tally.Compare(std::ldexp(static_cast<double>(random() >> 11), -static_cast<int>(random() % 80)));  // usual sizes
    tally.Compare(static_cast<double>(random() % 100'000'000) / static_cast<double>(1 + random() % 1000));  // quotients
    tally.Compare(static_cast<double>(random() % 1'000'000'000) / 1e7);                                     // few digits
    tally.Compare(static_cast<double>(random()));                                                           // whole numbers
  }
  BOOST_TEST(tally.different == 0u);
}

BOOST_AUTO_TEST_CASE(digits_of_every_length) {
  std::uint64_t n = 0;
  for (int length = 1; length <= 20; ++length) {
    for (std::uint64_t v : {n, n + 1, n * 2 + 7}) {
      char text[32];
      BOOST_TEST(std::string(text, WriteDigits(text, v)) == std::to_string(v));
    }
    n = n * 10 + 9;
  }
}

// Positions of the point, zeros in front and behind.
BOOST_AUTO_TEST_CASE(fixed_notation) {
  struct Row {
    double v;
    const char* want;
  };
  static const Row kRows[] = {
      {0.1234567890123, "0.1234567890123"}, {1.2345678901234567, "1.2345678901234567"}, {-123456.78901234567, "-123456.78901234567"},
      {1.0 / 3, "0.3333333333333333"},      {1e-5 / 3, "0.0000033333333333333337"},     {2e20 / 3, "66666666666666660000"},
      {9007199254740992.0, "9007199254740992"}, {2251799813685247.5, "2251799813685247.5"}, {-0.0, "-0"}};
  for (const Row& row : kRows) BOOST_TEST(FormatFloatF(row.v) == row.want);
  BOOST_TEST(FormatFloatF(1e300) == "1" + std::string(300, '0'));
  BOOST_TEST(FormatFloatF(5e-324) == "0." + std::string(323, '0') + "5");
}

// Of every size from 1e-30 to 1e20, with few digits and with all.
BOOST_AUTO_TEST_CASE(random_fixed_notation) {
  std::mt19937_64 random(2);
  std::size_t different = 0;
  const auto compare = [&](double v) {
    char text[64];
    const std::string want(text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed).ptr), got = FormatFloatF(v);
    if (want != got && different++ < 10) BOOST_ERROR(want << " but got " << got);
  };
  const auto decimal = [](double v) { return v < 9007199254740992.0; };  // to_chars writes larger ones to the last digit
  for (int i = 0; i < 200'000; ++i) {
    const double scale = std::pow(10.0, static_cast<double>(random() % 46) - 30);
    const double full = static_cast<double>(random() >> 11) * 0x1p-53 * scale, few = static_cast<double>(random() % 100'000) * scale;
    for (const double v : {full, few, -full, static_cast<double>(random() % 100'000'000) / 1e5}) {
      if (decimal(std::fabs(v))) compare(v);
    }
  }
  BOOST_TEST(different == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom

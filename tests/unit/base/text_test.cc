#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>

#include "base/crc32c.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/strings.h"

using namespace prom;

// The check value of CRC-32C is that of "123456789" (RFC 3720, B.4 has the zero block).
BOOST_AUTO_TEST_CASE(crc32c_known_values) {
  BOOST_TEST(Crc32c("123456789") == 0xe3069283u);
  BOOST_TEST(Crc32c(std::string(32, '\0')) == 0x8a9136aau);
  BOOST_TEST(Crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  std::string long_text;
  for (int i = 0; i < 5000; ++i) long_text.push_back(static_cast<char>(i * 7 + i / 256));
  // In one go (three lanes) and byte by byte (none) must agree.
  std::uint32_t stepwise = 0;
  for (char c : long_text) stepwise = Crc32c(&c, 1, stepwise);
  BOOST_TEST(Crc32c(long_text) == stepwise);
}

BOOST_AUTO_TEST_CASE(hashes_known_values) {
  BOOST_TEST(XxHash64("") == 0xef46db3751d8e999ull);
  // The tails of RFC 1321's test suite, and of lengths around a block of 64 bytes.
  BOOST_TEST(Md5Tail64("") == 0xe9800998ecf8427eull);  // md5("") = d41d8cd98f00b204 e9800998ecf8427e
  BOOST_TEST(Md5Tail64("abc") == 0xd6963f7d28e17f72ull);
  BOOST_TEST(Md5Tail64("abcdefghijklmnopqrstuvwxyz") == 0x7dfb496cca67e13bull);
  BOOST_TEST(Md5Tail64("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == 0xa5611c2c9f419d9full);
  struct Row { std::size_t size; std::uint64_t want; };
  static const Row kRows[] = {{55, 0xd958a70738aa8f72ull}, {56, 0x62dabcafad6db14bull}, {63, 0x03567bdff99d8981ull}, {64, 0x7947682aeb252456ull}, {65, 0xbdec39795fe00cf6ull}, {119, 0xcfcddc633f12c24full}, {120, 0x2620b64f46e1c5b5ull}, {1000, 0x64b1f64cb10c4b63ull}};
  for (const Row& row : kRows) BOOST_TEST_CONTEXT(row.size) BOOST_TEST(Md5Tail64(std::string(row.size, 'x')) == row.want);
  BOOST_TEST(Fnv1a64("a") == 0xaf63dc4c8601ec8cull);
}

BOOST_AUTO_TEST_CASE(utf8) {
  for (const char* ok : {"", "abc", "\u00e9", "\u20ac", "\U0001f600"}) BOOST_TEST(IsValidUtf8(ok));
  for (const char* bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abc\xe2\x82"}) BOOST_TEST(!IsValidUtf8(bad));
  BOOST_TEST(Quote("a\"b\\c\n\x01\xff\u00e9") == "\"a\\\"b\\\\c\\n\\x01\\xff\u00e9\"");
}

BOOST_AUTO_TEST_CASE(json_round_trip) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Field("a", 1).Key("b").BeginArray().String("x\"\n\xff").Float(1.5).Float(1.0 / 0.0).Bool(true).Null().EndArray().EndObject();
  BOOST_TEST(out == "{\"a\":1,\"b\":[\"x\\\"\\n\xef\xbf\xbd\",1.5,\"+Inf\",true,null]}");
  auto parsed = ParseJson(out);
  BOOST_TEST_REQUIRE(bool(parsed));
  BOOST_TEST(parsed->NumberOr("a", 0) == 1);
  BOOST_TEST(parsed->Find("b")->items.size() == 5u);
  BOOST_TEST(ParseJson("\"\\ud83d\\ude00\"")->text == "\U0001f600");
  for (const char* bad : {"", "{", "[1,]", "{\"a\"}", "01x", "\"\x01\"", "nul", "1 2", "+1", "\"\\q\""}) BOOST_TEST_CONTEXT("in=" << bad) BOOST_TEST(!ParseJson(bad));
  BOOST_TEST(!ParseJson(std::string(100000, '[')));
}

// Every character at every place of texts of every length around what is looked at in one go.
BOOST_AUTO_TEST_CASE(json_strings_of_every_length) {
  for (std::size_t size = 0; size <= 40; ++size)
    for (std::size_t at = 0; at < std::max<std::size_t>(size, 1); ++at)
      for (int c = 0; c < 0x80; ++c) {
        std::string text(size, 'a'), want = "[\"";
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
        if (size > 0) text[at] = static_cast<char>(c);
        for (const char x : text) {
          if (x == '"' || x == '\\') {
            want += '\\';
            want += x;
          } else if (static_cast<unsigned char>(x) < 0x20) {
            static constexpr std::string_view kShort = "\b\t\n?\f\r", kLetters = "btn?fr";
            char hex[8];
            std::snprintf(hex, sizeof hex, "\\u%04x", static_cast<unsigned>(x));
            if (const auto n = kShort.find(x); n != kShort.npos && x != '?') {
              want += '\\';
              want += kLetters[n];
            } else {
              want += hex;
            }
          } else {
            want += x;
          }
        }
        std::string out = "[", room(size + 2, '?');
        AppendJsonString(&out, text);
        BOOST_REQUIRE_EQUAL(out, want + "\"");
        char* const end = WritePlainJsonString(room.data(), text);
        BOOST_REQUIRE_EQUAL(end == nullptr, want.size() != size + 2);
        if (end != nullptr) BOOST_REQUIRE_EQUAL(room, "\"" + text + "\"");
      }
}

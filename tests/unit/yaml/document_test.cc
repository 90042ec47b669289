#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include "../../testing.h"
#include "yaml/yaml.h"

using namespace prom;
using yaml::Document;
using yaml::Node;

namespace {

Document MustParse(const std::string& text) {
  auto doc = Document::Parse(text, "f.yml");
  BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
  return std::move(*doc);
}

std::string ErrorOf(const std::string& text) {
  auto doc = Document::Parse(text, "f.yml");
  return doc ? "no error" : doc.error().message;
}

std::string Repeat(const std::string& s, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += s;
  return out;
}

// Visits everything, aliases expanded: what any decoder may do.
std::size_t Walk(const Node& node) {
  std::size_t n = 1;
  for (const auto& item : node.items()) n += Walk(item);
  for (const auto& [key, value] : node.entries()) n += Walk(key) + Walk(value);
  return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(tree_and_positions) {
  const auto doc = MustParse("a: 1\nlist:\n  - x\n  - {k: 'v'}\n");
  const auto entries = doc.root().entries();
  BOOST_TEST_REQUIRE(entries.size() == 2u);
  BOOST_TEST(entries[0].second.Where() == "f.yml:1:4");
  const auto items = entries[1].second.items();
  BOOST_TEST_REQUIRE(items.size() == 2u);
  BOOST_TEST(items[0].Where() == "f.yml:3:5");
  BOOST_TEST(items[1].entries()[0].second.Where() == "f.yml:4:9");
  BOOST_TEST(!items[1].entries()[0].second.plain());
  BOOST_TEST(items[0].plain());
}

BOOST_AUTO_TEST_CASE(empty_documents_are_null) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "~\n"})
    BOOST_TEST_CONTEXT("text=" << text) BOOST_TEST(MustParse(text).root().is_null());
}

// go-yaml's Unmarshal stops after the first document.
BOOST_AUTO_TEST_CASE(first_document_only) { BOOST_TEST(MustParse("a: 1\n---\nb: 2\n").root().entries().size() == 1u); }

BOOST_AUTO_TEST_CASE(syntax_errors_have_positions) {
  BOOST_TEST(ErrorOf("a: [1, 2\nb: 3\n").starts_with("f.yml:"));
  BOOST_TEST(ErrorOf("a: *nobody\n").starts_with("f.yml:1:"));
  BOOST_TEST(ErrorOf("\ta: 1\n").starts_with("f.yml:1:"));
  BOOST_TEST(ErrorOf("ok: 1\nbad: \"\xff\"\n") == "f.yml:2:1: yaml: invalid UTF-8 in this line");
  BOOST_TEST(ErrorOf("ok: 1\nbad: x\xff") == "f.yml:2:1: yaml: invalid UTF-8 in this line");
}

// As go-yaml's reader; 0x04 would be the end of the file for yaml-cpp.
BOOST_AUTO_TEST_CASE(control_characters) {
  for (const std::string& bad : {std::string("\0", 1), std::string("\x04"), std::string("\x1b"), std::string("\x7f"), std::string("\xc2\x80"), std::string("\xef\xbb\xbf"), std::string("\xef\xbf\xbf")})
    BOOST_TEST(ErrorOf("a: 1\nb: x" + bad + "y\n") == "f.yml:2:5: yaml: control characters are not allowed");
  BOOST_TEST(MustParse("\xef\xbb\xbf" "a: 1\r\nb:\t2\n").root().size() == 2u);  // a byte order mark at the start, CRLF
  std::string wide = "\xff\xfe";
  for (const char c : std::string("a: \xe9\n")) wide += {c, '\0'};
  BOOST_TEST(MustParse(wide).root().entries()[0].second.text() == "\xc3\xa9");
}

BOOST_AUTO_TEST_CASE(aliases) {
  const auto doc = MustParse("a: &x [1, 2]\nb: *x\nc: *x\n");
  const auto entries = doc.root().entries();
  BOOST_TEST(entries[2].second.items().size() == 2u);
  BOOST_TEST(entries[2].second.items()[1].text() == "2");
  // An anchor may be given again; the last one counts.
  const auto again = MustParse("a: &x 1\nb: &x 2\nc: *x\n");
  BOOST_TEST(again.root().entries()[2].second.text() == "2");
}

// M in the reference: yaml-cpp's own nodes overflow the stack here.
BOOST_AUTO_TEST_CASE(self_alias) {
  BOOST_TEST(ErrorOf("a: &a [*a]\n") == "f.yml:1:8: yaml: anchor 'a' value contains itself");
  BOOST_TEST(ErrorOf("a: &a {k: *a}\n") == "f.yml:1:11: yaml: anchor 'a' value contains itself");
  BOOST_TEST(ErrorOf("&a\nx: {y: [*a]}\n").find("contains itself") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(alias_bomb) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 9; ++i) {
    const std::string p = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + p + Repeat(", " + p, 9) + "]\n";
  }
  const double start = testing::CpuSeconds();
  BOOST_TEST(ErrorOf(text).find("document contains excessive aliasing") != std::string::npos);
  BOOST_TEST(testing::CpuSeconds() - start < 1.0);
  // Counted exactly: 1000 times 9,000 is under ten million, 1200 times is over.
  const std::string big = "a: &a [" + Repeat("x,", 9'000) + "]\n";
  BOOST_TEST(Document::Parse(big + "b: [" + Repeat("*a,", 1'000) + "]\n", "f").has_value());
  BOOST_TEST(!Document::Parse(big + "b: [" + Repeat("*a,", 1'200) + "]\n", "f").has_value());
}

BOOST_AUTO_TEST_CASE(depth) {
  BOOST_TEST(Document::Parse(Repeat("[", 100) + Repeat("]", 100), "f").has_value());
  BOOST_TEST(ErrorOf(Repeat("[", 101) + Repeat("]", 101)) == "f.yml:1:101: yaml: nested deeper than 100 levels");
  for (const std::string level : {"[", "{a: ", "- ", "? ", "a:\n "}) {
    BOOST_TEST_CONTEXT("level=" << level) {
      for (const std::size_t n : {1'000u, 200'000u}) {
        std::string text;
        if (level == "a:\n ") {  // block mappings, each a column further in
          const std::size_t levels = std::min<std::size_t>(n, 1'500);
          for (std::size_t i = 0; i < levels; ++i) text += std::string(i, ' ') + "a:\n";
        } else {
          text = Repeat(level, n);
        }
        const double start = testing::CpuSeconds();
        const std::string error = ErrorOf(text);
        BOOST_TEST(error.find("nested deeper than 100 levels") != std::string::npos, error);
        BOOST_TEST(testing::CpuSeconds() - start < 2.0);
      }
    }
  }
  // Depth through aliases: no level of the text is deep, what it stands for is.
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 150; ++i) chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  BOOST_TEST(ErrorOf(chain).find("nested deeper than 100 levels") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(many_nodes) {
  BOOST_TEST(Walk(MustParse("[" + Repeat("1,", 100'000) + "]").root()) == 100'001u);
}

BOOST_AUTO_TEST_CASE(only_regular_files) {
  testing::TempDir dir;
  BOOST_TEST(!Document::Load(dir / "none.yml"));
  BOOST_TEST(!Document::Load(dir.path()));
  BOOST_TEST_REQUIRE(::mkfifo((dir / "fifo.yml").c_str(), 0600) == 0);
  BOOST_TEST(!Document::Load(dir / "fifo.yml"));
  BOOST_TEST(!Document::Load("/dev/zero"));
  testing::WriteFile(dir / "ok.yml", "a: 1\n");
  BOOST_TEST(Document::Load(dir / "ok.yml").has_value());
}

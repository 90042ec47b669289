// The worked example of prom-block(5): the bytes on the page are a block that is read
// as the page says, whose fields lie where the page says, and that is still written so.
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

#include "../../testing.h"
#include "base/bytes.h"
#include "model_store.h"
#include "store/block_reader.h"
#include "store/block_writer.h"

namespace prom::store {
namespace {

constexpr char kUlid[] = "01HF7YAT000000000000000000";

// The hex dump that follows this line of the page: "offset bytes comment", where the
// bytes take 48 columns. Each line must stand at the offset it names.
std::string DumpAfter(const std::string& page, const std::string& title) {
  std::size_t at = page.find(title);
  BOOST_REQUIRE(at != std::string::npos);
  at = page.find(".Bd -literal\n", at);
  BOOST_REQUIRE(at != std::string::npos);
  at = page.find('\n', at) + 1;
  std::string out;
  for (std::size_t end = 0; page.compare(at, 4, ".Ed\n") != 0; at = end + 1) {
    end = page.find('\n', at);
    BOOST_REQUIRE(end != std::string::npos);
    const std::string line = page.substr(at, end - at);
    BOOST_REQUIRE(std::stoul(line.substr(0, 3), nullptr, 16) == out.size());
    for (std::size_t i = 4; i + 1 < line.size() && i < 52 && line[i] != ' '; i += 3) out.push_back(static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16)));
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(man_page_block) {
  const std::string page = prom::testing::ReadFile(PROMKIT_SOURCE_DIR "/man/man5/prom-block.5");
  const std::string chunks = DumpAfter(page, ".Pa chunks :"), index = DumpAfter(page, ".Pa index ,\nsections by their numbers");

  prom::testing::TempDir dir;
  const std::string block = BlockDir(dir.path(), kUlid);
  std::filesystem::create_directories(block);
  prom::testing::WriteFile(block + "/chunks", chunks);
  prom::testing::WriteFile(block + "/index", index);
  const auto reader = BlockReader::Open(SystemIo(), block);
  BOOST_TEST_REQUIRE(bool(reader));
  BOOST_TEST((*reader)->index().Verify().empty());
  testing::ModelStore want;
  auto& samples = want.series[Labels{{"__name__", "up"}, {"job", "a"}}];
  for (const auto& [t, v] : {std::pair(1000, 1), std::pair(16000, 1), std::pair(31000, 0)}) samples[t] = {static_cast<double>(v), 0, nullptr};
  testing::CheckSame(want, **reader, {}, kMinTimeMs, kMaxTimeMs);

  // A few fields by hand, from the page's own tables.
  const auto u32 = [](const std::string& bytes, std::size_t at) { return LoadLe<std::uint32_t>(bytes.data() + at); };
  BOOST_TEST(u32(chunks, 0x10) == 0x47424b50u);
  BOOST_TEST(u32(chunks, 0x18) == 0x35u - 0x20u);                // payload of the first group: up to the second
  BOOST_TEST(u32(index, 0x58 + 16) == 2u);                       // the second name is symbol 2
  BOOST_TEST(index.substr(0x28 + 9, 3) == "job");                // which begins at 9
  BOOST_TEST(LoadLe<std::int64_t>(index.data() + 0xa0) == 31000);  // newest sample
  BOOST_TEST(u32(index, index.size() - 8) == 1u);                // series

  BlockWriterOptions options;
  options.ulid = kUlid;
  options.sync = false;
  prom::testing::TempDir again;
  BOOST_TEST_REQUIRE(bool(WriteBlock(SystemIo(), again.path(), want, kMinTimeMs, kMaxTimeMs, options)));
  BOOST_TEST((prom::testing::ReadFile(BlockDir(again.path(), kUlid) + "/chunks") == chunks));
  BOOST_TEST((prom::testing::ReadFile(BlockDir(again.path(), kUlid) + "/index") == index));
}

}  // namespace prom::store

// Chunks as format version 1 wrote them (golden_v1.bin: for each edge column of up
// to 2000 values a u32 length and a value chunk). They must decode for ever, also
// when the encoder learns to write something shorter.
//
// The file is written anew, for a new version of the format only, by
//   PROMKIT_WRITE_GOLDEN=1 unit_chunk --run_test=golden_chunks_decode
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>
#include <vector>

#include "../../testing.h"
#include "base/bytes.h"
#include "chunk/value_chunk.h"
#include "columns.h"

using namespace prom;

BOOST_AUTO_TEST_CASE(golden_chunks_decode) {
  const std::string path = PROMKIT_SOURCE_DIR "/tests/unit/chunk/golden_v1.bin";
  if (std::getenv("PROMKIT_WRITE_GOLDEN") != nullptr) {
    std::string file;
    for (const auto& [name, v] : chunk::testing::EdgeColumns()) {
      if (v.size() > 2000) continue;
      std::string bytes;
      chunk::EncodeValues(v, &bytes);
      AppendLe(&file, static_cast<std::uint32_t>(bytes.size()));
      file += bytes;
    }
    prom::testing::WriteFile(path, file);
  }
  const std::string file = prom::testing::ReadFile(path);
  ByteReader r(file);
  for (const auto& [name, v] : chunk::testing::EdgeColumns()) {
    if (v.size() > 2000) continue;
    BOOST_TEST_CONTEXT(name) {
      const std::string_view bytes = r.Bytes(r.U32());
      std::vector<double> got(v.size());
      BOOST_TEST_REQUIRE(bool(chunk::DecodeValues(bytes, got)));
      BOOST_TEST(chunk::testing::SameBits(got, v));
    }
  }
  BOOST_TEST(r.ok());
  BOOST_TEST(r.remaining() == 0u);
}

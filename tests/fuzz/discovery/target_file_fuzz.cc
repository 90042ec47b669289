// Any bytes as a target file, read as YAML and as JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "discovery/file_sd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  for (const bool json : {false, true}) {
    auto groups = prom::discovery::ParseTargetFile(text, "f", json);
    if (!groups) continue;
    for (const auto& group : *groups)
      if (group.labels.Get("__meta_filepath") != "f") std::abort();
  }
  return 0;
}

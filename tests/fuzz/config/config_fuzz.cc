// Any text as prometheus.yml: an error or a configuration, and one that is printed
// loads again and prints the same. External labels are the exception: what is left
// of a dollar after expansion would be expanded again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  prom::config::LoadOptions options;
  options.getenv = [](const std::string&) { return std::optional<std::string>("v"); };
  auto config = prom::config::ParseConfig(text, "fuzz", options);
  if (!config) {
    if (!config.error().message.starts_with("fuzz:")) std::abort();
    return 0;
  }
  config->global.external_labels = prom::Labels();
  const std::string printed = prom::config::PrintConfig(*config);
  auto again = prom::config::ParseConfig(printed, "printed", options);
  if (!again) {
    std::fprintf(stderr, "%s\n%s\n", again.error().message.c_str(), printed.c_str());
    std::abort();
  }
  if (prom::config::PrintConfig(*again) != printed) std::abort();
  return 0;
}

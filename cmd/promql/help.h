// The texts of --help.
#pragma once

#include <string_view>

namespace prom::cli {

// Of a command; empty: of the program.
std::string_view HelpOf(std::string_view command);

}  // namespace prom::cli

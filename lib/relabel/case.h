// Lower and upper case of UTF-8 text, letter by letter, as Go's strings.ToLower and
// ToUpper do it with unicode.ToLower of each rune: Unicode's simple mappings for all
// scripts, no locale, no context, no letter that becomes two (ß stays in upper case).
// Bytes that are not UTF-8 become U+FFFD when the text is not pure ASCII, as in Go.
#pragma once

#include <string>
#include <string_view>

namespace prom::relabel {

std::string ToLowerUtf8(std::string_view s);
std::string ToUpperUtf8(std::string_view s);

}  // namespace prom::relabel

// Text on a terminal: how wide it is, how it is cut, and what must not get there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace prom::promql {

// Columns it takes: combining marks none, East Asian wide characters and emoji two,
// a byte that is not UTF-8 one.
std::size_t DisplayWidth(std::string_view utf8);

// At most `width` columns of it: both ends, with an ellipsis for what is missing between.
// The ends are what tells series apart.
std::string CutText(std::string_view utf8, std::size_t width);

// What a label may hold and a terminal would act on, spelled out: control characters
// ("\x1b", "\n"), C1 controls and marks that change the direction of text ("\u202e"),
// bytes that are not UTF-8 ("\xff"). The rest as it is, backslashes too.
std::string SafeText(std::string_view s);
// The same for whole lines: newlines and tabs stay.
std::string SafeLines(std::string_view s);

}  // namespace prom::promql

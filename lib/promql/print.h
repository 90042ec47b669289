// Syntax trees back to text, in upstream's canonical form: what rules and alerts
// show, and what format_query returns. Parsing the text gives the same tree.
#pragma once

#include <cstddef>
#include <string>

#include "promql/ast.h"

namespace prom::promql {

// On one line.
std::string ToString(const Expr& e);

// Lines of up to `max_line` bytes, children indented by two spaces below a node
// that does not fit. What cannot be split stays longer.
std::string PrettyPrint(const Expr& e, std::size_t max_line = 100);

// How a node begins, without its operands: "sum by (a)", "+ on (b)", "rate", "[5m]".
std::string ShortText(const Expr& e);

}  // namespace prom::promql

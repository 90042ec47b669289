// The printer behind print.h; pretty.cc uses it too, no one else.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>

#include "promql/ast.h"

namespace prom::promql {

// Where the text of each node lies in the text of the whole.
using NodeSpans = std::unordered_map<const Expr*, std::pair<std::size_t, std::size_t>>;

class Printer {
 public:
  // `spans` may be null.
  Printer(std::string* out, NodeSpans* spans) : out_(*out), spans_(spans) {}

  void Print(const Expr& e);
  void AggregateHead(const AggregateExpr& a);  // "sum by (a) ", "sum"
  void OperatorHead(const BinaryExpr& b);      // "+ on (b) group_left ()"
  void SubqueryTail(const SubqueryExpr& s);    // "[1h:5m] @ end() offset 1m"

 private:
  void Chain(const BinaryExpr& top);
  void Names(const std::vector<std::string>& names);
  void NameAndMatchers(const VectorSelector& s);
  void At(const TimeModifiers& time);
  void Offset(const TimeModifiers& time);
  void Range(std::int64_t ms, const DurationExpr* e);
  void Duration(const DurationExpr& e);
  void Number(double value, bool is_duration);

  std::string& out_;
  NodeSpans* spans_;
  bool arithmetic_next_ = false;  // +, -, *, /, % or ^ follows what is being printed
};

}  // namespace prom::promql

// One line as long as it fits, else the node's head, its children one level
// deeper, and its end. Whether a node fits is decided by its length alone, without
// the indentation, as upstream does. The whole is printed once on one line; every
// node that fits is then a piece of that text, so the work is linear in what is
// written.
#include "promql/print.h"
#include "promql/printer.h"

namespace prom::promql {
namespace {

class PrettyPrinter {
 public:
  PrettyPrinter(const Expr& root, std::size_t max_line) : max_line_(max_line) { Printer(&line_, &spans_).Print(root); }

  std::string Run(const Expr& root) {
    Node(root, 0);
    return std::move(out_);
  }

 private:
  std::string_view Line(const Expr& e) const {
    const auto [start, end] = spans_.at(&e);
    return std::string_view(line_).substr(start, end - start);
  }
  bool Fits(const Expr& e) const { return Line(e).size() <= max_line_; }
  void Indent(std::size_t level) { out_.append(2 * level, ' '); }
  void OnOneLine(const Expr& e, std::size_t level) {
    Indent(level);
    out_ += Line(e);
  }

  void Node(const Expr& e, std::size_t level) {
    switch (e.kind) {
      case NodeKind::kAggregate:
      case NodeKind::kCall:
      case NodeKind::kParen:
        if (Fits(e)) break;
        Indent(level);
        Enclosed(e, level);
        return;
      case NodeKind::kBinary: {
        if (Fits(e)) break;
        const auto& b = As<BinaryExpr>(e);
        Node(*b.lhs, level + 1);
        out_ += '\n';
        Indent(level);
        Printer(&out_, nullptr).OperatorHead(b);
        out_ += '\n';
        Node(*b.rhs, level + 1);
        return;
      }
      case NodeKind::kSubquery: {
        // Upstream leaves out the indentation of a subquery that fits.
        if (Fits(e)) return OnOneLine(e, 0);
        const Expr& inner = *As<SubqueryExpr>(e).expr;
        Node(inner, level);
        out_ += Line(e).substr(Line(inner).size());
        return;
      }
      case NodeKind::kUnary: {
        const auto& u = As<UnaryExpr>(e);
        Indent(level);
        out_ += u.negative ? '-' : '+';
        const std::size_t start = out_.size();
        Node(*u.expr, level);
        out_.erase(start, out_.find_first_not_of(' ', start) - start);  // the sign has taken the indentation
        return;
      }
      default: break;
    }
    OnOneLine(e, level);
  }

  void Enclosed(const Expr& e, std::size_t level) {
    if (e.kind == NodeKind::kAggregate)
      Printer(&out_, nullptr).AggregateHead(As<AggregateExpr>(e));
    else if (e.kind == NodeKind::kCall)
      out_ += As<CallExpr>(e).function->name;
    out_ += "(\n";
    if (e.kind == NodeKind::kAggregate) {
      const auto& a = As<AggregateExpr>(e);
      if (a.param) {
        Node(*a.param, level + 1);
        out_ += ",\n";
      }
      Node(*a.expr, level + 1);
    } else if (e.kind == NodeKind::kCall) {
      const auto& args = As<CallExpr>(e).args;
      for (std::size_t i = 0; i < args.size(); ++i) {
        if (i > 0) out_ += ",\n";
        Node(*args[i], level + 1);
      }
    } else {
      Node(*As<ParenExpr>(e).expr, level + 1);
    }
    out_ += '\n';
    Indent(level);
    out_ += ')';
  }

  std::size_t max_line_;
  std::string line_, out_;
  NodeSpans spans_;
};

}  // namespace

std::string PrettyPrint(const Expr& e, std::size_t max_line) { return PrettyPrinter(e, max_line).Run(e); }

}  // namespace prom::promql

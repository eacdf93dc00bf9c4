#include "gateway/filter/named_literals.h"

#include <algorithm>
#include <utility>

#include "gateway/filter/ast.h"
#include "gateway/filter/check.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/parser.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {
namespace {

using Found = std::optional<NamedLiterals>;

bool CoversText(const std::string& mine, const std::string& other) {
  return mine.empty() || mine == other;
}

// What is both; none where nothing is.
std::optional<std::string> Both(const std::string& a, const std::string& b) {
  if (a.empty() || a == b) return b;
  return b.empty() ? std::optional(a) : std::nullopt;
}

std::optional<NamedKind> Both(const NamedKind& a, const NamedKind& b) {
  auto type = Both(a.type, b.type);
  auto source = Both(a.source, b.source);
  auto plane = Both(a.plane, b.plane);
  if (!type || !source || !plane) return std::nullopt;
  return NamedKind{*std::move(type), *std::move(source), *std::move(plane)};
}

// Something that can be compared is asked for, and named in no kind.
Found SomethingElse() { return NamedLiterals{.kinds = {{}}, .exact = false}; }

Found And(const NamedLiterals& a, const NamedLiterals& b) {
  if (a.kinds.size() * b.kinds.size() > kMaxNamedKinds) return std::nullopt;
  NamedLiterals out{.kinds = {}, .exact = a.exact && b.exact};
  for (const NamedKind& left : a.kinds) {
    for (const NamedKind& right : b.kinds) {
      if (auto both = Both(left, right)) out.kinds.push_back(*std::move(both));
    }
  }
  return out;
}

Found Or(NamedLiterals a, const NamedLiterals& b) {
  if (a.kinds.size() + b.kinds.size() > kMaxNamedKinds) return std::nullopt;
  a.kinds.insert(a.kinds.end(), b.kinds.begin(), b.kinds.end());
  a.exact = a.exact && b.exact;
  return a;
}

class Reader {
 public:
  explicit Reader(const Ast& ast) : ast_(ast) {}

  Found Read(const Node& node) const {
    switch (node.kind) {
      case NodeKind::kBinary: return Binary(node);
      case NodeKind::kIn: return In(node);
      case NodeKind::kExists: return SomethingElse();
      default: return std::nullopt;
    }
  }

 private:
  Found Binary(const Node& node) const {
    const Node& left = ast_.Child(node, 0);
    const Node& right = ast_.Child(node, 1);
    if (node.op == TokenKind::kEqual) {
      return left.kind == NodeKind::kLiteral ? Equal(right, left) : Equal(left, right);
    }
    if (node.op != TokenKind::kAnd && node.op != TokenKind::kOr) return std::nullopt;
    Found a = Read(left);
    Found b = a ? Read(right) : std::nullopt;
    if (!b) return std::nullopt;
    return node.op == TokenKind::kAnd ? And(*a, *b) : Or(*std::move(a), *b);
  }

  Found In(const Node& node) const {
    if (node.negated) return std::nullopt;
    Found out = NamedLiterals{};
    for (size_t i = 1; i < node.child_count; ++i) {
      const Found one = Equal(ast_.Child(node, 0), ast_.Child(node, i));
      if (!one || !(out = Or(*std::move(out), *one))) return std::nullopt;
    }
    return out;
  }

  Found Equal(const Node& what, const Node& literal) const {
    if (literal.kind != NodeKind::kLiteral) return std::nullopt;
    std::string NamedKind::*const field = FieldOf(what);
    if (field == nullptr) return IsAttribute(what) ? SomethingElse() : std::nullopt;
    if (literal.literal.type() != Type::kString || literal.literal.string().empty()) {
      return std::nullopt;  // an empty text would be read as any
    }
    NamedKind kind;
    kind.*field = std::string(literal.literal.string());
    return NamedLiterals{.kinds = {std::move(kind)}, .exact = true};
  }

  static std::string NamedKind::*FieldOf(const Node& node) {
    if (node.kind == NodeKind::kCall) {
      return node.function->id == FunctionId::kPlane ? &NamedKind::plane : nullptr;
    }
    if (node.kind != NodeKind::kAttribute) return nullptr;
    switch (AttributeIdOf(node.name)) {
      case AttributeId::kType: return &NamedKind::type;
      case AttributeId::kSource: return &NamedKind::source;
      default: return nullptr;
    }
  }

  static bool IsAttribute(const Node& node) {
    return node.kind == NodeKind::kAttribute ||
           (node.kind == NodeKind::kCall && node.function->id == FunctionId::kOrigin);
  }

  const Ast& ast_;
};

}  // namespace

bool NamedKind::Covers(const NamedKind& other) const {
  return CoversText(type, other.type) && CoversText(source, other.source) &&
         CoversText(plane, other.plane);
}

std::optional<NamedLiterals> LiteralsOf(absl::string_view condition) {
  const CompileOptions options;
  auto ast = Parse(condition, options);
  if (!ast.ok() || !Check(condition, options, &*ast).ok()) return std::nullopt;
  Found found = Reader(*ast).Read(ast->nodes[ast->root]);
  if (!found) return std::nullopt;
  auto& kinds = found->kinds;
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  return found;
}

}  // namespace cdgate::filter

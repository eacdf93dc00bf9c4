#include "gateway/filter/index_keys.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "gateway/base/status_macros.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/check.h"

namespace cdgate::filter {
namespace {

IndexKeys Any() { return {}; }
IndexKeys Never() { return {.any = false, .keys = {}}; }
IndexKeys One(KeyField field, bool prefix, absl::string_view text) {
  return {.any = false, .keys = {{field, prefix, std::string(text)}}};
}

// How many events of a thousand have it, about: what is looked up is what few have.
int CommonnessOf(const IndexKey& key) {
  constexpr std::array<int, kKeyFields> kExact = {50, 20, 1, 100, 200, 250, 300, 500};
  const int exact = kExact[static_cast<size_t>(key.field)];
  return key.prefix ? 2 * exact + (key.text.size() < 4 ? 500 : 0) : exact;
}

int CommonnessOf(const IndexKeys& keys) {
  int sum = 0;
  for (const IndexKey& key : keys.keys) sum += CommonnessOf(key);
  return sum;
}

std::optional<KeyField> FieldOfAttribute(absl::string_view name) {
  switch (AttributeIdOf(name)) {
    case AttributeId::kType: return KeyField::kType;
    case AttributeId::kSource: return KeyField::kSource;
    case AttributeId::kSubject: return KeyField::kSubject;
    default: return std::nullopt;
  }
}

std::optional<KeyField> FieldOfFunction(FunctionId id) {
  switch (id) {
    case FunctionId::kSubjectType: return KeyField::kSubjectType;
    case FunctionId::kPredicate: return KeyField::kPredicate;
    case FunctionId::kStage: return KeyField::kStage;
    case FunctionId::kOrigin: return KeyField::kOrigin;
    case FunctionId::kPlane: return KeyField::kPlane;
    default: return std::nullopt;
  }
}

std::optional<KeyField> FieldOf(const Node& node) {
  if (node.kind == NodeKind::kAttribute) return FieldOfAttribute(node.name);
  if (node.kind == NodeKind::kCall) return FieldOfFunction(node.function->id);
  return std::nullopt;
}

std::optional<absl::string_view> TextOf(const Node& node) {
  if (node.kind != NodeKind::kLiteral || node.literal.type() != Type::kString) return std::nullopt;
  return node.literal.string();
}

class Finder {
 public:
  explicit Finder(const Ast& ast) : ast_(ast) {}

  // Where an operand fails the condition is not true, so that what fails does not matter here.
  IndexKeys Find(const Node& node) const {
    switch (node.kind) {
      case NodeKind::kLiteral: return OfLiteral(node);
      case NodeKind::kBinary: return OfBinary(node);
      case NodeKind::kLike: return OfLike(node);
      case NodeKind::kIn: return OfIn(node);
      case NodeKind::kTry: return Find(ast_.Child(node, 0));
      default: return Any();
    }
  }

 private:
  static IndexKeys OfLiteral(const Node& node) {
    const bool never = node.literal.type() == Type::kBoolean && !node.literal.boolean();
    return never ? Never() : Any();
  }

  IndexKeys OfBinary(const Node& node) const {
    const Node& left = ast_.Child(node, 0);
    const Node& right = ast_.Child(node, 1);
    switch (node.op) {
      case TokenKind::kAnd: return Better(Find(left), Find(right));
      case TokenKind::kOr: return Either(Find(left), Find(right));
      case TokenKind::kEqual: return OfEqual(left, right);
      default: return Any();
    }
  }

  static IndexKeys Better(IndexKeys a, IndexKeys b) {
    if (a.any) return b;
    if (b.any) return a;
    return CommonnessOf(a) <= CommonnessOf(b) ? a : b;
  }

  static IndexKeys Either(IndexKeys a, IndexKeys b) {
    if (a.any || b.any || a.keys.size() + b.keys.size() > IndexKeys::kMost) return Any();
    std::move(b.keys.begin(), b.keys.end(), std::back_inserter(a.keys));
    return a;
  }

  static IndexKeys OfEqual(const Node& left, const Node& right) {
    const Node& field = left.kind == NodeKind::kLiteral ? right : left;
    const Node& literal = left.kind == NodeKind::kLiteral ? left : right;
    const auto known = FieldOf(field);
    const auto text = TextOf(literal);
    return known && text ? One(*known, false, *text) : Any();
  }

  IndexKeys OfLike(const Node& node) const {
    const auto field = FieldOf(ast_.Child(node, 0));
    if (!field || node.negated) return Any();
    const LikePattern pattern = node.Pattern();
    const absl::string_view head = pattern.prefix();
    return head.empty() && !pattern.exact() ? Any() : One(*field, !pattern.exact(), head);
  }

  IndexKeys OfIn(const Node& node) const {
    const auto field = FieldOf(ast_.Child(node, 0));
    if (!field || node.negated || node.child_count > IndexKeys::kMost) return Any();
    IndexKeys out = Never();
    for (size_t i = 1; i < node.child_count; ++i) {
      const auto text = TextOf(ast_.Child(node, i));
      if (!text) return Any();
      out.keys.push_back({*field, false, std::string(*text)});
    }
    return out;
  }

  const Ast& ast_;
};

}  // namespace

absl::StatusOr<IndexKeys> IndexKeys::Of(absl::string_view condition) {
  CDGATE_ASSIGN_OR_RETURN(const Ast ast, ParseCondition(condition));
  IndexKeys out = Finder(ast).Find(ast.nodes[ast.root]);
  std::sort(out.keys.begin(), out.keys.end());
  out.keys.erase(std::unique(out.keys.begin(), out.keys.end()), out.keys.end());
  return out;
}

}  // namespace cdgate::filter

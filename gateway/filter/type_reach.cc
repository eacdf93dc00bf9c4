#include "gateway/filter/type_reach.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/can_fail.h"
#include "gateway/filter/check.h"
#include "gateway/filter/vocabulary.h"

namespace cdgate::filter {
namespace {

// What is known of a value for one type. kTrue and kFalse say what it is where it does not
// fail; a failure never matches, and what has a failed operand fails.
enum class Truth { kFalse, kTrue, kUnknown };

Truth ToTruth(bool value) { return value ? Truth::kTrue : Truth::kFalse; }

Truth Not(Truth truth) {
  if (truth == Truth::kUnknown) return truth;
  return ToTruth(truth == Truth::kFalse);
}

class TypeEvaluator {
 public:
  TypeEvaluator(const Ast& ast, absl::string_view type)
      : ast_(ast), type_(type), parts_(SplitCdeventsType(type)) {}

  Truth Evaluate(const Node& node) const;

 private:
  Truth Binary(const Node& node) const;
  Truth Logic(TokenKind op, Truth left, Truth right) const;
  Truth Like(const Node& node) const;
  Truth In(const Node& node) const;
  Truth Try(const Node& node) const;
  // The text of an operand that is a literal or follows from the type.
  std::optional<absl::string_view> TextOf(const Node& node) const;
  std::optional<absl::string_view> FactOf(FunctionId id) const;

  const Ast& ast_;
  const absl::string_view type_;
  const TypeParts parts_;
};

Truth TypeEvaluator::Evaluate(const Node& node) const {
  switch (node.kind) {
    case NodeKind::kLiteral:
      return node.literal.type() == Type::kBoolean ? ToTruth(node.literal.boolean())
                                                   : Truth::kUnknown;
    case NodeKind::kNot: return Not(Evaluate(ast_.Child(node, 0)));
    case NodeKind::kBinary: return Binary(node);
    case NodeKind::kLike: return Like(node);
    case NodeKind::kIn: return In(node);
    case NodeKind::kTry: return Try(ast_.Child(node, 0));
    case NodeKind::kCall:
      return node.function->id == FunctionId::kBool ? Evaluate(ast_.Child(node, 0))
                                                    : Truth::kUnknown;
    default: return Truth::kUnknown;
  }
}

Truth TypeEvaluator::Binary(const Node& node) const {
  const Node& left = ast_.Child(node, 0);
  const Node& right = ast_.Child(node, 1);
  if (node.op == TokenKind::kAnd || node.op == TokenKind::kOr || node.op == TokenKind::kXor) {
    return Logic(node.op, Evaluate(left), Evaluate(right));
  }
  if (node.op != TokenKind::kEqual && node.op != TokenKind::kNotEqual) return Truth::kUnknown;
  const std::optional<absl::string_view> a = TextOf(left);
  const std::optional<absl::string_view> b = TextOf(right);
  if (!a || !b) return Truth::kUnknown;
  return ToTruth((*a == *b) == (node.op == TokenKind::kEqual));
}

Truth TypeEvaluator::Logic(TokenKind op, Truth left, Truth right) const {
  if (op != TokenKind::kXor) {
    const Truth decides = ToTruth(op == TokenKind::kOr);
    if (left == decides || right == decides) return decides;
  }
  if (left == Truth::kUnknown || right == Truth::kUnknown) return Truth::kUnknown;
  return op == TokenKind::kXor ? ToTruth(left != right) : left;
}

Truth TypeEvaluator::Like(const Node& node) const {
  const std::optional<absl::string_view> text = TextOf(ast_.Child(node, 0));
  if (!text) return Truth::kUnknown;
  return ToTruth(node.Pattern().Matches(*text) != node.negated);
}

Truth TypeEvaluator::In(const Node& node) const {
  const std::optional<absl::string_view> value = TextOf(ast_.Child(node, 0));
  if (!value) return Truth::kUnknown;
  bool known = true;
  for (size_t i = 1; i < node.child_count; ++i) {
    const std::optional<absl::string_view> element = TextOf(ast_.Child(node, i));
    if (element && *element == *value) return ToTruth(!node.negated);
    known = known && element.has_value();
  }
  return known ? ToTruth(node.negated) : Truth::kUnknown;
}

// What fails is false here.
Truth TypeEvaluator::Try(const Node& node) const {
  return Evaluate(node) == Truth::kFalse ? Truth::kFalse : Truth::kUnknown;
}

std::optional<absl::string_view> TypeEvaluator::TextOf(const Node& node) const {
  if (node.kind == NodeKind::kLiteral && node.literal.type() == Type::kString) {
    return node.literal.string();
  }
  if (node.kind == NodeKind::kAttribute && AttributeIdOf(node.name) == AttributeId::kType) {
    return type_;
  }
  if (node.kind == NodeKind::kCall) return FactOf(node.function->id);
  return std::nullopt;
}

std::optional<absl::string_view> TypeEvaluator::FactOf(FunctionId id) const {
  switch (id) {
    case FunctionId::kSubjectType: return parts_.subject;
    case FunctionId::kPredicate: return parts_.predicate;
    case FunctionId::kStage: return StageOfType(type_);
    default: return std::nullopt;
  }
}

// A subtree of a condition.
struct Branch {
  const Ast* ast;
  const Node* node;

  Branch Child(size_t i) const { return {ast, &ast->Child(*node, i)}; }
};

bool SamePath(const Branch& a, const Branch& b) {
  if (a.node->path < 0 || b.node->path < 0) return a.node->path == b.node->path;
  return a.ast->paths[static_cast<size_t>(a.node->path)].text() ==
         b.ast->paths[static_cast<size_t>(b.node->path)].text();
}

// Another name for its child, which is a Boolean already.
bool IsIdle(const Branch& branch) {
  return branch.node->kind == NodeKind::kCall && branch.node->function->id == FunctionId::kBool &&
         branch.Child(0).node->type == StaticType::kBoolean;
}

bool SameNode(const Branch& a, const Branch& b) {
  const Node& x = *a.node;
  const Node& y = *b.node;
  return x.kind == y.kind && x.op == y.op && x.negated == y.negated && x.literal == y.literal &&
         x.name == y.name && x.match == y.match && x.function == y.function &&
         x.child_count == y.child_count && SamePath(a, b);
}

bool Same(const Branch& a, const Branch& b) {
  if (!SameNode(a, b)) return false;
  for (size_t i = 0; i < a.node->child_count; ++i) {
    if (!Same(a.Child(i), b.Child(i))) return false;
  }
  return true;
}

// The operands of AND of which the condition consists, in the order of evaluation.
void CollectOperands(const Branch& branch, std::vector<Branch>* operands) {
  if (IsIdle(branch)) return CollectOperands(branch.Child(0), operands);
  if (branch.node->kind != NodeKind::kBinary || branch.node->op != TokenKind::kAnd) {
    operands->push_back(branch);
    return;
  }
  CollectOperands(branch.Child(0), operands);
  CollectOperands(branch.Child(1), operands);
}

std::vector<Branch> OperandsOf(const Ast& ast) {
  std::vector<Branch> operands;
  CollectOperands({&ast, &ast.nodes[ast.root]}, &operands);
  return operands;
}

bool IsConstant(const std::vector<Branch>& operands, bool value) {
  return operands.size() == 1 && operands[0].node->kind == NodeKind::kLiteral &&
         operands[0].node->literal == Value::Boolean(value);
}

bool BeginsWith(const std::vector<Branch>& operands, const std::vector<Branch>& base) {
  return operands.size() >= base.size() &&
         std::equal(base.begin(), base.end(), operands.begin(), Same);
}

bool HasAll(const std::vector<Branch>& operands, const std::vector<Branch>& base) {
  return std::all_of(base.begin(), base.end(), [&](const Branch& wanted) {
    return std::any_of(operands.begin(), operands.end(),
                       [&](const Branch& operand) { return Same(operand, wanted); });
  });
}

AndRelation Relate(const std::vector<Branch>& candidate, const std::vector<Branch>& base) {
  const bool begins = BeginsWith(candidate, base);
  if (begins && candidate.size() == base.size()) return AndRelation::kBaseFirst;
  if (IsConstant(base, true)) return AndRelation::kBaseFirst;
  if (IsConstant(candidate, false)) return AndRelation::kBaseLater;
  // Alone a condition has to be a Boolean; as an operand a text is cast to one.
  if (base.size() == 1 && base[0].node->type != StaticType::kBoolean) return AndRelation::kNo;
  if (begins) return AndRelation::kBaseFirst;
  return HasAll(candidate, base) ? AndRelation::kBaseLater : AndRelation::kNo;
}

}  // namespace

absl::StatusOr<TypeReach> TypeReach::Of(absl::string_view condition) {
  CDGATE_ASSIGN_OR_RETURN(Ast ast, ParseCondition(condition));
  return TypeReach(std::make_shared<const Ast>(std::move(ast)));
}

bool TypeReach::MayMatch(absl::string_view type) const {
  return TypeEvaluator(*ast_, type).Evaluate(ast_->nodes[ast_->root]) != Truth::kFalse;
}

bool TypeReach::CanFail(size_t max_event_bytes) const {
  const Node& root = ast_->nodes[ast_->root];
  return root.type != StaticType::kBoolean || filter::CanFail(*ast_, root, max_event_bytes);
}

absl::StatusOr<AndRelation> IsAndOf(absl::string_view candidate, absl::string_view base) {
  CDGATE_ASSIGN_OR_RETURN(const Ast candidate_ast, ParseCondition(candidate));
  CDGATE_ASSIGN_OR_RETURN(const Ast base_ast, ParseCondition(base));
  return Relate(OperandsOf(candidate_ast), OperandsOf(base_ast));
}

}  // namespace cdgate::filter

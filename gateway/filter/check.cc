#include "gateway/filter/check.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/code.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/machine.h"
#include "gateway/filter/parser.h"

namespace cdgate::filter {
namespace {

StaticType StaticTypeOf(const Value& value) {
  switch (value.type()) {
    case Type::kBoolean: return StaticType::kBoolean;
    case Type::kInteger: return StaticType::kInteger;
    case Type::kString: return StaticType::kString;
  }
  return StaticType::kAny;
}

bool IsArithmetic(TokenKind op) {
  return op == TokenKind::kPlus || op == TokenKind::kMinus || op == TokenKind::kTimes ||
         op == TokenKind::kDivide || op == TokenKind::kModulo;
}

bool BindsLogic(TokenKind op) {
  return op == TokenKind::kAnd || op == TokenKind::kOr || op == TokenKind::kXor;
}

// The attributes whose values are texts in every event.
StaticType AttributeType(absl::string_view name) {
  return AttributeIdOf(name) == AttributeId::kOther ? StaticType::kAny : StaticType::kString;
}

class Checker {
 public:
  Checker(absl::string_view source, const CompileOptions& options, Ast* ast)
      : source_(source), options_(options), ast_(*ast) {}

  absl::Status Run();

 private:
  absl::Status CheckNode(Node* node, uint32_t index);
  absl::Status CheckOperands(const Node& node) const;
  StaticType OperandType(const Node& node, size_t i) const;
  StaticType TypeOf(const Node& node) const;
  bool IsConstant(const Node& node) const;
  absl::Status Fold(Node* node, uint32_t index);
  void FoldShortCircuit(Node* node);
  void Replace(Node* node, const Value& value);
  absl::Status AlwaysFails(const EvalError& error) const;

  absl::string_view source_;
  const CompileOptions& options_;
  Ast& ast_;
  EventContext nothing_;
};

// Children come before their parents, so one pass suffices.
absl::Status Checker::Run() {
  for (uint32_t i = 0; i < ast_.nodes.size(); ++i) {
    CDGATE_RETURN_IF_ERROR(CheckNode(&ast_.nodes[i], i));
  }
  const Node& root = ast_.nodes[ast_.root];
  if (options_.condition && root.type != StaticType::kBoolean && root.type != StaticType::kAny) {
    return SourceError(source_, root.begin, ErrorKind::kCast,
                       absl::StrCat("a condition is true or false, and this is ",
                                    root.type == StaticType::kInteger ? "an Integer" : "a String",
                                    "; compare it with something"),
                       "a Boolean");
  }
  return absl::OkStatus();
}

absl::Status Checker::CheckNode(Node* node, uint32_t index) {
  node->type = TypeOf(*node);
  if (options_.condition && node->kind == NodeKind::kNot &&
      ast_.Child(*node, 0).type == StaticType::kInteger) {
    return SourceError(source_, node->begin, ErrorKind::kCast,
                       "NOT takes a Boolean, not an Integer", "a Boolean");
  }
  if (node->kind == NodeKind::kLiteral) return absl::OkStatus();
  if (options_.condition) CDGATE_RETURN_IF_ERROR(CheckOperands(*node));
  FoldShortCircuit(node);
  if (node->kind != NodeKind::kLiteral && IsConstant(*node)) return Fold(node, index);
  return absl::OkStatus();
}

// A text that no event makes an Integer or a Boolean fails wherever it is used as one.
absl::Status Checker::CheckOperands(const Node& node) const {
  if (node.kind != NodeKind::kBinary) return absl::OkStatus();
  for (size_t i = 0; i < 2; ++i) {
    const Node& operand = ast_.Child(node, i);
    const StaticType wanted = OperandType(node, i);
    if (operand.kind != NodeKind::kLiteral || operand.type != StaticType::kString) continue;
    if (wanted != StaticType::kBoolean && wanted != StaticType::kInteger) continue;
    const Type target = wanted == StaticType::kBoolean ? Type::kBoolean : Type::kInteger;
    if (CastText(operand.literal.string(), target)) continue;
    return AlwaysFails({.kind = ErrorKind::kCast,
                        .begin = operand.begin,
                        .end = operand.end,
                        .operand = operand.literal,
                        .target = target});
  }
  return absl::OkStatus();
}

// What the i-th operand of a binary operator is cast to.
StaticType Checker::OperandType(const Node& node, size_t i) const {
  if (BindsLogic(node.op)) return StaticType::kBoolean;
  if (node.op != TokenKind::kEqual && node.op != TokenKind::kNotEqual) return StaticType::kInteger;
  return i == 0 ? ast_.Child(node, 1).type : StaticType::kAny;
}

StaticType Checker::TypeOf(const Node& node) const {
  switch (node.kind) {
    case NodeKind::kLiteral: return StaticTypeOf(node.literal);
    case NodeKind::kAttribute: return AttributeType(node.name);
    case NodeKind::kNegate: return StaticType::kInteger;
    case NodeKind::kBinary:
      return IsArithmetic(node.op) ? StaticType::kInteger : StaticType::kBoolean;
    case NodeKind::kCall: return node.function->result;
    default: return StaticType::kBoolean;
  }
}

// Whether the value follows from literals alone.
bool Checker::IsConstant(const Node& node) const {
  if (node.kind == NodeKind::kAttribute || node.kind == NodeKind::kExists) return false;
  if (node.kind == NodeKind::kCall && !node.function->pure) return false;
  const absl::Span<const uint32_t> children = ast_.ChildrenOf(node);
  return std::all_of(children.begin(), children.end(), [this](uint32_t child) {
    return ast_.nodes[child].kind == NodeKind::kLiteral;
  });
}

absl::Status Checker::Fold(Node* node, uint32_t index) {
  Code code;
  code.max_work = options_.max_work;
  Emit(ast_, index, &code);
  std::vector<EvalError> errors;
  const Value value = Machine(code, nothing_, false, &errors, nullptr).Run();
  if (errors.empty()) {
    Replace(node, value);
    return absl::OkStatus();
  }
  return options_.condition ? AlwaysFails(errors.front()) : absl::OkStatus();
}

// FALSE AND x is false and TRUE OR x is true, whatever x does.
void Checker::FoldShortCircuit(Node* node) {
  if (node->kind != NodeKind::kBinary) return;
  if (node->op != TokenKind::kAnd && node->op != TokenKind::kOr) return;
  const Node& left = ast_.Child(*node, 0);
  const bool decides = node->op == TokenKind::kOr;
  if (left.kind == NodeKind::kLiteral && left.literal == Value::Boolean(decides)) {
    Replace(node, left.literal);
  }
}

void Checker::Replace(Node* node, const Value& value) {
  node->literal =
      value.type() == Type::kString ? Value::String(ast_.Keep(std::string(value.string()))) : value;
  node->kind = NodeKind::kLiteral;
  node->child_count = 0;
  node->path = -1;
  node->type = StaticTypeOf(value);
}

absl::Status Checker::AlwaysFails(const EvalError& error) const {
  return SourceError(source_, error.begin, error.kind,
                     absl::StrCat("this always fails: ", ErrorMessage(source_, error)));
}

}  // namespace

absl::Status Check(absl::string_view source, const CompileOptions& options, Ast* ast) {
  return Checker(source, options, ast).Run();
}

absl::StatusOr<Ast> ParseCondition(absl::string_view source) {
  const CompileOptions options;
  CDGATE_ASSIGN_OR_RETURN(Ast ast, Parse(source, options));
  CDGATE_RETURN_IF_ERROR(Check(source, options, &ast));
  return ast;
}

std::string ErrorMessage(absl::string_view source, const EvalError& error) {
  const std::string text = Excerpt(source.substr(error.begin, error.end - error.begin), 120);
  switch (error.kind) {
    case ErrorKind::kMissingAttribute:
      if (absl::StrContains(text, "(")) return absl::StrCat("nothing is at ", text);
      return absl::StrCat("the event has no attribute ", text);
    case ErrorKind::kCast: {
      const std::string operand =
          error.operand.type() == Type::kString
              ? absl::StrCat("'", base::Shorten(error.operand.string()), "'")
              : error.operand.ToString();
      return absl::StrCat(text == operand ? "" : text + ": ", operand, " is no ",
                          TypeName(error.target));
    }
    case ErrorKind::kNone: return "";
    default: return absl::StrCat(text, ": ", error.detail);
  }
}

}  // namespace cdgate::filter

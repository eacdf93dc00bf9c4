#include <algorithm>
#include <utility>

#include "gateway/filter/code.h"

namespace cdgate::filter {
namespace {

Op OpOf(TokenKind kind) {
  switch (kind) {
    case TokenKind::kPlus: return Op::kAdd;
    case TokenKind::kMinus: return Op::kSubtract;
    case TokenKind::kTimes: return Op::kMultiply;
    case TokenKind::kDivide: return Op::kDivide;
    case TokenKind::kModulo: return Op::kModulo;
    case TokenKind::kEqual: return Op::kEqual;
    case TokenKind::kNotEqual: return Op::kNotEqual;
    case TokenKind::kLess: return Op::kLess;
    case TokenKind::kLessEqual: return Op::kLessEqual;
    case TokenKind::kGreater: return Op::kGreater;
    case TokenKind::kGreaterEqual: return Op::kGreaterEqual;
    default: return Op::kXor;
  }
}

bool IsTextLiteral(const Node& node) {
  return node.kind == NodeKind::kLiteral && node.literal.type() == Type::kString;
}

// A function of no argument whose result is a string.
bool IsTextFunction(const Node& node) {
  return node.kind == NodeKind::kCall && node.child_count == 0 && node.path < 0 &&
         node.function->result == StaticType::kString && !node.function->pure;
}

class Emitter {
 public:
  Emitter(const Ast& ast, Code* code) : ast_(ast), code_(*code) {}

  void Visit(uint32_t index);

 private:
  void Literal(const Node& node);
  void Binary(const Node& node);
  bool ComparesWithText(const Node& node);
  void ShortCircuit(const Node& node, Op test, Op end);
  void Like(const Node& node);
  bool IsInTexts(const Node& node);
  void InTexts(const Node& node);
  void In(const Node& node);
  void Try(const Node& node);
  bool IsIdle(const Node& node) const;
  void Call(const Node& node);
  void Data(const Node& node);

  uint32_t NameOf(const Node& node);
  uint32_t ConstantOf(const Value& value);
  uint32_t PatternOf(const Node& node);

  // Appends an instruction about `node`; the stack grows by `growth`.
  Instruction& Add(const Node& node, Op op, int growth, uint32_t a = 0);
  void JumpHere(size_t instruction) {
    code_.instructions[instruction].b = static_cast<uint32_t>(code_.instructions.size());
  }

  const Ast& ast_;
  Code& code_;
  size_t stack_ = 0;
};

Instruction& Emitter::Add(const Node& node, Op op, int growth, uint32_t a) {
  stack_ = static_cast<size_t>(static_cast<int>(stack_) + growth);
  code_.stack_size = std::max(code_.stack_size, stack_);
  code_.instructions.push_back({.op = op, .a = a, .begin = node.begin, .end = node.end});
  return code_.instructions.back();
}

void Emitter::Visit(uint32_t index) {
  const Node& node = ast_.nodes[index];
  switch (node.kind) {
    case NodeKind::kLiteral: return Literal(node);
    case NodeKind::kAttribute: Add(node, Op::kAttribute, 1, NameOf(node)); return;
    case NodeKind::kExists: Add(node, Op::kExists, 1, NameOf(node)).flag = node.implied; return;
    case NodeKind::kNot:
    case NodeKind::kNegate:
      Visit(ast_.ChildrenOf(node)[0]);
      Add(node, node.kind == NodeKind::kNot ? Op::kNot : Op::kNegate, 0);
      return;
    case NodeKind::kBinary: return Binary(node);
    case NodeKind::kLike: return Like(node);
    case NodeKind::kIn: return In(node);
    case NodeKind::kTry: return Try(node);
    case NodeKind::kCall: return node.path >= 0 ? Data(node) : Call(node);
  }
}

void Emitter::Literal(const Node& node) { Add(node, Op::kConstant, 1, ConstantOf(node.literal)); }

void Emitter::Binary(const Node& node) {
  if (node.op == TokenKind::kAnd) return ShortCircuit(node, Op::kAndTest, Op::kAndEnd);
  if (node.op == TokenKind::kOr) return ShortCircuit(node, Op::kOrTest, Op::kOrEnd);
  if (ComparesWithText(node)) return;
  Visit(ast_.ChildrenOf(node)[0]);
  Visit(ast_.ChildrenOf(node)[1]);
  Add(node, OpOf(node.op), -1);
}

// The commonest conditions, attribute = 'text' and FUNCTION() = 'text', in one step.
bool Emitter::ComparesWithText(const Node& node) {
  if (node.op != TokenKind::kEqual && node.op != TokenKind::kNotEqual) return false;
  const Node& left = ast_.Child(node, 0);
  const Node& right = ast_.Child(node, 1);
  if (!IsTextLiteral(right)) return false;
  if (left.kind == NodeKind::kAttribute) {
    Add(left, Op::kEqualText, 1, NameOf(left));
  } else if (IsTextFunction(left)) {
    Add(left, Op::kCallEqualText, 1, static_cast<uint32_t>(left.function->id));
  } else {
    return false;
  }
  code_.instructions.back().flag = node.op == TokenKind::kNotEqual;
  code_.instructions.back().b = ConstantOf(right.literal);
  return true;
}

void Emitter::ShortCircuit(const Node& node, Op test, Op end) {
  Visit(ast_.ChildrenOf(node)[0]);
  const size_t jump = code_.instructions.size();
  Add(ast_.Child(node, 0), test, 0);
  Visit(ast_.ChildrenOf(node)[1]);
  Add(ast_.Child(node, 1), end, -1);
  JumpHere(jump);
}

void Emitter::Like(const Node& node) {
  const Node& left = ast_.Child(node, 0);
  if (left.kind == NodeKind::kAttribute) {
    Add(left, Op::kLikeText, 1, NameOf(left)).b = PatternOf(node);
  } else {
    Visit(ast_.ChildrenOf(node)[0]);
    Add(node, Op::kLike, 0, PatternOf(node));
  }
  code_.instructions.back().flag = node.negated;
}

// attribute IN ('text', ...), in one step.
bool Emitter::IsInTexts(const Node& node) {
  const absl::Span<const uint32_t> children = ast_.ChildrenOf(node);
  return ast_.nodes[children[0]].kind == NodeKind::kAttribute &&
         std::all_of(children.begin() + 1, children.end(),
                     [this](uint32_t child) { return IsTextLiteral(ast_.nodes[child]); });
}

void Emitter::InTexts(const Node& node) {
  const Node& left = ast_.Child(node, 0);
  // The machine pushes each element beside the value.
  Add(left, Op::kInTexts, 2, NameOf(left));
  --stack_;
  Instruction& in = code_.instructions.back();
  in.flag = node.negated;
  in.count = static_cast<uint16_t>(node.child_count - 1);
  in.b = static_cast<uint32_t>(code_.constants.size());
  for (size_t i = 1; i < node.child_count; ++i) ConstantOf(ast_.Child(node, i).literal);
}

void Emitter::In(const Node& node) {
  if (IsInTexts(node)) return InTexts(node);
  const absl::Span<const uint32_t> children = ast_.ChildrenOf(node);
  Visit(children[0]);
  std::vector<size_t> jumps;
  for (const uint32_t element : children.subspan(1)) {
    Visit(element);
    jumps.push_back(code_.instructions.size());
    Add(ast_.nodes[element], Op::kInTest, -1).flag = node.negated;
  }
  Add(node, Op::kInEnd, 0).flag = node.negated;
  for (const size_t jump : jumps) JumpHere(jump);
}

void Emitter::Try(const Node& node) {
  const size_t begin = code_.instructions.size();
  Add(node, Op::kTry, 0);
  Visit(ast_.ChildrenOf(node)[0]);
  JumpHere(begin);
  Add(node, Op::kTryEnd, 0);
}

// BOOL() of a Boolean. A NOT that fails is true, and BOOL() of it false.
bool Emitter::IsIdle(const Node& node) const {
  if (node.function->id != FunctionId::kBool) return false;
  const Node& child = ast_.Child(node, 0);
  return child.type == StaticType::kBoolean && child.kind != NodeKind::kNot;
}

void Emitter::Call(const Node& node) {
  if (IsIdle(node)) return Visit(ast_.ChildrenOf(node)[0]);
  for (const uint32_t argument : ast_.ChildrenOf(node)) Visit(argument);
  const auto id = static_cast<uint32_t>(node.function->id);
  Instruction& call = Add(node, Op::kCall, 1 - static_cast<int>(node.child_count), id);
  call.count = static_cast<uint16_t>(node.child_count);
}

void Emitter::Data(const Node& node) {
  const auto path = static_cast<uint32_t>(code_.paths.size());
  code_.paths.push_back(ast_.paths[static_cast<size_t>(node.path)]);
  if (node.function->id == FunctionId::kHasCdevent) {
    Add(node, Op::kHasData, 1, path);
  } else if (node.child_count == 0) {
    Add(node, Op::kData, 1, path);
  } else {
    const size_t jump = code_.instructions.size();
    Add(node, Op::kDataOrElse, 0, path);
    Visit(ast_.ChildrenOf(node)[0]);
    JumpHere(jump);
  }
}

uint32_t Emitter::NameOf(const Node& node) {
  code_.names.push_back({AttributeIdOf(node.name), node.name});
  return static_cast<uint32_t>(code_.names.size() - 1);
}

uint32_t Emitter::ConstantOf(const Value& value) {
  code_.constants.push_back(value);
  return static_cast<uint32_t>(code_.constants.size() - 1);
}

uint32_t Emitter::PatternOf(const Node& node) {
  code_.patterns.push_back(node.Pattern());
  return static_cast<uint32_t>(code_.patterns.size() - 1);
}

}  // namespace

void Emit(const Ast& ast, uint32_t root, Code* code) { Emitter(ast, code).Visit(root); }

}  // namespace cdgate::filter

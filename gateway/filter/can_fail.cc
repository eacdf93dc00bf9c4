#include "gateway/filter/can_fail.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {
namespace {

// Texts in every admitted CDEvent.
constexpr absl::string_view kTextPaths[] = {
    "context.id", "context.source", "context.type", "context.timestamp", "subject.id",
};

bool IsLogic(TokenKind op) {
  return op == TokenKind::kAnd || op == TokenKind::kOr || op == TokenKind::kXor;
}

bool IsTruth(const Node& node) {
  return node.kind == NodeKind::kCall && node.function->id == FunctionId::kBool;
}

bool IsOrder(TokenKind op) {
  return op == TokenKind::kLess || op == TokenKind::kLessEqual || op == TokenKind::kGreater ||
         op == TokenKind::kGreaterEqual;
}

// Every value of the type `from` can be cast to `to`.
bool Casts(StaticType from, StaticType to) {
  if (to == StaticType::kString || from == to) return true;
  return to != StaticType::kAny && from != StaticType::kAny && from != StaticType::kString;
}

class FailureSearch {
 public:
  FailureSearch(const Ast& ast, size_t max_event_bytes)
      : ast_(ast), max_event_bytes_(max_event_bytes) {}

  bool Fails(const Node& node);
  bool ExceedsWork() const { return work_ > CompileOptions().max_work; }

 private:
  bool AnyChildFails(const Node& node);
  bool AttributeFails(const Node& node) const;
  bool BinaryFails(const Node& node);
  bool AndFails(const Node& node);
  bool ComparisonFails(const Node& node);
  bool LikeFails(const Node& node);
  bool InFails(const Node& node);
  bool CallFails(const Node& node);
  bool DataFails(const Node& node);
  bool TextOfFixedSizeFails(const Node& node);

  // Attributes that the event has where `node` is true.
  void AddGuards(const Node& node);
  // Bytes that comparing `a` with `b` may touch.
  size_t WorkOfEquality(const Node& a, const Node& b) const {
    return std::min(SizeOf(a), SizeOf(b));
  }
  size_t SizeOf(const Node& node) const {
    return node.kind == NodeKind::kLiteral ? node.literal.string().size() : max_event_bytes_;
  }

  const Ast& ast_;
  const size_t max_event_bytes_;
  std::vector<absl::string_view> guards_;
  uint64_t work_ = 0;
};

bool FailureSearch::Fails(const Node& node) {
  switch (node.kind) {
    case NodeKind::kLiteral:
    case NodeKind::kExists: return false;
    case NodeKind::kAttribute: return AttributeFails(node);
    case NodeKind::kNot:
      return ast_.Child(node, 0).type != StaticType::kBoolean || AnyChildFails(node);
    case NodeKind::kNegate: return true;
    case NodeKind::kBinary: return BinaryFails(node);
    case NodeKind::kLike: return LikeFails(node);
    case NodeKind::kIn: return InFails(node);
    case NodeKind::kTry:
      AnyChildFails(node);  // for the work it is
      return false;
    case NodeKind::kCall: return node.path >= 0 ? DataFails(node) : CallFails(node);
  }
  return true;
}

bool FailureSearch::AnyChildFails(const Node& node) {
  const absl::Span<const uint32_t> children = ast_.ChildrenOf(node);
  return std::any_of(children.begin(), children.end(),
                     [this](uint32_t child) { return Fails(ast_.nodes[child]); });
}

bool FailureSearch::AttributeFails(const Node& node) const {
  switch (AttributeIdOf(node.name)) {
    case AttributeId::kId:
    case AttributeId::kSource:
    case AttributeId::kType:
    case AttributeId::kSpecVersion: return false;
    default: return std::find(guards_.begin(), guards_.end(), node.name) == guards_.end();
  }
}

bool FailureSearch::BinaryFails(const Node& node) {
  if (IsLogic(node.op)) {
    for (size_t i = 0; i < 2; ++i) {
      if (!Casts(ast_.Child(node, i).type, StaticType::kBoolean)) return true;
    }
    return node.op == TokenKind::kAnd ? AndFails(node) : AnyChildFails(node);
  }
  return ComparisonFails(node) || AnyChildFails(node);
}

// The right side is only evaluated where the left is true.
bool FailureSearch::AndFails(const Node& node) {
  if (Fails(ast_.Child(node, 0))) return true;
  const size_t outer = guards_.size();
  AddGuards(ast_.Child(node, 0));
  const bool fails = Fails(ast_.Child(node, 1));
  guards_.resize(outer);
  return fails;
}

void FailureSearch::AddGuards(const Node& node) {
  if (node.kind == NodeKind::kExists) guards_.push_back(node.name);
  const bool all = node.kind == NodeKind::kBinary && node.op == TokenKind::kAnd;
  if (all || node.kind == NodeKind::kTry || IsTruth(node)) AddGuards(ast_.Child(node, 0));
  if (all) AddGuards(ast_.Child(node, 1));
}

// Arithmetic can leave 32 bits.
bool FailureSearch::ComparisonFails(const Node& node) {
  const Node& left = ast_.Child(node, 0);
  const Node& right = ast_.Child(node, 1);
  if (IsOrder(node.op)) {
    return !Casts(left.type, StaticType::kInteger) || !Casts(right.type, StaticType::kInteger);
  }
  if (node.op != TokenKind::kEqual && node.op != TokenKind::kNotEqual) return true;
  work_ += WorkOfEquality(left, right);
  return right.type == StaticType::kAny || !Casts(left.type, right.type);
}

bool FailureSearch::LikeFails(const Node& node) {
  work_ += node.Pattern().WorkFor(max_event_bytes_);
  return AnyChildFails(node);
}

// The elements become of the type of the value.
bool FailureSearch::InFails(const Node& node) {
  const Node& value = ast_.Child(node, 0);
  if (value.type == StaticType::kAny) return true;
  for (size_t i = 1; i < node.child_count; ++i) {
    if (!Casts(ast_.Child(node, i).type, value.type)) return true;
    work_ += WorkOfEquality(value, ast_.Child(node, i));
  }
  return AnyChildFails(node);
}

bool FailureSearch::CallFails(const Node& node) {
  const FunctionInfo& function = *node.function;
  // An event of a type that no release has may be without its release.
  if (!function.pure) return function.id == FunctionId::kSpecVersion;
  work_ += max_event_bytes_ * node.child_count;
  switch (function.id) {
    case FunctionId::kInt:
    case FunctionId::kBool:
      return !Casts(ast_.Child(node, 0).type, function.result) || AnyChildFails(node);
    case FunctionId::kString:
    case FunctionId::kLength:
    case FunctionId::kTrim: return AnyChildFails(node);
    case FunctionId::kLeft:
    case FunctionId::kRight: return TextOfFixedSizeFails(node);
    // What builds a text can run out of room, and the others have arguments that are wrong.
    default: return true;
  }
}

bool FailureSearch::TextOfFixedSizeFails(const Node& node) {
  const Node& count = ast_.Child(node, 1);
  const bool good = count.kind == NodeKind::kLiteral && count.literal.type() == Type::kInteger &&
                    count.literal.integer() >= 0;
  return !good || Fails(ast_.Child(node, 0));
}

bool FailureSearch::DataFails(const Node& node) {
  work_ += 64 + max_event_bytes_ / 8;
  if (node.function->id == FunctionId::kHasCdevent) return false;
  const absl::string_view path = ast_.paths[static_cast<size_t>(node.path)].text();
  return std::find(std::begin(kTextPaths), std::end(kTextPaths), path) == std::end(kTextPaths);
}

}  // namespace

bool CanFail(const Ast& ast, const Node& root, size_t max_event_bytes) {
  FailureSearch search(ast, max_event_bytes);
  return search.Fails(root) || search.ExceedsWork();
}

}  // namespace cdgate::filter

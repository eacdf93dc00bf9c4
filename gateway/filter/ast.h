// The syntax tree of a CESQL expression. Internal to the library.
//
// Nodes are indices into one vector, children before their parent; the last is the root.
// Literals and names view `texts`, whose elements never move.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/filter/data_path.h"
#include "gateway/filter/functions.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/like.h"
#include "gateway/filter/value.h"

namespace cdgate::filter {

enum class NodeKind : uint8_t {
  kLiteral,    // literal
  kAttribute,  // name, in lower case
  kExists,     // name
  kNot,        // one child
  kNegate,     // one child
  kBinary,     // op, two children
  kLike,       // one child; literal is the pattern
  kIn,         // the value, then the elements of the set
  kTry,        // one child, as a Boolean; false where it fails
  kCall,       // function, its arguments as children; CDEVENT's path is `path` instead
};

struct Node {
  NodeKind kind = NodeKind::kLiteral;
  TokenKind op = TokenKind::kEnd;
  bool negated = false;                   // NOT LIKE, NOT IN
  bool implied = false;                   // EXISTS: not written, but meant
  TextMatch match = TextMatch::kPattern;  // of LIKE
  bool parenthesised = false;             // written in parentheses of its own
  StaticType type = StaticType::kAny;
  uint32_t begin = 0;  // in the source, without its own parentheses
  uint32_t end = 0;
  uint32_t outer_begin = 0;  // with them
  uint32_t depth = 1;
  uint32_t first_child = 0;  // in Ast::children
  uint32_t child_count = 0;
  int32_t path = -1;  // in Ast::paths
  Value literal = {};
  absl::string_view name = {};
  const FunctionInfo* function = nullptr;

  LikePattern Pattern() const { return LikePattern(literal.string(), match); }
};

struct Ast {
  std::vector<Node> nodes;
  std::vector<uint32_t> children;
  std::vector<DataPath> paths;
  std::deque<std::string> texts;
  uint32_t root = 0;

  absl::Span<const uint32_t> ChildrenOf(const Node& node) const {
    return absl::MakeConstSpan(children).subspan(node.first_child, node.child_count);
  }
  const Node& Child(const Node& node, size_t i) const { return nodes[ChildrenOf(node)[i]]; }
  absl::string_view Keep(std::string text) {
    texts.push_back(std::move(text));
    return texts.back();
  }
};

}  // namespace cdgate::filter

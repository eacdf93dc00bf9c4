#include "gateway/filter/analysis.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/filter/ast.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/parser.h"
#include "gateway/filter/vocabulary.h"

namespace cdgate::filter {
namespace {

// In every admitted CDEvent.
constexpr absl::string_view kRequiredPaths[] = {
    "context.id",        "context.source", "context.type",
    "context.timestamp", "subject.id",     "subject.content",
};

bool IsLogic(TokenKind op) {
  return op == TokenKind::kAnd || op == TokenKind::kOr || op == TokenKind::kXor;
}

bool IsCall(const Node& node, FunctionId id) {
  return node.kind == NodeKind::kCall && node.function->id == id;
}

class Analyser {
 public:
  Analyser(absl::string_view source, const Ast& ast) : source_(source), ast_(ast) {}

  Analysis Run();

 private:
  void Look(const Node& node);
  void LookAtLogic(const Node& node);
  void LookAtNot(const Node& left);
  void LookAtData(const Node& node);
  void LookAtAttribute(const Node& node);
  void LookAtFact(const Node& fact, const Node& literal);

  // The conditions joined by AND of which `node` consists.
  void CollectConjuncts(const Node& node);
  void FindContradictions();
  bool Excludes(const Node& node, const Requirement& required) const;
  void Require(const Node& node);

  void CollectGuards();
  absl::string_view PathOf(const Node& node) const {
    return ast_.paths[static_cast<size_t>(node.path)].text();
  }
  // What an operand that can be required to equal something is called; "" for others.
  static std::string NameOf(const Node& node);
  void Warn(const Node& node, std::string message) {
    out_.pitfalls.push_back({PositionAt(source_, node.begin), std::move(message), ""});
  }

  absl::string_view source_;
  const Ast& ast_;
  std::vector<const Node*> conjuncts_;
  absl::flat_hash_set<absl::string_view> tested_paths_;       // by HAS_CDEVENT
  absl::flat_hash_set<absl::string_view> tested_attributes_;  // by EXISTS
  Analysis out_;
};

Analysis Analyser::Run() {
  CollectGuards();
  for (const Node& node : ast_.nodes) Look(node);
  CollectConjuncts(ast_.nodes[ast_.root]);
  FindContradictions();
  std::stable_sort(
      out_.pitfalls.begin(), out_.pitfalls.end(), [](const Pitfall& a, const Pitfall& b) {
        return a.position.line != b.position.line ? a.position.line < b.position.line
                                                  : a.position.column < b.position.column;
      });
  return std::move(out_);
}

void Analyser::Look(const Node& node) {
  switch (node.kind) {
    case NodeKind::kBinary:
      if (IsLogic(node.op)) return LookAtLogic(node);
      LookAtNot(ast_.Child(node, 0));
      if (node.op == TokenKind::kEqual || node.op == TokenKind::kNotEqual) {
        LookAtFact(ast_.Child(node, 0), ast_.Child(node, 1));
      }
      return;
    case NodeKind::kLike: return LookAtNot(ast_.Child(node, 0));
    case NodeKind::kIn:
      LookAtNot(ast_.Child(node, 0));
      for (size_t i = 1; i < node.child_count; ++i) {
        LookAtFact(ast_.Child(node, 0), ast_.Child(node, i));
      }
      return;
    case NodeKind::kAttribute: return LookAtAttribute(node);
    case NodeKind::kCall: return LookAtData(node);
    default: return;
  }
}

void Analyser::LookAtLogic(const Node& node) {
  const Node& left = ast_.Child(node, 0);
  const bool mixed = left.kind == NodeKind::kBinary && IsLogic(left.op) && left.op != node.op;
  if (!mixed || left.parenthesised) return;
  Warn(node,
       "AND, OR and XOR have the same precedence in CESQL and are read from left to right; say "
       "with parentheses what is meant");
}

void Analyser::LookAtNot(const Node& left) {
  if (left.kind != NodeKind::kNot || left.parenthesised) return;
  const Node& operand = ast_.Child(left, 0);
  if (operand.parenthesised || operand.kind == NodeKind::kExists ||
      IsCall(operand, FunctionId::kHasCdevent)) {
    return;
  }
  Warn(left,
       "NOT binds tighter than LIKE, IN and comparisons, so it applies to the operand alone; "
       "write NOT (...), NOT LIKE or NOT IN");
}

void Analyser::LookAtData(const Node& node) {
  if (!IsCall(node, FunctionId::kCdevent) || node.child_count > 0) return;
  const absl::string_view path = PathOf(node);
  if (tested_paths_.contains(path)) return;
  if (std::find(std::begin(kRequiredPaths), std::end(kRequiredPaths), path) !=
      std::end(kRequiredPaths)) {
    return;
  }
  Warn(node, absl::StrCat("fails on events without ", base::Shorten(path), "; write HAS_CDEVENT('",
                          base::Shorten(path), "') AND ... before it, or give a default, CDEVENT('",
                          base::Shorten(path), "', '')"));
  out_.pitfalls.back().path = std::string(path);
}

void Analyser::CollectGuards() {
  for (const Node& node : ast_.nodes) {
    if (IsCall(node, FunctionId::kHasCdevent)) tested_paths_.insert(PathOf(node));
    if (node.kind == NodeKind::kExists) tested_attributes_.insert(node.name);
  }
}

void Analyser::LookAtAttribute(const Node& node) {
  if (AttributeIdOf(node.name) != AttributeId::kOther) return;
  if (tested_attributes_.contains(node.name)) return;
  Warn(node, absl::StrCat("fails on events without the attribute ", base::Shorten(node.name),
                          "; write EXISTS ", base::Shorten(node.name), " AND ... before it"));
}

// A subject, predicate or stage that no event has is a misspelling.
void Analyser::LookAtFact(const Node& fact, const Node& literal) {
  if (literal.kind != NodeKind::kLiteral || literal.literal.type() != Type::kString) return;
  const absl::string_view text = literal.literal.string();
  const std::string shown = base::Shorten(text);
  if (IsCall(fact, FunctionId::kSubjectType) && StageOfSubject(text).empty() &&
      !absl::StrContains(text, "-")) {
    Warn(literal, absl::StrCat("no release of CDEvents has the subject '", shown, "'"));
  } else if (IsCall(fact, FunctionId::kPredicate) && !IsKnownPredicate(text)) {
    Warn(literal, absl::StrCat("no release of CDEvents has the predicate '", shown,
                               "'; only a custom event can have it"));
  } else if (IsCall(fact, FunctionId::kStage) && !IsKnownStage(text)) {
    Warn(literal, absl::StrCat("there is no stage '", shown,
                               "'; there are core, scm, ci, testing, cd, operations, approval and "
                               "custom"));
  }
}

void Analyser::CollectConjuncts(const Node& node) {
  if (node.kind != NodeKind::kBinary || node.op != TokenKind::kAnd) {
    conjuncts_.push_back(&node);
    return;
  }
  CollectConjuncts(ast_.Child(node, 0));
  CollectConjuncts(ast_.Child(node, 1));
}

std::string Analyser::NameOf(const Node& node) {
  if (node.kind == NodeKind::kAttribute) return std::string(node.name);
  if (node.kind != NodeKind::kCall || node.child_count > 0 || node.path >= 0) return "";
  return node.function->pure ? "" : absl::StrCat(node.function->name, "()");
}

void Analyser::Require(const Node& node) {
  if (node.kind != NodeKind::kBinary || node.op != TokenKind::kEqual) return;
  const Node& right = ast_.Child(node, 1);
  std::string left = NameOf(ast_.Child(node, 0));
  if (left.empty() || right.kind != NodeKind::kLiteral) return;
  out_.requirements.push_back({std::move(left), right.literal.ToString(), right.literal.type()});
}

// The same operand equal to two values of one type, or to a text that its LIKE does not
// match.
void Analyser::FindContradictions() {
  constexpr size_t kMost = 200;  // a longer list is not looked through
  if (conjuncts_.size() > kMost) return;
  for (const Node* node : conjuncts_) Require(*node);
  for (const Requirement& a : out_.requirements) {
    for (const Requirement& b : out_.requirements) {
      if (a.left == b.left && a.type == b.type && a.value != b.value) out_.never_true = true;
    }
    for (const Node* node : conjuncts_) {
      if (a.type == Type::kString && Excludes(*node, a)) out_.never_true = true;
    }
  }
}

bool Analyser::Excludes(const Node& node, const Requirement& required) const {
  if (node.kind != NodeKind::kLike || NameOf(ast_.Child(node, 0)) != required.left) return false;
  return node.Pattern().Matches(required.value) == node.negated;
}

}  // namespace

Analysis Analyse(absl::string_view source) {
  const absl::StatusOr<Program> program = Program::Compile(source);
  if (!program.ok()) return {};
  const absl::StatusOr<Ast> ast = Parse(source, CompileOptions());
  if (!ast.ok()) return {};
  Analysis analysis = Analyser(source, *ast).Run();
  if (program->constant() != nullptr && !program->constant()->boolean()) analysis.never_true = true;
  return analysis;
}

}  // namespace cdgate::filter

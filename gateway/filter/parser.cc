#include "gateway/filter/parser.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/dialect.h"

namespace cdgate::filter {
namespace {

constexpr absl::string_view kOperand = "an attribute, literal, function, NOT, EXISTS, '-' or '('";
constexpr int kPostfixPower = 60;
constexpr int kUnaryPower = 70;

// How tightly a binary operator binds; 0: it is none.
int BindingPower(TokenKind kind) {
  switch (kind) {
    case TokenKind::kAnd:
    case TokenKind::kOr:
    case TokenKind::kXor: return 10;
    case TokenKind::kEqual:
    case TokenKind::kNotEqual:
    case TokenKind::kLess:
    case TokenKind::kLessEqual:
    case TokenKind::kGreater:
    case TokenKind::kGreaterEqual: return 20;
    case TokenKind::kPlus:
    case TokenKind::kMinus: return 30;
    case TokenKind::kTimes:
    case TokenKind::kDivide:
    case TokenKind::kModulo: return 40;
    case TokenKind::kLike:
    case TokenKind::kIn:
    case TokenKind::kNot: return kPostfixPower;
    default: return 0;
  }
}

bool IsFunctionName(absl::string_view name) {
  return absl::ascii_isalpha(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return c == '_' || absl::ascii_isalpha(static_cast<unsigned char>(c));
         });
}

// A token as messages name it; texts have quotes already.
std::string Shown(absl::string_view token) {
  if (token[0] == '\'' || token[0] == '"') return Excerpt(token);
  return absl::StrCat("'", Excerpt(token), "'");
}

// A backslash is only taken away before the quote; LIKE has uses for the others.
std::string Unquote(absl::string_view quoted) {
  const char quote = quoted[0];
  const absl::string_view inner = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(inner.size());
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '\\' && i + 1 < inner.size()) {
      if (inner[i + 1] != quote) out += '\\';
      ++i;
    }
    out += inner[i];
  }
  return out;
}

class Parser {
 public:
  Parser(absl::string_view source, const CompileOptions& options, Ast* ast)
      : source_(source), options_(options), lexer_(source), ast_(*ast) {}

  absl::StatusOr<uint32_t> Run();

 private:
  using NodeIndex = absl::StatusOr<uint32_t>;

  NodeIndex Expression(int min_power);
  NodeIndex Prefix();
  NodeIndex Operand();
  NodeIndex Continue(uint32_t left);
  NodeIndex Like(uint32_t left, bool negated);
  NodeIndex In(uint32_t left, bool negated);
  NodeIndex Exists();
  NodeIndex Parenthesised();
  NodeIndex Sign();
  NodeIndex Integer(uint32_t begin, bool negative);
  NodeIndex Name();
  NodeIndex Call(const Token& name);
  absl::StatusOr<std::vector<uint32_t>> List(absl::string_view expected);
  absl::Status TakePath(Node* node, std::vector<uint32_t>* arguments);
  absl::Status CheckArguments(const Token& name, const Node& node, size_t count);

  // `node` with `children`, which ends where the last token taken ended.
  NodeIndex Add(Node node, absl::Span<const uint32_t> children);
  absl::Status Advance();
  absl::Status Expect(TokenKind kind, absl::string_view expected);
  absl::Status Unexpected(absl::string_view expected) const;
  absl::string_view Text(const Token& token) const {
    return source_.substr(token.begin, token.end - token.begin);
  }

  absl::string_view source_;
  const CompileOptions& options_;
  Lexer lexer_;
  Token token_;            // the next
  uint32_t last_end_ = 0;  // where the one before it ended
  uint32_t nesting_ = 0;
  Ast& ast_;
};

absl::StatusOr<uint32_t> Parser::Run() {
  CDGATE_RETURN_IF_ERROR(Advance());
  CDGATE_ASSIGN_OR_RETURN(const uint32_t root, Expression(1));
  if (token_.kind != TokenKind::kEnd) return Unexpected("an operator or the end");
  return root;
}

absl::Status Parser::Advance() {
  last_end_ = token_.end;
  CDGATE_ASSIGN_OR_RETURN(token_, lexer_.Next());
  return absl::OkStatus();
}

absl::Status Parser::Unexpected(absl::string_view expected) const {
  const std::string found = token_.kind == TokenKind::kEnd ? "the end" : Shown(Text(token_));
  return SyntaxError(source_, token_.begin, expected, found);
}

absl::Status Parser::Expect(TokenKind kind, absl::string_view expected) {
  if (token_.kind != kind) return Unexpected(expected);
  return Advance();
}

Parser::NodeIndex Parser::Add(Node node, absl::Span<const uint32_t> children) {
  node.end = last_end_;
  return AddNode(source_, options_, node, children, &ast_);
}

Parser::NodeIndex Parser::Expression(int min_power) {
  if (++nesting_ > kMaxNesting) {
    return SourceError(source_, token_.begin, ErrorKind::kParse,
                       absl::StrCat("nested more than ", kMaxNesting, " levels deep"));
  }
  CDGATE_ASSIGN_OR_RETURN(uint32_t left, Prefix());
  for (int power = BindingPower(token_.kind); power >= min_power && power > 0;
       power = BindingPower(token_.kind)) {
    CDGATE_ASSIGN_OR_RETURN(left, Continue(left));
  }
  --nesting_;
  return left;
}

// What follows an operand: LIKE, IN, or a binary operator and its right side.
Parser::NodeIndex Parser::Continue(uint32_t left) {
  const Token op = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  const bool negated = op.kind == TokenKind::kNot;
  const TokenKind kind = negated ? token_.kind : op.kind;
  if (kind == TokenKind::kLike || kind == TokenKind::kIn) {
    if (negated) CDGATE_RETURN_IF_ERROR(Advance());
    return kind == TokenKind::kLike ? Like(left, negated) : In(left, negated);
  }
  if (negated) return Unexpected("LIKE or IN after NOT");
  CDGATE_ASSIGN_OR_RETURN(const uint32_t right, Expression(BindingPower(op.kind) + 1));
  Node node{.kind = NodeKind::kBinary, .op = op.kind, .begin = ast_.nodes[left].outer_begin};
  return Add(node, {left, right});
}

Parser::NodeIndex Parser::Like(uint32_t left, bool negated) {
  const Token pattern = token_;
  CDGATE_RETURN_IF_ERROR(Expect(TokenKind::kString, "a pattern in quotes after LIKE"));
  Node node{.kind = NodeKind::kLike, .negated = negated, .begin = ast_.nodes[left].outer_begin};
  node.literal = Value::String(ast_.Keep(Unquote(Text(pattern))));
  return Add(node, {left});
}

Parser::NodeIndex Parser::In(uint32_t left, bool negated) {
  CDGATE_RETURN_IF_ERROR(Expect(TokenKind::kOpen, "'(' after IN"));
  if (token_.kind == TokenKind::kClose) return Unexpected("a value of the set");
  CDGATE_ASSIGN_OR_RETURN(std::vector<uint32_t> children, List("',' or ')' in the set"));
  children.insert(children.begin(), left);
  Node node{.kind = NodeKind::kIn, .negated = negated, .begin = ast_.nodes[left].outer_begin};
  return Add(node, children);
}

// Expressions between commas, and the closing parenthesis.
absl::StatusOr<std::vector<uint32_t>> Parser::List(absl::string_view expected) {
  std::vector<uint32_t> items;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t item, Expression(1));
    items.push_back(item);
    if (token_.kind != TokenKind::kComma) break;
    CDGATE_RETURN_IF_ERROR(Advance());
  }
  CDGATE_RETURN_IF_ERROR(Expect(TokenKind::kClose, expected));
  return items;
}

Parser::NodeIndex Parser::Prefix() {
  const Token token = token_;
  switch (token.kind) {
    case TokenKind::kNot: {
      CDGATE_RETURN_IF_ERROR(Advance());
      CDGATE_ASSIGN_OR_RETURN(const uint32_t child, Expression(kUnaryPower));
      return Add({.kind = NodeKind::kNot, .begin = token.begin}, {child});
    }
    case TokenKind::kPlus:
    case TokenKind::kMinus: return Sign();
    case TokenKind::kExists: return Exists();
    case TokenKind::kOpen: return Parenthesised();
    default: return Operand();
  }
}

Parser::NodeIndex Parser::Operand() {
  const Token token = token_;
  switch (token.kind) {
    case TokenKind::kName: return Name();
    case TokenKind::kInteger: return Integer(token.begin, false);
    case TokenKind::kString: {
      CDGATE_RETURN_IF_ERROR(Advance());
      return Add({.begin = token.begin, .literal = Value::String(ast_.Keep(Unquote(Text(token))))},
                 {});
    }
    case TokenKind::kTrue:
    case TokenKind::kFalse: {
      CDGATE_RETURN_IF_ERROR(Advance());
      return Add({.begin = token.begin, .literal = Value::Boolean(token.kind == TokenKind::kTrue)},
                 {});
    }
    default: return Unexpected(kOperand);
  }
}

// A sign directly before digits belongs to the literal; else '-' is an operator.
Parser::NodeIndex Parser::Sign() {
  const Token sign = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  const bool minus = sign.kind == TokenKind::kMinus;
  if (token_.kind == TokenKind::kInteger && token_.begin == sign.end) {
    return Integer(sign.begin, minus);
  }
  if (!minus) return Unexpected("digits directly after '+'");
  CDGATE_ASSIGN_OR_RETURN(const uint32_t child, Expression(kUnaryPower));
  return Add({.kind = NodeKind::kNegate, .begin = sign.begin}, {child});
}

Parser::NodeIndex Parser::Integer(uint32_t begin, bool negative) {
  const Token token = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  int32_t value = 0;
  const std::string digits = absl::StrCat(negative ? "-" : "", Text(token));
  if (!absl::SimpleAtoi(digits, &value)) {
    return SyntaxError(source_, begin, "an integer of 32 bits", Shown(digits));
  }
  return Add({.begin = begin, .literal = Value::Integer(value)}, {});
}

Parser::NodeIndex Parser::Exists() {
  const Token exists = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  const Token name = token_;
  CDGATE_RETURN_IF_ERROR(Expect(TokenKind::kName, "the name of an attribute after EXISTS"));
  if (absl::StrContains(Text(name), "_")) {
    return SyntaxError(source_, name.begin, "the name of an attribute, letters and digits only",
                       Shown(Text(name)));
  }
  return Add({.kind = NodeKind::kExists,
              .begin = exists.begin,
              .name = ast_.Keep(absl::AsciiStrToLower(Text(name)))},
             {});
}

Parser::NodeIndex Parser::Parenthesised() {
  const Token open = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  CDGATE_ASSIGN_OR_RETURN(const uint32_t inner, Expression(1));
  CDGATE_RETURN_IF_ERROR(Expect(TokenKind::kClose, "an operator or ')'"));
  ast_.nodes[inner].parenthesised = true;
  ast_.nodes[inner].outer_begin = open.begin;
  return inner;
}

Parser::NodeIndex Parser::Name() {
  const Token name = token_;
  CDGATE_RETURN_IF_ERROR(Advance());
  if (token_.kind == TokenKind::kOpen) return Call(name);
  if (absl::StrContains(Text(name), "_")) return Unexpected("'(' after the name of a function");
  return Add({.kind = NodeKind::kAttribute,
              .begin = name.begin,
              .name = ast_.Keep(absl::AsciiStrToLower(Text(name)))},
             {});
}

Parser::NodeIndex Parser::Call(const Token& name) {
  if (!IsFunctionName(Text(name))) {
    return SyntaxError(source_, name.begin, "the name of a function, letters and '_' only",
                       Shown(Text(name)));
  }
  CDGATE_RETURN_IF_ERROR(Advance());
  std::vector<uint32_t> arguments;
  if (token_.kind == TokenKind::kClose) {
    CDGATE_RETURN_IF_ERROR(Advance());
  } else {
    CDGATE_ASSIGN_OR_RETURN(arguments, List("',' or ')' in the arguments"));
  }
  Node node{.kind = NodeKind::kCall, .begin = name.begin, .function = FindFunction(Text(name))};
  CDGATE_RETURN_IF_ERROR(CheckArguments(name, node, arguments.size()));
  if (node.function->id == FunctionId::kCdevent || node.function->id == FunctionId::kHasCdevent) {
    CDGATE_RETURN_IF_ERROR(TakePath(&node, &arguments));
  }
  return Add(node, arguments);
}

absl::Status Parser::CheckArguments(const Token& name, const Node& node, size_t count) {
  const std::string shown = Excerpt(Text(name));
  if (node.function == nullptr) {
    return SourceError(source_, name.begin, ErrorKind::kMissingFunction,
                       absl::StrCat("there is no function ", shown));
  }
  const FunctionInfo& function = *node.function;
  if (count >= function.min_arguments && count <= function.max_arguments) return absl::OkStatus();
  const std::string takes =
      function.min_arguments == function.max_arguments
          ? absl::StrCat(function.min_arguments)
          : absl::StrCat(function.min_arguments, " to ", function.max_arguments);
  return SourceError(source_, name.begin, ErrorKind::kMissingFunction,
                     absl::StrCat(function.name, " takes ", takes, " arguments, not ", count));
}

// The path is decoded now, so it has to be written out.
absl::Status Parser::TakePath(Node* node, std::vector<uint32_t>* arguments) {
  const Node& path = ast_.nodes[arguments->front()];
  if (path.kind != NodeKind::kLiteral || path.literal.type() != Type::kString) {
    return SourceError(source_, path.begin, ErrorKind::kParse,
                       "expected the path in quotes, 'subject.content.user'", "a path in quotes");
  }
  absl::StatusOr<DataPath> parsed = DataPath::Parse(path.literal.string());
  if (!parsed.ok()) {
    return SourceError(source_, path.begin, ErrorKind::kParse, parsed.status().message(), "a path");
  }
  node->path = static_cast<int32_t>(ast_.paths.size());
  ast_.paths.push_back(*std::move(parsed));
  arguments->erase(arguments->begin());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Ast> Parse(absl::string_view source, const CompileOptions& options) {
  if (source.size() > options.max_source_bytes) {
    return SourceError("", 0, ErrorKind::kParse,
                       absl::StrCat("the expression has ", source.size(), " bytes, more than ",
                                    options.max_source_bytes));
  }
  if (!simdjson::validate_utf8(source.data(), source.size())) {
    return SourceError("", 0, ErrorKind::kParse, "the expression is not valid UTF-8");
  }
  if (IsDialect(source)) return ParseDialect(source, options);
  Ast ast;
  CDGATE_ASSIGN_OR_RETURN(ast.root, ParseInto(source, options, &ast));
  return ast;
}

absl::StatusOr<uint32_t> ParseInto(absl::string_view cesql, const CompileOptions& options,
                                   Ast* ast) {
  return Parser(cesql, options, ast).Run();
}

absl::StatusOr<uint32_t> AddNode(absl::string_view source, const CompileOptions& options, Node node,
                                 absl::Span<const uint32_t> children, Ast* ast) {
  if (ast->nodes.size() >= options.max_steps) {
    return SourceError(source, node.begin, ErrorKind::kParse,
                       absl::StrCat("the expression has more than ", options.max_steps, " steps"));
  }
  node.outer_begin = node.begin;
  node.first_child = static_cast<uint32_t>(ast->children.size());
  node.child_count = static_cast<uint32_t>(children.size());
  for (const uint32_t child : children) {
    node.depth = std::max(node.depth, ast->nodes[child].depth + 1);
  }
  if (node.depth > kMaxDepth) {
    return SourceError(
        source, node.begin, ErrorKind::kParse,
        absl::StrCat("more than ", kMaxDepth, " operators in a row; write a list with IN instead"));
  }
  ast->children.insert(ast->children.end(), children.begin(), children.end());
  ast->nodes.push_back(node);
  return static_cast<uint32_t>(ast->nodes.size() - 1);
}

}  // namespace cdgate::filter

#include "gateway/filter/dialect.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/status_macros.h"
#include "gateway/filter/json_scanner.h"
#include "gateway/filter/lexer.h"
#include "gateway/filter/parser.h"

namespace cdgate::filter {
namespace {

constexpr absl::string_view kDialects =
    "a dialect: \"exact\", \"prefix\", \"suffix\", \"all\", \"any\", \"not\" or \"sql\"";

bool IsAttributeName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
           absl::ascii_islower(static_cast<unsigned char>(c));
  });
}

// Every event has it.
bool IsRequired(absl::string_view name) {
  switch (AttributeIdOf(name)) {
    case AttributeId::kId:
    case AttributeId::kSource:
    case AttributeId::kType:
    case AttributeId::kSpecVersion: return true;
    default: return false;
  }
}

class DialectParser {
 public:
  DialectParser(absl::string_view source, const CompileOptions& options)
      : source_(source), options_(options), scanner_(source) {}

  absl::StatusOr<Ast> Run();

 private:
  using NodeIndex = absl::StatusOr<uint32_t>;
  enum class Comparison { kExact, kPrefix, kSuffix };

  NodeIndex Filter();
  NodeIndex Body(const JsonToken& dialect);
  NodeIndex Attributes(Comparison comparison);
  NodeIndex Attribute(Comparison comparison, std::vector<std::string>* seen);
  NodeIndex Compare(Comparison comparison, const Node& attribute, const JsonToken& value);
  NodeIndex Nested(TokenKind op);
  NodeIndex Not();
  NodeIndex Sql();
  absl::StatusOr<std::vector<uint32_t>> Filters();
  // An error about CESQL text, moved to where that text stands in the source.
  absl::Status Moved(const absl::Status& error, const JsonString& sql) const;

  // The nodes joined by AND or OR, as a tree that is not high.
  NodeIndex Join(TokenKind op, absl::Span<const uint32_t> nodes);
  // Of what stands from `begin` to `end` of the source.
  NodeIndex Add(Node node, uint32_t begin, uint32_t end, absl::Span<const uint32_t> children);

  absl::Status Advance();
  absl::Status Expect(JsonTokenKind kind, absl::string_view expected);
  absl::Status Unexpected(absl::string_view expected) const;
  absl::StatusOr<JsonToken> ExpectString(absl::string_view expected);
  std::string Shown(const JsonToken& token) const;

  absl::string_view source_;
  const CompileOptions& options_;
  JsonScanner scanner_;
  JsonToken token_;  // the next
  uint32_t last_end_ = 0;
  uint32_t nesting_ = 0;
  uint32_t forgiving_ = 0;  // `any` and `not` around
  Ast ast_;
};

absl::StatusOr<Ast> DialectParser::Run() {
  CDGATE_RETURN_IF_ERROR(Advance());
  if (token_.kind == JsonTokenKind::kOpenArray) {
    CDGATE_ASSIGN_OR_RETURN(const std::vector<uint32_t> filters, Filters());
    if (filters.empty()) {
      CDGATE_ASSIGN_OR_RETURN(ast_.root, Add({.literal = Value::Boolean(true)}, 0, last_end_, {}));
    } else {
      CDGATE_ASSIGN_OR_RETURN(ast_.root, Join(TokenKind::kAnd, filters));
    }
  } else {
    CDGATE_ASSIGN_OR_RETURN(ast_.root, Filter());
  }
  if (token_.kind != JsonTokenKind::kEnd) return Unexpected("the end");
  return std::move(ast_);
}

absl::Status DialectParser::Advance() {
  last_end_ = token_.end;
  CDGATE_ASSIGN_OR_RETURN(token_, scanner_.Next());
  return absl::OkStatus();
}

std::string DialectParser::Shown(const JsonToken& token) const {
  if (token.kind == JsonTokenKind::kEnd) return "the end";
  const std::string text = Excerpt(source_.substr(token.begin, token.end - token.begin));
  return token.kind == JsonTokenKind::kString ? text : absl::StrCat("'", text, "'");
}

absl::Status DialectParser::Unexpected(absl::string_view expected) const {
  return SyntaxError(source_, token_.begin, expected, Shown(token_));
}

absl::Status DialectParser::Expect(JsonTokenKind kind, absl::string_view expected) {
  if (token_.kind != kind) return Unexpected(expected);
  return Advance();
}

absl::StatusOr<JsonToken> DialectParser::ExpectString(absl::string_view expected) {
  const JsonToken token = token_;
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kString, expected));
  return token;
}

DialectParser::NodeIndex DialectParser::Add(Node node, uint32_t begin, uint32_t end,
                                            absl::Span<const uint32_t> children) {
  node.begin = begin;
  node.end = end;
  node.parenthesised = true;
  return AddNode(source_, options_, node, children, &ast_);
}

DialectParser::NodeIndex DialectParser::Join(TokenKind op, absl::Span<const uint32_t> nodes) {
  if (nodes.size() == 1) return nodes[0];
  const size_t half = nodes.size() / 2;
  CDGATE_ASSIGN_OR_RETURN(const uint32_t left, Join(op, nodes.first(half)));
  CDGATE_ASSIGN_OR_RETURN(const uint32_t right, Join(op, nodes.subspan(half)));
  return Add({.kind = NodeKind::kBinary, .op = op}, ast_.nodes[left].begin, ast_.nodes[right].end,
             {left, right});
}

// {"dialect": ...}
DialectParser::NodeIndex DialectParser::Filter() {
  if (++nesting_ > kMaxNesting) {
    return SourceError(source_, token_.begin, ErrorKind::kParse,
                       absl::StrCat("nested more than ", kMaxNesting, " levels deep"));
  }
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kOpenObject, "a filter, {\"dialect\": ...}"));
  CDGATE_ASSIGN_OR_RETURN(const JsonToken dialect, ExpectString(kDialects));
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kColon, "':' after the dialect"));
  CDGATE_ASSIGN_OR_RETURN(const uint32_t node, Body(dialect));
  if (token_.kind == JsonTokenKind::kComma) {
    return Unexpected(
        "'}', for an object holds one dialect; write {\"all\": [{...}, {...}]} to join several");
  }
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kCloseObject, "'}' after the filter"));
  --nesting_;
  return node;
}

DialectParser::NodeIndex DialectParser::Body(const JsonToken& dialect) {
  CDGATE_ASSIGN_OR_RETURN(const JsonString name, scanner_.Decode(dialect));
  if (name.text == "exact") return Attributes(Comparison::kExact);
  if (name.text == "prefix") return Attributes(Comparison::kPrefix);
  if (name.text == "suffix") return Attributes(Comparison::kSuffix);
  if (name.text == "all") return Nested(TokenKind::kAnd);
  if (name.text == "any") return Nested(TokenKind::kOr);
  if (name.text == "not") return Not();
  if (name.text == "sql") return Sql();
  return SyntaxError(source_, dialect.begin, kDialects, Shown(dialect));
}

// {"attribute": "text", ...}
DialectParser::NodeIndex DialectParser::Attributes(Comparison comparison) {
  CDGATE_RETURN_IF_ERROR(
      Expect(JsonTokenKind::kOpenObject, "an object of attributes, {\"type\": \"...\"}"));
  std::vector<uint32_t> nodes;
  std::vector<std::string> seen;
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t node, Attribute(comparison, &seen));
    nodes.push_back(node);
    if (token_.kind != JsonTokenKind::kComma) break;
    CDGATE_RETURN_IF_ERROR(Advance());
  }
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kCloseObject, "',' or '}' after the value"));
  return Join(TokenKind::kAnd, nodes);
}

DialectParser::NodeIndex DialectParser::Attribute(Comparison comparison,
                                                  std::vector<std::string>* seen) {
  CDGATE_ASSIGN_OR_RETURN(const JsonToken name, ExpectString("the name of an attribute in quotes"));
  CDGATE_ASSIGN_OR_RETURN(JsonString decoded, scanner_.Decode(name));
  if (!IsAttributeName(decoded.text)) {
    return SyntaxError(source_, name.begin,
                       "the name of an attribute, lower-case letters and digits", Shown(name));
  }
  if (std::find(seen->begin(), seen->end(), decoded.text) != seen->end()) {
    return SyntaxError(
        source_, name.begin, "each attribute once",
        absl::StrCat(Shown(name),
                     " again; write {\"all\": [{...}, {...}]} to ask two things of it"));
  }
  seen->push_back(decoded.text);
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kColon, "':' after the attribute"));
  CDGATE_ASSIGN_OR_RETURN(const JsonToken value, ExpectString("a text in quotes"));
  const absl::string_view kept = ast_.Keep(std::move(decoded.text));
  const Node attribute{
      .kind = NodeKind::kAttribute, .begin = name.begin + 1, .end = name.end - 1, .name = kept};
  CDGATE_ASSIGN_OR_RETURN(const uint32_t compared, Compare(comparison, attribute, value));
  if (IsRequired(kept)) return compared;
  Node exists = attribute;
  exists.kind = NodeKind::kExists;
  exists.implied = true;
  CDGATE_ASSIGN_OR_RETURN(const uint32_t there, Add(exists, exists.begin, exists.end, {}));
  return Join(TokenKind::kAnd, {there, compared});
}

DialectParser::NodeIndex DialectParser::Compare(Comparison comparison, const Node& attribute,
                                                const JsonToken& value) {
  CDGATE_ASSIGN_OR_RETURN(JsonString decoded, scanner_.Decode(value));
  if (decoded.text.empty()) return SyntaxError(source_, value.begin, "a text", "an empty one");
  const Value text = Value::String(ast_.Keep(std::move(decoded.text)));
  CDGATE_ASSIGN_OR_RETURN(const uint32_t left, Add(attribute, attribute.begin, attribute.end, {}));
  if (comparison == Comparison::kExact) {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t right,
                            Add({.literal = text}, value.begin, value.end, {}));
    return Join(TokenKind::kEqual, {left, right});
  }
  Node like{.kind = NodeKind::kLike, .literal = text};
  like.match = comparison == Comparison::kPrefix ? TextMatch::kPrefix : TextMatch::kSuffix;
  return Add(like, attribute.begin, value.end, {left});
}

// Filters between brackets; possibly none.
absl::StatusOr<std::vector<uint32_t>> DialectParser::Filters() {
  std::vector<uint32_t> filters;
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kOpenArray, "an array of filters, [{...}, {...}]"));
  while (token_.kind != JsonTokenKind::kCloseArray || !filters.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const uint32_t filter, Filter());
    filters.push_back(filter);
    if (token_.kind != JsonTokenKind::kComma) break;
    CDGATE_RETURN_IF_ERROR(Advance());
  }
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kCloseArray, "',' or ']' after the filter"));
  return filters;
}

// all and any
DialectParser::NodeIndex DialectParser::Nested(TokenKind op) {
  const uint32_t begin = token_.begin;
  const uint32_t forgives = op == TokenKind::kOr ? 1 : 0;
  forgiving_ += forgives;
  CDGATE_ASSIGN_OR_RETURN(const std::vector<uint32_t> filters, Filters());
  forgiving_ -= forgives;
  if (filters.empty()) {
    return SyntaxError(source_, begin, "at least one filter in the array", "none");
  }
  return Join(op, filters);
}

DialectParser::NodeIndex DialectParser::Not() {
  const uint32_t begin = token_.begin;
  ++forgiving_;
  CDGATE_ASSIGN_OR_RETURN(const uint32_t filter, Filter());
  --forgiving_;
  return Add({.kind = NodeKind::kNot}, begin, last_end_, {filter});
}

DialectParser::NodeIndex DialectParser::Sql() {
  const JsonToken token = token_;
  CDGATE_RETURN_IF_ERROR(Expect(JsonTokenKind::kString, "a CESQL expression in quotes"));
  CDGATE_ASSIGN_OR_RETURN(const JsonString sql, scanner_.Decode(token));
  const size_t first = ast_.nodes.size();
  const absl::StatusOr<uint32_t> root = ParseInto(sql.text, options_, &ast_);
  if (!root.ok()) return Moved(root.status(), sql);
  for (size_t i = first; i < ast_.nodes.size(); ++i) {
    Node& node = ast_.nodes[i];
    node.begin = sql.places[node.begin];
    node.outer_begin = sql.places[node.outer_begin];
    node.end = sql.places[node.end];
  }
  Node truth{.kind = NodeKind::kTry};
  if (forgiving_ == 0) {
    truth.kind = NodeKind::kCall;
    truth.function = &InfoOfFunction(FunctionId::kBool);
  }
  return Add(truth, token.begin + 1, token.end - 1, {*root});
}

absl::Status DialectParser::Moved(const absl::Status& error, const JsonString& sql) const {
  const SourceProblem problem = SourceProblemOf(error);
  const size_t offset = OffsetAt(sql.text, problem.position);
  return SourceError(source_, sql.places[offset], problem.kind, problem.message, problem.expected);
}

}  // namespace

bool IsDialect(absl::string_view source) {
  const absl::string_view text = absl::StripLeadingAsciiWhitespace(source);
  return !text.empty() && (text[0] == '{' || text[0] == '[');
}

absl::StatusOr<Ast> ParseDialect(absl::string_view source, const CompileOptions& options) {
  return DialectParser(source, options).Run();
}

}  // namespace cdgate::filter

#include "tests/gateway/filter/random_expression.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace cdgate::test {
namespace {

using Kind = Expression::Kind;

const char* const kTexts[] = {"",
                              "a",
                              "ab",
                              "abc",
                              "a.b",
                              "true",
                              "FALSE",
                              "0",
                              "5",
                              "-7",
                              "+12",
                              "x'y",
                              "é",
                              "aéb",
                              "ÉA",
                              "%",
                              "a_",
                              "  b ",
                              "a\\b",
                              "жΩ",
                              "😀b",
                              "999999999999",
                              "q\"r",
                              "𐐨",
                              "\u00a0b\u2003",
                              "1.0",
                              "build",
                              "0.5.1",
                              "dev.cdevents.build.finished.0.3.0",
                              "dev.cdevents.b",
                              "ci",
                              "\\%"};
const char* const kPatterns[] = {"%",    "a%",  "%b", "a_c", "_",  "__", "a%b%c", "\\%",
                                 "a\\_", "%é%", "",   "tr%", "-_", "%5", "_é_",   "%_%"};
const int32_t kIntegers[] = {0, 1, -1, 2, 5, -7, 12, 100, 2147483647, -2147483647 - 1};
const char* const kAttributes[] = {"type", "source",         "subject",    "team",
                                   "flag", "count",          "absent",     "id",
                                   "time", "dataregulation", "specversion"};
const char* const kPaths[] = {"subject.id",          "subject.content.user", "customData.n",
                              "customData.b",        "subject.content",      "customData.none",
                              "customData.list.1",   "customData.list",      "customData.large",
                              "/customData/a.b~1c",  "customData.fraction",  "customData.list.x",
                              "context.specversion", "customData.n.deeper"};
const char* const kFacts[] = {"ORIGIN",    "HOPS",        "PLANE",          "SUBJECT_TYPE",
                              "PREDICATE", "STAGE",       "CLASSIFICATION", "REGULATION",
                              "CATEGORY",  "SPEC_VERSION"};
const char* const kOperators[] = {
    "AND", "OR", "XOR", "=", "!=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"};

template <typename T, size_t N>
const T& Pick(const T (&items)[N], size_t i) {
  return items[i % N];
}

ExpressionPtr Make(Kind kind, std::string name = "") {
  auto e = std::make_unique<Expression>();
  e->kind = kind;
  e->name = std::move(name);
  return e;
}

// As CESQL text needs it: the table of section 3.6.
int Power(const Expression& e) {
  switch (e.kind) {
    case Kind::kNot:
    case Kind::kNegate: return 70;
    case Kind::kLike:
    case Kind::kNotLike:
    case Kind::kIn:
    case Kind::kNotIn: return 60;
    case Kind::kBinary: break;
    default: return 100;
  }
  if (e.name == "AND" || e.name == "OR" || e.name == "XOR") return 10;
  if (e.name == "+" || e.name == "-") return 30;
  if (e.name == "*" || e.name == "/" || e.name == "%") return 40;
  return 20;
}

struct KnownType {
  const char* type;
  const char* subject;
  const char* predicate;
  const char* stage;
};
const KnownType kTypes[] = {
    {"dev.cdevents.build.finished.0.3.0", "build", "finished", "ci"},
    {"dev.cdevents.incident.detected.0.3.0", "incident", "detected", "operations"},
    {"dev.cdeventsx.mytool-probe.ran.0.1.0", "mytool-probe", "ran", "custom"},
    {"dev.cdevents.nosuch.created.1.0.0", "nosuch", "created", ""},
    {"com.example.thing", "", "", ""},
};

std::string JsonText(const ReferenceValue& value) {
  if (!std::holds_alternative<std::string>(value)) return ReferenceText(value);
  std::string out = "\"";
  for (const char c : std::get<std::string>(value)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string Quoted(const std::string& text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += '\\';
    out += c;
  }
  return out + quote;
}

// Now and then longer than the short way of conditions takes.
std::string RandomCesql::SomeText() {
  std::string text = Pick(kTexts, Below(960));
  if (!OneIn(60)) return text;
  const size_t repeat = 1 + Below(OneIn(4) ? 400 : 20);
  std::string out;
  for (size_t i = 0; i < repeat; ++i) out += text;
  return out;
}

std::string RandomCesql::AttributeName() { return Pick(kAttributes, Below(110)); }

std::string RandomCesql::SomePattern() {
  std::string pattern = Pick(kPatterns, Below(100));
  return OneIn(4) ? pattern + Pick(kPatterns, Below(100)) : pattern;
}

ReferenceValue RandomCesql::SomeValue() {
  if (OneIn(5)) return OneIn(2);
  if (OneIn(3)) return Pick(kIntegers, Below(100));
  return SomeText();
}

ExpressionPtr RandomCesql::Leaf() {
  switch (Below(8)) {
    case 0: return Make(Kind::kExists, AttributeName());
    case 1:
    case 2: return Make(Kind::kAttribute, AttributeName());
    case 3: return Make(Kind::kCdevent, Pick(kPaths, Below(100)));
    case 4: return Make(OneIn(2) ? Kind::kHasCdevent : Kind::kCdevent, Pick(kPaths, Below(100)));
    case 5: return Make(Kind::kCall, Pick(kFacts, Below(100)));
    default: {
      ExpressionPtr literal = Make(Kind::kLiteral);
      literal->literal = SomeValue();
      return literal;
    }
  }
}

ExpressionPtr RandomCesql::Call(int depth) {
  struct Signature {
    const char* name;
    size_t least;
    size_t most;
  };
  static constexpr Signature kFunctions[] = {
      {"INT", 1, 1},   {"BOOL", 1, 1},  {"STRING", 1, 1},   {"ABS", 1, 1},    {"LENGTH", 1, 1},
      {"LOWER", 1, 1}, {"UPPER", 1, 1}, {"TRIM", 1, 1},     {"CONCAT", 0, 3}, {"CONCAT_WS", 1, 4},
      {"LEFT", 2, 2},  {"RIGHT", 2, 2}, {"SUBSTRING", 2, 3}};
  const Signature& f = Pick(kFunctions, Below(100));
  ExpressionPtr call = Make(Kind::kCall, f.name);
  const size_t arguments = f.least + Below(f.most - f.least + 1);
  for (size_t i = 0; i < arguments; ++i) call->children.push_back(Tree(depth - 1));
  return call;
}

ExpressionPtr RandomCesql::Tree(int depth) {
  if (depth <= 1 || OneIn(6)) return Leaf();
  ExpressionPtr e;
  switch (Below(9)) {
    case 0: e = Make(OneIn(2) ? Kind::kNot : Kind::kNegate); break;
    case 1: e = Make(OneIn(2) ? Kind::kLike : Kind::kNotLike, SomePattern()); break;
    case 2: {
      e = Make(OneIn(2) ? Kind::kIn : Kind::kNotIn);
      const size_t elements = 1 + Below(3);
      for (size_t i = 0; i < elements; ++i) e->children.push_back(Tree(depth - 1));
      break;
    }
    case 3: return Call(depth);
    case 4: e = Make(Kind::kCdevent, Pick(kPaths, Below(100))); break;
    default:
      e = Make(Kind::kBinary, Pick(kOperators, Below(150)));
      e->children.push_back(Tree(depth - 1));
      break;
  }
  e->children.push_back(Tree(depth - 1));
  return e;
}

ExpressionPtr RandomCesql::TextComparison() {
  const auto literal = [this] {
    ExpressionPtr text = Make(Kind::kLiteral);
    text->literal = SomeText();
    return text;
  };
  ExpressionPtr left = OneIn(3) ? Make(Kind::kCall, Pick(kFacts, Below(100)))
                                : Make(Kind::kAttribute, AttributeName());
  ExpressionPtr e;
  switch (Below(5)) {
    case 0: return Make(Kind::kExists, AttributeName());
    case 1: e = Make(OneIn(2) ? Kind::kLike : Kind::kNotLike, SomePattern()); break;
    case 2: e = Make(OneIn(2) ? Kind::kIn : Kind::kNotIn); break;
    default: e = Make(Kind::kBinary, OneIn(2) ? "=" : "!="); break;
  }
  e->children.push_back(std::move(left));
  if (e->kind == Kind::kBinary) e->children.push_back(literal());
  if (e->kind == Kind::kIn || e->kind == Kind::kNotIn) {
    for (size_t i = 0; i <= Below(4); ++i) e->children.push_back(literal());
  }
  return e;
}

ExpressionPtr RandomCesql::TextCondition(int depth) {
  if (depth <= 1) return TextComparison();
  ExpressionPtr e;
  switch (Below(4)) {
    case 0: e = Make(Kind::kNot); break;
    case 1: return TextComparison();
    default:
      e = Make(Kind::kBinary, OneIn(8) ? "XOR" : OneIn(2) ? "AND" : "OR");
      e->children.push_back(TextCondition(depth - 1));
      break;
  }
  e->children.push_back(TextCondition(depth - 1));
  return e;
}

ExpressionPtr RandomCesql::DialectAttributes(const char* dialect) {
  ExpressionPtr e = Make(Kind::kDialect, dialect);
  const size_t count = 1 + Below(3);
  for (size_t i = 0; i < count; ++i) {
    std::string name = AttributeName();
    std::string text = SomeText();
    // No CESQL literal can end in a backslash.
    if (text.empty() || OneIn(20)) text += '\\';
    const auto same = [&](const auto& attribute) { return attribute.first == name; };
    if (std::none_of(e->attributes.begin(), e->attributes.end(), same)) {
      e->attributes.emplace_back(std::move(name), std::move(text));
    }
  }
  return e;
}

ExpressionPtr RandomCesql::Dialect(int depth) {
  const char* const simple[] = {"exact", "prefix", "suffix"};
  if (depth <= 1 || OneIn(4)) return DialectAttributes(Pick(simple, Below(30)));
  ExpressionPtr e;
  switch (Below(5)) {
    case 0: e = Make(Kind::kDialect, "not"); break;
    case 1:
      e = Make(Kind::kDialect, "sql");
      e->children.push_back(OneIn(2) ? Tree(depth - 1) : TextCondition(depth - 1));
      return e;
    default:
      e = Make(Kind::kDialect, OneIn(2) ? "all" : "any");
      for (size_t i = Below(3); i > 0; --i) e->children.push_back(Dialect(depth - 1));
      break;
  }
  e->children.push_back(Dialect(depth - 1));
  return e;
}

ExpressionPtr RandomCesql::Any(int depth) {
  if (OneIn(4)) return TextCondition(depth);
  if (!OneIn(3)) return Tree(depth);
  if (!OneIn(4)) return Dialect(depth);
  ExpressionPtr e = Make(Kind::kDialect, "filters");
  for (size_t i = Below(4); i > 0; --i) e->children.push_back(Dialect(depth - 1));
  return e;
}

std::string RandomCesql::Keyword(std::string word) {
  if (!OneIn(4)) return word;
  const bool lower = OneIn(2);
  for (char& c : word) {
    const auto byte = static_cast<unsigned char>(c);
    c = static_cast<char>(lower ? std::tolower(byte) : std::toupper(byte));
  }
  return word;
}

std::string RandomCesql::JsonQuoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == 'a' && OneIn(8)) {
      out += "\\u0061";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string RandomCesql::RenderFilters(const Expression& e) {
  std::string out = "[";
  for (size_t i = 0; i < e.children.size(); ++i) {
    out += (i > 0 ? "," + Space() : "") + RenderDialect(*e.children[i]);
  }
  return out + "]";
}

std::string RandomCesql::RenderDialect(const Expression& e) {
  if (e.name == "filters") return RenderFilters(e);
  std::string out = "{" + JsonQuoted(e.name) + ":" + Space();
  if (e.name == "sql") return out + JsonQuoted(Render(*e.children[0], 0)) + "}";
  if (e.name == "not") return out + RenderDialect(*e.children[0]) + "}";
  if (e.attributes.empty()) return out + RenderFilters(e) + "}";
  out += "{";
  for (size_t i = 0; i < e.attributes.size(); ++i) {
    out += (i > 0 ? "," : "") + JsonQuoted(e.attributes[i].first) + ":" + Space() +
           JsonQuoted(e.attributes[i].second);
  }
  return out + "}}";
}

std::string RandomCesql::Render(const Expression& e, int power) {
  const std::string bare = RenderBare(e);
  if (e.kind == Kind::kDialect) return bare;
  return Power(e) < power || OneIn(12) ? "(" + bare + ")" : bare;
}

std::string RandomCesql::RenderList(const Expression& e, size_t first) {
  std::string out = "(";
  for (size_t i = first; i < e.children.size(); ++i) {
    if (i > first) out += "," + Space();
    out += Render(*e.children[i], 0);
  }
  return out + ")";
}

std::string RandomCesql::RenderBare(const Expression& e) {
  const auto child = [&](size_t i, int power) { return Render(*e.children[i], power); };
  switch (e.kind) {
    case Kind::kLiteral:
      if (!std::holds_alternative<std::string>(e.literal)) {
        return Keyword(ReferenceText(e.literal));
      }
      return Quoted(std::get<std::string>(e.literal), OneIn(2) ? '\'' : '"');
    case Kind::kAttribute: return Keyword(e.name);
    case Kind::kExists: return Keyword("EXISTS") + Space() + e.name;
    case Kind::kNot: return Keyword("NOT") + Space() + child(0, 70);
    // With a space, or the sign would belong to a literal.
    case Kind::kNegate: return "- " + child(0, 70);
    case Kind::kBinary: {
      const int power = Power(e);
      return child(0, power) + Space() + Keyword(e.name) + Space() + child(1, power + 1);
    }
    case Kind::kLike:
    case Kind::kNotLike:
      return child(0, 60) + (e.kind == Kind::kLike ? " " : " NOT ") + Keyword("LIKE") + Space() +
             Quoted(e.name, '\'');
    case Kind::kIn:
    case Kind::kNotIn:
      return child(0, 60) + (e.kind == Kind::kIn ? " " : " NOT ") + Keyword("IN") +
             RenderList(e, 1);
    case Kind::kCall: return Keyword(e.name) + RenderList(e, 0);
    case Kind::kCdevent:
      if (!e.children.empty()) {
        return "CDEVENT(" + Quoted(e.name, '"') + ", " + child(0, 0) + ")";
      }
      return "CDEVENT(" + Quoted(e.name, '\'') + ")";
    case Kind::kDialect: return RenderDialect(e);
    case Kind::kHasCdevent: return "HAS_CDEVENT(" + Quoted(e.name, '\'') + ")";
  }
  return "";
}

void RandomCesql::AddData(ReferenceEvent* event) {
  event->broken = OneIn(50);
  event->objects = {"subject.content", "customData.list", "customData.fraction"};
  event->data["subject.id"] = SomeText();
  event->data["customData.list.1"] = SomeValue();
  event->data["customData.large"] = std::string("12345678901");
  if (!OneIn(3)) event->data["/customData/a.b~1c"] = SomeText();
  if (!OneIn(3)) event->data["subject.content.user"] = SomeText();
  if (!OneIn(3)) event->data["customData.n"] = Pick(kIntegers, Below(100));
  if (!OneIn(3)) event->data["customData.b"] = OneIn(2);
  if (!OneIn(3)) event->data["context.specversion"] = SomeText();
}

// What functions say of the event, SPEC_VERSION() where there is one.
void RandomCesql::AddFacts(ReferenceEvent* event) {
  const KnownType& type = OneIn(2) ? kTypes[0] : Pick(kTypes, Below(100));
  event->attributes["type"] = std::string(type.type);
  const auto regulation = event->attributes.find("dataregulation");
  const bool has = regulation != event->attributes.end() &&
                   std::holds_alternative<std::string>(regulation->second);
  event->facts = {{"ORIGIN", std::string("alpha.example")},
                  {"HOPS", int32_t(Below(3))},
                  {"PLANE", SomeText()},
                  {"CLASSIFICATION", SomeText()},
                  {"REGULATION", has ? regulation->second : ReferenceValue(std::string())},
                  {"CATEGORY", std::string()},
                  {"SUBJECT_TYPE", std::string(type.subject)},
                  {"PREDICATE", std::string(type.predicate)},
                  {"STAGE", std::string(type.stage)}};
  const auto version = event->data.find("context.specversion");
  if (!event->broken && version != event->data.end()) {
    event->facts["SPEC_VERSION"] = version->second;
  }
}

ReferenceEvent RandomCesql::Event() {
  ReferenceEvent event;
  event.attributes["id"] = SomeText();
  event.attributes["specversion"] = std::string("1.0");
  event.attributes["source"] = SomeText();
  if (!OneIn(3)) event.attributes["subject"] = SomeText();
  if (!OneIn(3)) event.attributes["team"] = SomeText() + (OneIn(20) ? "\\" : "");
  if (!OneIn(3)) event.attributes["flag"] = OneIn(2);
  if (!OneIn(3)) event.attributes["count"] = Pick(kIntegers, Below(100));
  if (OneIn(3)) event.attributes["time"] = std::string("2026-01-01T00:00:00Z");
  if (OneIn(3)) event.attributes["dataregulation"] = SomeValue();
  AddData(&event);
  AddFacts(&event);
  return event;
}

std::string RandomCesql::Json(const ReferenceEvent& event) {
  if (event.broken) return "{";
  const auto member = [&](const std::string& path, const std::string& name) {
    const auto found = event.data.find(path);
    if (found == event.data.end()) return "\"" + name + "\":null";
    return "\"" + name + "\":" + JsonText(found->second);
  };
  return "{\"context\":{" + member("context.specversion", "specversion") + "},\"subject\":{" +
         member("subject.id", "id") + ",\"content\":{" + member("subject.content.user", "user") +
         "}},\"customData\":{" + member("customData.n", "n") + "," + member("customData.b", "b") +
         "," + member("/customData/a.b~1c", "a.b/c") + ",\"large\":12345678901,\"fraction\":0.5," +
         "\"list\":[null," + JsonText(event.data.at("customData.list.1")) + "]}}";
}

}  // namespace cdgate::test

#include "tests/e2e/policy_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/gateway/filter/random_expression.h"
#include "tests/support/random.h"

namespace cdgate::e2e {
namespace {

using test::Expression;
using test::ExpressionPtr;
using test::JsonTree;
using test::Random;
using Kind = Expression::Kind;

void SetText(io::cloudevents::v1::CloudEvent* event, const char* name, const std::string& text) {
  (*event->mutable_attributes())[name].set_ce_string(text);
}

// --- which members there are

// How a path occurs in the forms of all types.
struct Occurrence {
  bool required = false;
  bool plain_text = true;
};
using Occurrences = std::map<std::string, Occurrence>;

void Walk(const cdevents::Object& object, const std::string& prefix, bool one_member,
          Occurrences* found) {
  for (const cdevents::Member& member : object.members) {
    const std::string path =
        prefix.empty() ? std::string(member.name) : absl::StrCat(prefix, ".", member.name);
    Occurrence& here = (*found)[path];
    here.required = here.required || member.required || one_member;
    here.plain_text =
        here.plain_text && member.kind == cdevents::Kind::kText && member.values.empty() &&
        member.known_values.empty() &&
        (member.format == cdevents::Format::kNone || member.format == cdevents::Format::kUri ||
         member.format == cdevents::Format::kUriReference);
    if (member.object != nullptr) {
      Walk(*member.object, path, member.object->one_member, found);
    }
  }
}

const Occurrences& AllMembers() {
  static const auto* const all = [] {
    auto* found = new Occurrences;
    const auto& catalogue = cdevents::Catalogue::Get();
    const auto add = [&](const cdevents::Type& type) {
      for (const cdevents::Form* form : type.forms) {
        if (form != nullptr) Walk(*form->root, "", false, found);
      }
    };
    for (const cdevents::Type* type : catalogue.types()) add(*type);
    add(catalogue.custom());
    return found;
  }();
  return *all;
}

template <typename Wanted>
std::vector<std::string>* PathsWhere(const Wanted& wanted) {
  auto* paths = new std::vector<std::string>;
  for (const auto& [path, occurrence] : AllMembers()) {
    if (wanted(path, occurrence)) paths->push_back(path);
  }
  return paths;
}

// --- conditions

ExpressionPtr Make(Kind kind, std::string name = "") {
  auto e = std::make_unique<Expression>();
  e->kind = kind;
  e->name = std::move(name);
  return e;
}

ExpressionPtr Literal(test::ReferenceValue value) {
  ExpressionPtr e = Make(Kind::kLiteral);
  e->literal = std::move(value);
  return e;
}

ExpressionPtr Binary(const char* op, ExpressionPtr left, ExpressionPtr right) {
  ExpressionPtr e = Make(Kind::kBinary, op);
  e->children.push_back(std::move(left));
  e->children.push_back(std::move(right));
  return e;
}

ExpressionPtr Like(ExpressionPtr text, const std::string& pattern) {
  ExpressionPtr e = Make(Kind::kLike, pattern);
  e->children.push_back(std::move(text));
  return e;
}

ExpressionPtr Not(ExpressionPtr condition) {
  ExpressionPtr e = Make(Kind::kNot);
  e->children.push_back(std::move(condition));
  return e;
}

class RuleMaker {
 public:
  RuleMaker(const PolicyEvents& events, uint64_t round)
      : events_(events),
        random_(events.seed() * 7919 + round),
        text_(events.seed() * 104729 + round),
        fails_(round % 3 == 2) {}

  Policies MakeAll();

 private:
  PolicyRule Rule(const char* prefix, size_t number, bool import);
  ExpressionPtr Condition(int depth, bool import);
  ExpressionPtr OfKind();
  ExpressionPtr OfAttribute(bool import);
  ExpressionPtr OfData();
  ExpressionPtr MayFail(bool import);
  ExpressionPtr In(ExpressionPtr what, const std::vector<std::string>& values);
  ExpressionPtr Fact(const char* name) { return Make(Kind::kCall, name); }
  std::vector<std::string> Some(const std::vector<std::string>& from, size_t most);
  std::string ValueAt(const std::string& path);
  std::vector<std::string> Kinds(size_t part, size_t count);

  const PolicyEvents& events_;
  Random random_;
  test::RandomCesql text_;
  const bool fails_;
};

std::vector<std::string> RuleMaker::Some(const std::vector<std::string>& from, size_t most) {
  std::vector<std::string> out;
  for (size_t i = random_.Below(most + 1); i > 0; --i) {
    std::string one = from[random_.Below(from.size())];
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(std::move(one));
  }
  return out;
}

// Subjects (part 2) or predicates (part 3) of types that there are.
std::vector<std::string> RuleMaker::Kinds(size_t part, size_t count) {
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) {
    const std::string type = events_.Make(random_.Below(1000)).random.type;
    const std::vector<std::string> parts = absl::StrSplit(type, '.');
    out.push_back(parts[part]);
  }
  return out;
}

ExpressionPtr RuleMaker::In(ExpressionPtr what, const std::vector<std::string>& values) {
  ExpressionPtr e = Make(Kind::kIn);
  e->children.push_back(std::move(what));
  for (const std::string& value : values) e->children.push_back(Literal(value));
  return e;
}

ExpressionPtr RuleMaker::OfKind() {
  switch (random_.Below(5)) {
    case 0: return In(Fact("SUBJECT_TYPE"), Kinds(2, random_.From(2, 14)));
    case 1: return In(Fact("PREDICATE"), Kinds(3, random_.From(1, 6)));
    case 2:
      return Like(Make(Kind::kAttribute, "type"),
                  random_.Pick({"%.finished.%", "%ed.0.2.0", "dev.cdevents.%", "dev.cdeventsx.%",
                                "%.0._.0", "%service%", "%run.%", "%.created.%"}));
    case 3: return Binary("=", Fact("PREDICATE"), Literal(Kinds(3, 1).front()));
    default:
      return Like(Fact("SPEC_VERSION"), random_.Pick({"0.4%", "0.5.1", "%draft", "0.3.0", "%.1"}));
  }
}

ExpressionPtr RuleMaker::OfAttribute(bool import) {
  switch (random_.Below(8)) {
    case 0:
    case 1:
      return Like(Make(Kind::kAttribute, "source"),
                  random_.Pick({"http%", "%example%", "/event/%", "%//%", "%\\%%", "testkube%",
                                "_:%", "%a%", "%?%"}));
    case 2: {
      ExpressionPtr longer = Make(Kind::kCall, "LENGTH");
      longer->children.push_back(Make(Kind::kAttribute, "source"));
      return Binary(">", std::move(longer), Literal(static_cast<int32_t>(random_.From(5, 40))));
    }
    case 3: return Like(Make(Kind::kAttribute, "id"), absl::StrCat("%", random_.Below(10), "-%"));
    case 4: return Make(Kind::kExists, random_.Pick({"team", "dataclassification", "causationid"}));
    case 5:
      return Binary("=", Fact("CLASSIFICATION"),
                    Literal(std::string(random_.Pick({"", "TLP:AMBER", "TLP:CLEAR", "internal"}))));
    case 6: return Binary("=", Fact("PLANE"), Literal(std::string(kPlanes[random_.Below(2)])));
    default:
      if (import) return Binary("=", Fact("ORIGIN"), Literal(std::string("alpha.example")));
      return Like(Make(Kind::kAttribute, "subject"),
                  random_.Pick({"%a%", "%\u00e9%", "_%_", "a%"}));
  }
}

// A value that events have there, where it can be written as it is.
std::string RuleMaker::ValueAt(const std::string& path) {
  const PolicyEvent event = events_.Make(random_.Below(1000));
  const JsonTree* at = &event.random.tree;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    at = at == nullptr ? nullptr : at->Find(name);
  }
  if (at == nullptr || at->kind != JsonTree::Kind::kText) return "success";
  const bool plain = std::all_of(at->text.begin(), at->text.end(), [](unsigned char c) {
    return absl::ascii_isprint(c) && c != '\\';
  });
  return plain ? at->text : "x";
}

ExpressionPtr RuleMaker::OfData() {
  const std::string& path = ConditionPaths()[random_.Below(ConditionPaths().size())];
  if (random_.OneIn(3)) return Make(Kind::kHasCdevent, path);
  ExpressionPtr read = Make(Kind::kCdevent, path);
  const bool guarded = random_.OneIn(2);
  if (!guarded) read->children.push_back(Literal(std::string("none")));
  ExpressionPtr equal =
      Binary(random_.OneIn(3) ? "!=" : "=", std::move(read), Literal(ValueAt(path)));
  if (!guarded) return equal;
  return Binary("AND", Make(Kind::kHasCdevent, path), std::move(equal));
}

// Fails on events that lack what it reads.
ExpressionPtr RuleMaker::MayFail(bool import) {
  if (random_.OneIn(2)) {
    return Binary("=", Make(Kind::kAttribute, import ? "team" : "dataclassification"),
                  Literal(std::string("core")));
  }
  const std::string& path = ConditionPaths()[random_.Below(ConditionPaths().size())];
  return Binary("=", Make(Kind::kCdevent, path), Literal(ValueAt(path)));
}

ExpressionPtr RuleMaker::Condition(int depth, bool import) {
  if (depth > 0 && random_.OneIn(2)) {
    if (random_.OneIn(4)) return Not(Condition(depth - 1, import));
    const char* const op = random_.Pick({"AND", "OR", "AND", "OR", "XOR"});
    return Binary(op, Condition(depth - 1, import), Condition(depth - 1, import));
  }
  if (fails_ && random_.OneIn(12)) return MayFail(import);
  switch (random_.Below(4)) {
    case 0:
    case 1: return OfKind();
    case 2: return OfAttribute(import);
    default: return OfData();
  }
}

PolicyRule RuleMaker::Rule(const char* prefix, size_t number, bool import) {
  PolicyRule rule;
  rule.name = absl::StrCat(prefix, " ", number);
  rule.condition = Condition(2, import);
  rule.when = text_.Text(*rule.condition);
  rule.allow = !random_.OneIn(3);
  if (import || !rule.allow) return rule;
  rule.redact = Some(RedactablePaths(), 3);
  if (random_.OneIn(3)) rule.redact.emplace_back("customData");
  rule.pseudonymise = Some(PseudonymisablePaths(), 2);
  // What is removed cannot be replaced: such a policy is refused.
  std::erase_if(rule.pseudonymise, [&rule](const std::string& path) {
    return std::any_of(rule.redact.begin(), rule.redact.end(), [&path](const std::string& gone) {
      return path == gone || absl::StartsWith(path, gone + ".");
    });
  });
  rule.links = static_cast<Links>(random_.Below(4));
  rule.onward = static_cast<uint32_t>(random_.Below(3));
  rule.label = random_.Pick({"", "", "TLP:GREEN", "confidential"});
  return rule;
}

Policies RuleMaker::MakeAll() {
  Policies out;
  const size_t exports = random_.From(2, 9);
  for (size_t i = 0; i < exports; ++i) out.exports.push_back(Rule("export", i, false));
  const size_t imports = random_.From(2, 6);
  for (size_t i = 0; i < imports; ++i) out.imports.push_back(Rule("import", i, true));
  // Most rounds let something through in the end.
  if (!random_.OneIn(4)) {
    PolicyRule rest;
    rest.name = "rest";
    rest.allow = true;
    rest.redact = {"customData"};
    out.imports.push_back(std::move(rest));
  }
  out.shows_interest = !random_.OneIn(3);
  out.reasons_to_peer = random_.Pick({"NONE", "CODE", "FULL"});
  return out;
}

// --- as YAML, of which JSON is a part

JsonTree Texts(const std::vector<std::string>& texts) {
  JsonTree out = JsonTree::Array();
  for (const std::string& text : texts) out.items.push_back(JsonTree::Text(text));
  return out;
}

JsonTree RuleJson(const PolicyRule& rule, bool import) {
  JsonTree out = JsonTree::Object();
  out.Set("name", JsonTree::Text(rule.name));
  if (rule.condition != nullptr) out.Set("when", JsonTree::Text(rule.when));
  out.Set("action", JsonTree::Text(rule.allow ? "ALLOW" : "DENY"));
  if (import || !rule.allow) return out;
  if (!rule.redact.empty()) out.Set("redact", Texts(rule.redact));
  if (!rule.pseudonymise.empty()) out.Set("pseudonymise", Texts(rule.pseudonymise));
  constexpr const char* kLinks[] = {"", "KEEP", "DROP", "PSEUDONYMISE"};
  if (rule.links != Links::kUnset) {
    out.Set("links", JsonTree::Text(kLinks[static_cast<size_t>(rule.links)]));
  }
  JsonTree terms = JsonTree::Object();
  terms.Set("onward", JsonTree::Raw(absl::StrCat(rule.onward)));
  if (!rule.label.empty()) terms.Set("classification", JsonTree::Text(rule.label));
  out.Set("terms", std::move(terms));
  return out;
}

JsonTree RulesJson(const std::vector<PolicyRule>& rules, bool import) {
  JsonTree list = JsonTree::Array();
  for (const PolicyRule& rule : rules) list.items.push_back(RuleJson(rule, import));
  JsonTree out = JsonTree::Object();
  out.Set("rules", std::move(list));
  return out;
}

JsonTree PolicyJson(const char* peer) {
  JsonTree out = JsonTree::Object();
  out.Set("kind", JsonTree::Text("policy"));
  out.Set("peer", JsonTree::Text(peer));
  return out;
}

}  // namespace

PolicyEvent PolicyEvents::Make(uint64_t index) const {
  PolicyEvent out{events_.Make(index), {}};
  auto& event = out.cloud_event;
  event.set_id(out.random.id);
  event.set_source(out.random.source);
  event.set_spec_version("1.0");
  event.set_type(out.random.type);
  event.set_binary_data(out.random.json);
  constexpr const char* kLabels[] = {"TLP:CLEAR", "TLP:AMBER", "TLP:RED", "internal"};
  if (index % 4 == 0) SetText(&event, "team", "core");
  if (index % 10 == 3) SetText(&event, "dataclassification", kLabels[index / 10 % 4]);
  if (index % 50 == 14) SetText(&event, "dataclassification", "banana");
  if (index % 25 == 4) SetText(&event, "dataregulation", "GDPR");
  if (index % 100 == 29) SetText(&event, "dataregulation", "KLINGON");
  if (index % 20 == 6) {
    SetText(&event, "causationid", absl::StrCat("cause-", seed_, "-", index));
    SetText(&event, "correlationid", absl::StrCat("correlation-", seed_, "-", index));
  }
  return out;
}

Policies MakePolicies(const PolicyEvents& events, uint64_t round) {
  return RuleMaker(events, round).MakeAll();
}

std::string ExportYaml(const Policies& policies) {
  JsonTree policy = PolicyJson("beta.example");
  policy.Set("export", RulesJson(policies.exports, false));
  return policy.ToText() + "\n";
}

std::string ImportYaml(const Policies& policies) {
  JsonTree policy = PolicyJson("alpha.example");
  JsonTree side = RulesJson(policies.imports, true);
  side.Set("interest", JsonTree::Text(policies.shows_interest ? "RULES" : "NONE"));
  policy.Set("import", std::move(side));
  JsonTree reasons = JsonTree::Object();
  reasons.Set("reasons_to_peer", JsonTree::Text(policies.reasons_to_peer));
  policy.Set("export", std::move(reasons));
  return policy.ToText() + "\n";
}

const std::vector<std::string>& ConditionPaths() {
  static const auto* const paths = new std::vector<std::string>{"subject.id",
                                                                "subject.source",
                                                                "subject.content.environment.id",
                                                                "subject.content.artifactId",
                                                                "subject.content.outcome",
                                                                "subject.content.user",
                                                                "subject.content.uri",
                                                                "subject.content.repository.id",
                                                                "context.schemaUri",
                                                                "customDataContentType",
                                                                "customData",
                                                                "subject.content.environment",
                                                                "context.timestamp"};
  return *paths;
}

const std::vector<std::string>& RedactablePaths() {
  static const auto* const paths = PathsWhere([](const std::string& path, const Occurrence& here) {
    return absl::StartsWith(path, "subject.") && !here.required;
  });
  return *paths;
}

const std::vector<std::string>& PseudonymisablePaths() {
  static const auto* const paths = PathsWhere([](const std::string& path, const Occurrence& here) {
    return absl::StartsWith(path, "subject.content.") && here.plain_text;
  });
  return *paths;
}

}  // namespace cdgate::e2e

#include "tests/e2e/policy_oracle.h"

#include <algorithm>
#include <regex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace cdgate::e2e {
namespace {

using test::JsonTree;
using test::ReferenceEvent;
using test::ReferenceValue;

constexpr char kMark[] = "\x01pseudonym of ";

const JsonTree* At(const JsonTree& tree, absl::string_view path) {
  const JsonTree* at = &tree;
  for (absl::string_view name : absl::StrSplit(path, '.')) {
    at = at == nullptr ? nullptr : at->Find(name);
  }
  return at;
}

JsonTree* MutableAt(JsonTree* tree, absl::string_view path) {
  return const_cast<JsonTree*>(At(*tree, path));
}

void RemoveAt(JsonTree* tree, absl::string_view path) {
  const size_t dot = path.rfind('.');
  JsonTree* const above = dot == path.npos ? tree : MutableAt(tree, path.substr(0, dot));
  if (above != nullptr) above->Remove(path.substr(dot == path.npos ? 0 : dot + 1));
}

// --- conditions

void ReadPath(const JsonTree& tree, const std::string& path, ReferenceEvent* out) {
  const JsonTree* const at = At(tree, path);
  if (at == nullptr) return;
  int32_t number = 0;
  if (at->kind == JsonTree::Kind::kText) {
    out->data[path] = at->text;
  } else if (at->kind != JsonTree::Kind::kRaw) {
    out->objects.push_back(path);
  } else if (at->text == "true" || at->text == "false") {
    out->data[path] = at->text == "true";
  } else if (absl::SimpleAtoi(at->text, &number)) {
    out->data[path] = number;
  } else if (at->text != "null") {
    out->objects.push_back(path);
  }
}

std::string TextAt(const JsonTree& tree, const char* path) {
  const JsonTree* const at = At(tree, path);
  return at != nullptr && at->kind == JsonTree::Kind::kText ? at->text : "";
}

// What conditions can see of the event, as `tree` has it.
ReferenceEvent View(const PolicyEvent& event, size_t publisher, const JsonTree& tree, Links links,
                    int hops) {
  ReferenceEvent out;
  const auto& cloud_event = event.cloud_event;
  for (const auto& [name, value] : cloud_event.attributes()) {
    out.attributes[name] = value.ce_string();
  }
  if (links != Links::kKeep) {
    out.attributes.erase("causationid");
    out.attributes.erase("correlationid");
  }
  out.attributes["id"] = cloud_event.id();
  out.attributes["source"] = cloud_event.source();
  out.attributes["type"] = cloud_event.type();
  out.attributes["subject"] = TextAt(tree, "subject.id");
  for (const std::string& path : ConditionPaths()) ReadPath(tree, path, &out);
  const std::vector<std::string> parts = absl::StrSplit(cloud_event.type(), '.');
  const std::string label = cloud_event.attributes().contains("dataclassification")
                                ? cloud_event.attributes().at("dataclassification").ce_string()
                                : "";
  std::string version = TextAt(tree, "context.specversion");
  if (At(tree, "context.specversion") == nullptr) version = TextAt(tree, "context.version");
  out.facts = {{"ORIGIN", std::string("alpha.example")},
               {"HOPS", hops},
               {"PLANE", std::string(kPlanes[publisher])},
               {"SUBJECT_TYPE", parts[2]},
               {"PREDICATE", parts[3]},
               {"SPEC_VERSION", version},
               {"CLASSIFICATION", label}};
  return out;
}

struct Verdict {
  const PolicyRule* rule = nullptr;
  const char* reason = "no_rule";
  bool allowed = false;
};

// The first rule that matches or fails decides.
Verdict Try(const std::vector<PolicyRule>& rules, const ReferenceEvent& event) {
  for (const PolicyRule& rule : rules) {
    if (rule.condition != nullptr) {
      test::ReferenceEvaluator evaluator(event);
      const ReferenceValue value = evaluator.Evaluate(*rule.condition).value;
      const bool* const truth = std::get_if<bool>(&value);
      if (!evaluator.errors().empty() || truth == nullptr) return {&rule, "filter_error", false};
      if (!*truth) continue;
    }
    return {&rule, rule.allow ? "allowed_by_rule" : "denied_by_rule", rule.allow};
  }
  return {};
}

bool LabelsKnown(const PolicyEvent& event) {
  for (const auto& [name, value] : event.cloud_event.attributes()) {
    if (value.ce_string() == "banana" || value.ce_string() == "KLINGON") return false;
  }
  return true;
}

std::string IdOf(const PolicyRule* rule, uint64_t version) {
  return rule == nullptr ? "" : absl::StrCat(rule->name, "@", version);
}

// --- transformations

bool Says(absl::string_view name) {
  return name == "linkType" || name == "linkKind" || name == "timestamp";
}

void MarkText(JsonTree* tree) {
  if (tree->kind == JsonTree::Kind::kText) tree->text = Placeholder(tree->text);
}

// Texts, numbers and Booleans become pseudonyms, null stays, and what is none of these goes.
void MarkMembers(JsonTree* node) {
  auto& members = node->members;
  members.erase(std::remove_if(members.begin(), members.end(),
                               [](const auto& member) {
                                 return member.second.kind == JsonTree::Kind::kObject ||
                                        member.second.kind == JsonTree::Kind::kArray;
                               }),
                members.end());
  for (auto& [name, value] : members) {
    if (value.kind == JsonTree::Kind::kRaw && value.text == "null") continue;
    value = JsonTree::Text(Placeholder(value.text));
  }
}

// What a link leads to becomes pseudonyms; tags go.
void MarkLinks(JsonTree* links) {
  for (JsonTree& link : links->items) {
    link.Remove("tags");
    for (auto& [name, node] : link.members) {
      if (Says(name)) continue;
      MarkText(&node);
      MarkMembers(&node);
    }
  }
}

void HandleLinks(Links links, JsonTree* tree) {
  if (links == Links::kKeep) return;
  for (const char* chain : {"context.chainId", "context.chain_id"}) {
    JsonTree* const at = MutableAt(tree, chain);
    if (at == nullptr) continue;
    if (links == Links::kDrop) {
      RemoveAt(tree, chain);
    } else {
      MarkText(at);
    }
  }
  JsonTree* const at = MutableAt(tree, "context.links");
  if (at == nullptr) return;
  if (links == Links::kDrop) return RemoveAt(tree, "context.links");
  MarkLinks(at);
}

// A pseudonym, alone or within a text of a form that allows nothing else.
std::string PseudonymIn(const std::string& text) {
  static const std::regex pattern("p[0-9]+\\.[A-Za-z2-7]{26}");
  std::smatch match;
  return std::regex_search(text, match, pattern) ? match.str() : "";
}

// The place without indexes into arrays and the names of links' members: of one kind.
std::string KindOf(const std::string& path) {
  if (absl::StartsWith(path, "/context/links")) return "event";
  if (path == "/context/chainId" || path == "/context/chain_id") return "chain";
  return path;
}

std::string Escaped(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

}  // namespace

std::string Placeholder(const std::string& text) { return kMark + text; }

JsonTree Transformed(const PolicyEvent& event, const PolicyRule& rule) {
  JsonTree tree = event.random.tree;
  for (const std::string& path : rule.pseudonymise) {
    JsonTree* const at = MutableAt(&tree, path);
    if (at != nullptr) MarkText(at);
  }
  for (const std::string& path : rule.redact) RemoveAt(&tree, path);
  HandleLinks(rule.links == Links::kUnset ? Links::kPseudonymise : rule.links, &tree);
  return tree;
}

Expected Decide(const PolicyEvent& event, size_t publisher, const Policies& policies,
                const Versions& versions) {
  const ReferenceEvent here = View(event, publisher, event.random.tree, Links::kKeep, 0);
  const Verdict exported = Try(policies.exports, here);
  Expected out;
  out.rule = IdOf(exported.rule, versions.exporter);
  out.reason = exported.reason;
  out.state = "denied";
  if (!exported.allowed) return out;
  if (!LabelsKnown(event)) {
    out.reason = "classification_unknown";
    return out;
  }
  const ReferenceEvent there =
      View(event, publisher, Transformed(event, *exported.rule), exported.rule->links, 1);
  const Verdict imported = Try(policies.imports, there);
  const bool fails = absl::string_view(imported.reason) == "filter_error";
  if (policies.shows_interest && !imported.allowed && !fails) {
    out.state = out.reason = "not_wanted";
    return out;
  }
  if (!imported.allowed) {
    out.state = "refused";
    out.reason = policies.reasons_to_peer == "NONE" ? "" : imported.reason;
    out.rule = policies.reasons_to_peer == "FULL" ? IdOf(imported.rule, versions.importer) : "";
    return out;
  }
  out.state = "accepted";
  out.transformed_by = exported.rule;
  out.import_rule = IdOf(imported.rule, versions.importer);
  return out;
}

void Arrivals::ExpectPseudonym(const std::string& kind, const std::string& value,
                               const std::string& got) {
  const std::string pseudonym = PseudonymIn(got);
  if (pseudonym.empty()) return Fault(absl::StrCat(kind, ": no pseudonym: ", got));
  const auto key = std::make_pair(kind, value);
  const auto [known, added] = pseudonyms_.emplace(key, pseudonym);
  if (known->second != pseudonym) {
    Fault(absl::StrCat(kind, ": ", pseudonym, " where it was ", known->second, " before"));
  }
  const auto [meant, first] = values_.emplace(pseudonym, key);
  if (meant->second != key) {
    Fault(absl::StrCat(pseudonym, " stands for two values, at ", kind, " and at ",
                       meant->second.first));
  }
}

void Arrivals::CompareText(const JsonTree& wanted, const JsonTree& got, const std::string& path) {
  absl::string_view value = wanted.text;
  if (absl::ConsumePrefix(&value, kMark)) {
    return ExpectPseudonym(KindOf(path), std::string(value), got.text);
  }
  if (wanted.text != got.text) Fault(absl::StrCat(path, " is another text: ", got.text));
}

void Arrivals::CompareTree(const JsonTree& wanted, const JsonTree& got, const std::string& path) {
  if (wanted.kind != got.kind) return Fault(absl::StrCat(path, " is of another kind"));
  if (wanted.kind == JsonTree::Kind::kText) return CompareText(wanted, got, path);
  if (wanted.kind == JsonTree::Kind::kRaw) {
    if (wanted.text != got.text) Fault(absl::StrCat(path, " is another value: ", got.text));
    return;
  }
  for (const auto& [name, value] : got.members) {
    if (wanted.Find(name) == nullptr) Fault(absl::StrCat(path, "/", Escaped(name), " is there"));
  }
  for (const auto& [name, value] : wanted.members) {
    const JsonTree* const found = got.Find(name);
    const std::string at = absl::StrCat(path, "/", Escaped(name));
    if (found == nullptr) {
      Fault(absl::StrCat(at, " is missing"));
    } else {
      CompareTree(value, *found, at);
    }
  }
  if (wanted.items.size() != got.items.size()) return Fault(path + " has another length");
  for (size_t i = 0; i < wanted.items.size(); ++i) {
    CompareTree(wanted.items[i], got.items[i], absl::StrCat(path, "/", i));
  }
}

// Of causationid and correlationid.
void Arrivals::CompareAttribute(const std::string& name, const std::string& wanted, Links links,
                                const io::cloudevents::v1::CloudEvent& got) {
  const auto found = got.attributes().find(name);
  if (links != Links::kKeep) {
    if (found != got.attributes().end()) Fault(name + " is there");
  } else if (found == got.attributes().end()) {
    Fault(name + " is missing");
  } else if (found->second.ce_string() != wanted) {
    Fault(name + " is another");
  }
}

void Arrivals::CompareAttributes(const PolicyEvent& event, const PolicyRule& rule,
                                 const io::cloudevents::v1::CloudEvent& got) {
  for (const auto& [name, value] : event.cloud_event.attributes()) {
    if (name == "causationid" || name == "correlationid") {
      const Links links = rule.links == Links::kUnset ? Links::kPseudonymise : rule.links;
      CompareAttribute(name, value.ce_string(), links, got);
      continue;
    }
    const auto found = got.attributes().find(name);
    if (found == got.attributes().end() || found->second.ce_string() != value.ce_string()) {
      Fault(name + " is missing or another");
    }
  }
}

std::vector<std::string> Arrivals::Compare(const PolicyEvent& event, const Expected& expected,
                                           const events::v1::DeliveredEvent& delivered) {
  faults_.clear();
  const auto& got = delivered.event();
  const JsonTree wanted = Transformed(event, *expected.transformed_by);
  const bool changed = wanted.ToText() != event.random.tree.ToText();
  if (!changed && got.binary_data() != event.random.json) Fault("the data are other bytes");
  CompareTree(wanted, test::ParseJsonTree(got.binary_data()), "");
  CompareAttributes(event, *expected.transformed_by, got);
  if (got.type() != event.random.type) Fault("the type is another");
  if (got.source() != event.random.source) Fault("the source is another");
  if (delivered.import_rule() != expected.import_rule) {
    Fault(absl::StrCat("let in by ", delivered.import_rule(), ", not ", expected.import_rule));
  }
  if (delivered.origin() != "alpha.example") Fault("the origin is another");
  const bool redacted =
      std::any_of(expected.transformed_by->redact.begin(), expected.transformed_by->redact.end(),
                  [&](const std::string& path) { return At(event.random.tree, path) != nullptr; });
  if (redacted && delivered.withheld_size() == 0) Fault("it does not say that members are missing");
  withheld_ += static_cast<uint64_t>(delivered.withheld_size());
  return faults_;
}

}  // namespace cdgate::e2e

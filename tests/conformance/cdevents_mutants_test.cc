// One-fault mutants of every event of every release: our verdict, and where we see the
// fault, are what the catalogue says and what ajv says by the official schemas. Without
// node, npm or the schemas the first half is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/cdevents/faults.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/json_parser.h"
#include "tests/conformance/ajv_oracle.h"
#include "tests/conformance/mutants.h"
#include "tests/gateway/cdevents/official_events.h"
#include "tests/support/status_matchers.h"

namespace cdgate::test {
namespace {

using cdevents::Family;
using cdevents::Form;

// What we say.
struct Ours {
  bool valid = false;
  bool known = true;  // its type
  std::vector<std::string> paths;
  std::string text;  // the faults, for messages
};

Ours ToOurs(const cdevents::Faults& faults) {
  Ours ours{faults.list.empty(), true, {}, ""};
  for (const cdevents::Fault& fault : faults.list) {
    ours.paths.push_back(fault.path);
    absl::StrAppend(&ours.text, "\n  ", ToText(fault));
  }
  EXPECT_LE(faults.list.size(), cdevents::kMaxFaults);
  return ours;
}

Ours JudgeEvent(event::JsonParser* parser, const Mutant& mutant) {
  CDGATE_EXPECT_OK(parser->ParseIJson(mutant.json)) << mutant.json;
  cdevents::Envelope envelope;
  const cdevents::Verdict verdict = cdevents::Judge(parser->document(), &envelope);
  Ours ours = ToOurs(cdevents::FindFaults(parser->document()));
  ours.known = envelope.form != nullptr;
  EXPECT_EQ(verdict == cdevents::Verdict::kValid, ours.valid) << mutant.what << mutant.json;
  return ours;
}

bool Has(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

// Against what the mutant itself knows.
void CheckOurs(const Mutant& mutant, const Ours& ours, const std::string& name) {
  if (mutant.valid) {
    EXPECT_EQ(ours.valid, *mutant.valid) << name << " " << mutant.what << ours.text;
  }
  if (mutant.path && !ours.valid) {
    EXPECT_TRUE(Has(ours.paths, *mutant.path))
        << name << " " << mutant.what << " has no fault at " << *mutant.path << ours.text;
  }
}

// A link that fails is said to fail by ajv as each kind of link; we say what it lacks to be
// the one that its linkType says.
bool InLinks(const std::string& path) { return absl::StartsWith(path, "/context/links/"); }

std::set<std::string> PathsOf(const OracleVerdict& verdict) {
  std::set<std::string> paths;
  for (const OracleFault& fault : verdict.faults) paths.insert(fault.path);
  return paths;
}

void CheckAgainstAjv(const Mutant& mutant, const Ours& ours, const OracleVerdict& ajv,
                     const std::string& name) {
  const std::set<std::string> paths = PathsOf(ajv);
  const std::string what =
      absl::StrCat(name, " ", mutant.what, ", by ", mutant.release, "/", mutant.schema,
                   "\najv: ", absl::StrJoin(paths, " "), "\nours:", ours.text);
  EXPECT_EQ(ours.valid, ajv.valid) << what;
  // ajv is told by which schema; without a type that is known we judge what all events need.
  if (!ours.known) return;
  for (const std::string& path : ours.paths) {
    EXPECT_EQ(paths.count(path), 1u) << "only we see a fault at " << path << "\n" << what;
  }
  for (const std::string& path : paths) {
    EXPECT_TRUE(InLinks(path) || Has(ours.paths, path))
        << "only ajv sees a fault at " << path << "\n"
        << what;
  }
}

struct NamedMutants {
  std::string name;
  std::vector<Mutant> mutants;
};

class CdEventsMutantsTest : public testing::TestWithParam<Family> {
 protected:
  // The official event of a type, or what has to be completed from nothing.
  static JsonTree OfficialEvent(absl::string_view type, const std::string& release) {
    static const auto* const events = new std::vector<test::OfficialEvent>(OfficialEvents());
    for (const test::OfficialEvent& event : *events) {
      const std::string wanted = absl::StrCat("\"", type, "\"");
      const bool custom = type.empty() && event.name == "custom";
      if (event.release != release) continue;
      if (custom || absl::StrContains(event.json, wanted)) return ParseJsonTree(event.json);
    }
    return JsonTree::Object();
  }
  static std::vector<NamedMutants> AllMutants(Family family) {
    std::vector<NamedMutants> all;
    const auto add = [&](const cdevents::Type& type) {
      const Form* const form = type.forms[static_cast<size_t>(family)];
      if (form == nullptr) return;
      const std::string source = family == Family::k040 ? "v0.4.1" : SchemasOf(family);
      const JsonTree event = CompleteEvent(*form, OfficialEvent(form->type, source));
      all.push_back({type.name.empty() ? "custom" : type.name, MutantsOf(*form, event)});
    };
    for (const cdevents::Type* const type : cdevents::Catalogue::Get().types()) add(*type);
    add(cdevents::Catalogue::Get().custom());
    return all;
  }
};

TEST_P(CdEventsMutantsTest, EventsAreJudgedAsByAjvAndWhereItSays) {
  event::JsonParser parser;
  std::vector<OracleQuestion> questions;
  std::vector<Ours> judged;
  const std::vector<NamedMutants> all = AllMutants(GetParam());
  size_t valid = 0;
  for (const auto& [name, mutants] : all) {
    for (const Mutant& mutant : mutants) {
      judged.push_back(JudgeEvent(&parser, mutant));
      CheckOurs(mutant, judged.back(), name);
      valid += judged.back().valid;
      questions.push_back({mutant.release, mutant.schema, mutant.json});
    }
  }
  std::printf("%s: %zu events, %zu mutants, %zu of them valid\n", SchemasOf(GetParam()).c_str(),
              all.size(), judged.size(), valid);
  EXPECT_GE(all.size(), 39u);
  EXPECT_GE(judged.size(), 10'000u);
  const auto verdicts = AskAjv(questions);
  if (absl::IsUnavailable(verdicts.status())) {
    GTEST_SKIP() << "not compared with ajv: " << verdicts.status().message();
  }
  CDGATE_ASSERT_OK(verdicts);
  size_t at = 0;
  for (const auto& [name, mutants] : all) {
    for (const Mutant& mutant : mutants) {
      CheckAgainstAjv(mutant, judged[at], (*verdicts)[at], name);
      ++at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, CdEventsMutantsTest,
                         testing::Values(Family::k03, Family::k040, Family::k041, Family::k05,
                                         Family::k06),
                         [](const auto& row) {
                           return absl::StrCat("Family", static_cast<int>(row.param));
                         });

// --- links that stand alone

constexpr const char* kLinkSchemas[] = {"links/linkstart", "links/linkend", "links/linkpath",
                                        "links/linkrelation"};

// Nothing but its linkType says which schema a link is judged by: any.
OracleVerdict AnyOf(const std::vector<OracleVerdict>& verdicts, size_t at) {
  OracleVerdict any;
  for (size_t i = at; i < at + std::size(kLinkSchemas); ++i) {
    any.valid = any.valid || verdicts[i].valid;
    any.faults.insert(any.faults.end(), verdicts[i].faults.begin(), verdicts[i].faults.end());
  }
  return any;
}

class LinkMutantsTest : public testing::TestWithParam<Family> {};

TEST_P(LinkMutantsTest, LinksAreJudgedAsByAjvAndWhereItSays) {
  const auto& links = cdevents::Catalogue::Get().links(GetParam());
  ASSERT_EQ(links.size(), std::size(kLinkSchemas));
  event::JsonParser parser;
  std::vector<Mutant> mutants;
  for (const cdevents::Object* const link : links) {
    for (Mutant& mutant : LinkMutantsOf(*link, links)) mutants.push_back(std::move(mutant));
  }
  std::vector<OracleQuestion> questions;
  std::vector<Ours> judged;
  for (const Mutant& mutant : mutants) {
    CDGATE_ASSERT_OK(parser.ParseIJson(mutant.json));
    judged.push_back(ToOurs(cdevents::FindLinkFaults(parser.document(), GetParam())));
    CheckOurs(mutant, judged.back(), "link");
    for (const char* const schema : kLinkSchemas) {
      questions.push_back({SchemasOf(GetParam()), schema, mutant.json});
    }
  }
  std::printf("%s: %zu mutants of links\n", SchemasOf(GetParam()).c_str(), mutants.size());
  const auto verdicts = AskAjv(questions);
  if (absl::IsUnavailable(verdicts.status())) {
    GTEST_SKIP() << "not compared with ajv: " << verdicts.status().message();
  }
  CDGATE_ASSERT_OK(verdicts);
  for (size_t i = 0; i < mutants.size(); ++i) {
    const OracleVerdict ajv = AnyOf(*verdicts, i * std::size(kLinkSchemas));
    const std::set<std::string> paths = PathsOf(ajv);
    EXPECT_EQ(judged[i].valid, ajv.valid) << mutants[i].what << judged[i].text;
    for (const std::string& path : judged[i].paths) {
      EXPECT_EQ(paths.count(path), 1u) << "only we see a fault at " << path << mutants[i].what;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Releases, LinkMutantsTest,
                         testing::Values(Family::k041, Family::k05, Family::k06),
                         [](const auto& row) {
                           return absl::StrCat("Family", static_cast<int>(row.param));
                         });

}  // namespace
}  // namespace cdgate::test

// The official JSON Schema test suite, draft-07, as Debian packages it: every group is
// judged as it says, or its schema is refused, and which are refused is known.
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/schema/schema_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cdgate::schema {
namespace {

namespace fs = std::filesystem;

constexpr char kSuite[] = "/usr/share/json-schema-test-suite";

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// What the suite serves at http://localhost:1234/.
std::vector<SchemaDocument> Remotes() {
  std::vector<SchemaDocument> out;
  const fs::path root = fs::path(kSuite) / "remotes";
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    out.push_back({absl::StrCat("http://localhost:1234/", fs::relative(entry, root).string()),
                   ReadAll(entry)});
  }
  return out;
}

// The suite means draft-07 without saying so.
std::string AsDraft7(std::string schema) {
  if (!absl::StartsWith(schema, "{") || absl::StrContains(schema, "\"$schema\"")) return schema;
  const bool empty = schema == "{}";
  return absl::StrCat(R"({"$schema":"http://json-schema.org/draft-07/schema#")", empty ? "" : ",",
                      schema.substr(1));
}

struct Tally {
  size_t judged = 0;
  std::vector<std::string> wrong;
  std::map<std::string, std::string> refused;  // "file: group", why
};

void RunGroup(const std::string& name, const simdjson::dom::element& group, Tally& tally) {
  std::vector<SchemaDocument> documents = Remotes();
  const std::string uri = "http://suite.example/schema";
  documents.push_back({uri, AsDraft7(simdjson::to_string(group["schema"].value()))});
  const auto compiled = SchemaSet::Compile(documents);
  for (const auto& [refused, status] : compiled.refused) {
    if (refused == uri) tally.refused[name] = std::string(status.message());
  }
  if (!compiled.set->Has(uri)) return;
  for (const simdjson::dom::element test : group["tests"]) {
    const std::string data = simdjson::to_string(test["data"].value());
    const bool valid = compiled.set->Check(uri, data).result == Verdict::kValid;
    ++tally.judged;
    if (valid == bool(test["valid"])) continue;
    tally.wrong.push_back(
        absl::StrCat(name, ": ", std::string(std::string_view(test["description"]))));
  }
}

Tally RunSuite() {
  Tally tally;
  simdjson::dom::parser parser;
  for (const auto& entry : fs::directory_iterator(fs::path(kSuite) / "tests/draft7")) {
    if (!entry.is_regular_file()) continue;
    const simdjson::dom::element groups = parser.load(entry.path().string());
    for (const simdjson::dom::element group : groups) {
      RunGroup(absl::StrCat(entry.path().stem().string(), ": ",
                            std::string(std::string_view(group["description"]))),
               group, tally);
    }
  }
  return tally;
}

TEST(SchemaSuiteTest, JudgesAsTheSuiteSaysOrRefusesTheSchema) {
  if (!fs::exists(kSuite)) GTEST_SKIP() << "json-schema-test-suite is not installed";
  const Tally tally = RunSuite();
  EXPECT_THAT(tally.wrong, testing::IsEmpty());
  std::vector<std::string> refused;
  for (const auto& [name, why] : tally.refused) refused.push_back(name);
  EXPECT_THAT(refused,
              testing::UnorderedElementsAre(
                  // The schema of schemas is not registered.
                  "definitions: invalid definition", "definitions: valid definition",
                  "ref: remote ref, containing refs itself",
                  // $id within a document.
                  "ref: Recursive references between schemas", "refRemote: base URI change",
                  "refRemote: base URI change - change folder",
                  "refRemote: base URI change - change folder in subschema",
                  // Rules of the author that the draft ignores, and names of his own.
                  "ref: ref overrides any sibling keywords", "ref: escaped pointer ref"));
  EXPECT_GT(tally.judged, 350u);
}

}  // namespace
}  // namespace cdgate::schema

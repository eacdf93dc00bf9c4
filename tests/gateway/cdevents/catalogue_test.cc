// The model against a table of the same facts that was made from the official schemas.
#include "gateway/cdevents/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/file.h"
#include "tests/support/test_data.h"

namespace cdgate::cdevents {
namespace {

using simdjson::dom::element;
using testing::ElementsAre;
using testing::IsEmpty;

std::string Name(std::string_view text) { return std::string(text); }
std::vector<std::string> Texts(const element& array) {
  std::vector<std::string> out;
  for (const element value : array.get_array()) out.push_back(Name(value.get_string().value()));
  return out;
}

// One member as a line: "string required minLength uri enum a|b".
std::string LineOf(const Member& member) {
  static const char* const kFormats[] = {"", " uri", " uri-reference", " date-time"};
  const bool text = member.kind == Kind::kText;
  const bool array = member.kind == Kind::kTexts || member.kind == Kind::kLinks;
  std::string line = text ? "string" : array ? "array" : "object";
  if (member.required) line += " required";
  if (member.not_empty) line += " minLength";
  if (text) line += kFormats[static_cast<size_t>(member.format)];
  for (const absl::string_view value : member.values) absl::StrAppend(&line, " =", value);
  for (const absl::string_view value : member.known_values) absl::StrAppend(&line, " ~", value);
  return line;
}

std::string LineOf(const element& field, const std::string& path) {
  std::string line = Name(field["type"].get_string().value());
  if (field["required"].get_bool().value()) line += " required";
  // The table leaves out a length that stands in one branch of an anyOf.
  if (field["minLength"].error() == simdjson::SUCCESS || path == "resolution") line += " minLength";
  std::string_view format;
  if (field["format"].get(format) == simdjson::SUCCESS) line += " " + Name(format);
  element values;
  if (field["enum"].get(values) == simdjson::SUCCESS) {
    for (const std::string& value : Texts(values)) line += " =" + value;
  }
  if (field["open_enum"].get(values) == simdjson::SUCCESS) {
    for (const std::string& value : Texts(values)) line += " ~" + value;
  }
  return line;
}

void Flatten(const Object& object, const std::string& prefix,
             std::map<std::string, std::string>* out) {
  for (const Member& member : object.members) {
    const std::string path = absl::StrCat(prefix, member.name);
    (*out)[path] = LineOf(member);
    if (member.object != nullptr) Flatten(*member.object, path + ".", out);
  }
}

// The table's fields of the context or the subject.
std::map<std::string, std::string> Around(const element& fields) {
  std::map<std::string, std::string> out;
  for (const auto field : fields.get_object()) {
    const std::string name(field.key);
    out[name] = name == "links" ? "array" : LineOf(field.value, name);
    // A one-value enum says more than its length.
    if (name == "type") {
      const size_t at = out[name].find(" minLength");
      if (at != std::string::npos) out[name].erase(at, 10);
    }
  }
  return out;
}

struct ReleaseRules {
  const char* tag;
  Family family;
};

class CatalogueTableTest : public testing::TestWithParam<ReleaseRules> {
 protected:
  void SetUp() override {
    const std::string file = test::TestData("cdevents/catalogue.json");
    if (file.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
    text_ = *base::ReadFile(file);
    root_ = parser_.parse(text_);
  }
  std::string text_;
  simdjson::dom::parser parser_;
  element root_;
};

TEST_P(CatalogueTableTest, HasExactlyItsFieldsAndRules) {
  size_t events = 0;
  for (const auto row : root_["versions"][GetParam().tag]["events"].get_object()) {
    const std::string type_name(row.value["type"].get_string().value());
    const Type* const type = Catalogue::Get().FindType(type_name);
    ASSERT_NE(type, nullptr) << type_name;
    const Form* const form = type->forms[static_cast<size_t>(GetParam().family)];
    ASSERT_NE(form, nullptr) << type_name;
    std::map<std::string, std::string> got, want;
    const Object& subject = *form->root->Find("subject")->object;
    Flatten(*subject.Find("content")->object, "", &got);
    for (const element field : row.value["content"].get_array()) {
      const std::string path(field["path"].get_string().value());
      want[path] = LineOf(field, path);
    }
    EXPECT_EQ(got, want) << type_name;
    std::map<std::string, std::string> context, around;
    for (const Member& member : form->root->Find("context")->object->members) {
      context[std::string(member.name)] = LineOf(member);
    }
    for (const Member& member : subject.members) {
      if (member.name != "content") around[std::string(member.name)] = LineOf(member);
    }
    std::map<std::string, std::string> wanted = Around(row.value["context"]);
    // 0.4.0 is judged by the rules of 0.4.1, and by its own name of the chain besides.
    if (GetParam().family == Family::k040) {
      wanted["chain_id"] = wanted["chainId"] = "string minLength";
      wanted["links"] = "array";
      wanted["schemaUri"] = "string minLength uri";
    }
    EXPECT_EQ(context, wanted) << type_name;
    EXPECT_EQ(around, Around(row.value["subject"])) << type_name;
    ++events;
  }
  EXPECT_GE(events, 39u);
}

INSTANTIATE_TEST_SUITE_P(
    Releases, CatalogueTableTest,
    testing::Values(ReleaseRules{"v0.3.0", Family::k03}, ReleaseRules{"v0.4.0", Family::k040},
                    ReleaseRules{"v0.4.1", Family::k041}, ReleaseRules{"v0.5.1", Family::k05},
                    ReleaseRules{"0.6.0-draft", Family::k06}),
    [](const auto& row) { return absl::StrCat("Family", static_cast<int>(row.param.family)); });

TEST(CatalogueTest, KnowsTheTypesOfItsReleasesAndNoOthers) {
  const std::string file = test::TestData("cdevents/catalogue.json");
  if (file.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  const std::string text = *base::ReadFile(file);
  simdjson::dom::parser parser;
  std::set<std::string> want, got;
  for (const auto row : parser.parse(text)["type_index"].get_object()) {
    // What only 0.2.0 has is older than what is known.
    const std::vector<std::string> releases = Texts(row.value);
    if (releases != std::vector<std::string>{"v0.2.0"}) want.insert(std::string(row.key));
  }
  for (const Type* const type : Catalogue::Get().types()) got.insert(type->name);
  EXPECT_EQ(got, want);
  EXPECT_EQ(got.size(), 132u);
}

TEST(CatalogueTest, ChoosesTheRulesByTypeAndThenByWhatTheEventDeclares) {
  const Catalogue& catalogue = Catalogue::Get();
  const auto family = [&](absl::string_view type, absl::string_view version,
                          absl::string_view specversion) {
    return catalogue.FindType(type)->FormOf(version, specversion).family;
  };
  EXPECT_EQ(family("dev.cdevents.build.queued.0.1.1", "0.4.0-draft", ""), Family::k03);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.2.0", "0.4.0", ""), Family::k040);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.2.0", "0.4.1", ""), Family::k041);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.2.0", "", ""), Family::k041);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.3.0", "", "0.5.0"), Family::k05);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.3.0", "", "banana"), Family::k05);
  EXPECT_EQ(family("dev.cdevents.build.queued.0.3.0", "", "0.6.0-draft"), Family::k06);
  EXPECT_EQ(family("dev.cdevents.approval.created.0.1.0", "", "0.5.1"), Family::k06);
  EXPECT_EQ(family("dev.cdeventsx.a-b.c.0.1.0", "0.4.1", ""), Family::k041);
  EXPECT_EQ(family("dev.cdeventsx.a-b.c.0.1.0", "", "0.5.1"), Family::k05);
  EXPECT_EQ(family("dev.cdeventsx.a-b.c.0.1.0", "", "0.6.0"), Family::k06);
}

TEST(CatalogueTest, CustomTypesHaveOneHyphenAndOneDigitAPart) {
  EXPECT_EQ(CustomSubjectOf("dev.cdeventsx.mytool-resource.created.0.1.0"), "mytool-resource");
  EXPECT_EQ(CustomSubjectOf("dev.cdeventsx.Tool9-Res.Created.0.1.0"), "Tool9-Res");
  for (const char* const wrong :
       {"dev.cdeventsx.probes.ping.0.1.0", "dev.cdeventsx.a-b.c.0.10.0",
        "dev.cdeventsx.a-b-c.d.0.1.0", "dev.cdeventsx.a-b1.c.0.1.0",
        "dev.cdeventsx.a-b.c.0.1.0-draft", "dev.cdeventsx.a-b.c.0.1", "dev.cdeventsx.-b.c.0.1.0",
        "dev.cdeventsxxa-b.c.0.1.0", "dev.cdevents.a-b.c.0.1.0", "dev.cdeventsx.a-b.c.0.1.0\n",
        "com.example.probes.ping.0.1.0", ""}) {
    EXPECT_EQ(CustomSubjectOf(wrong), "") << wrong;
    EXPECT_EQ(Catalogue::Get().FindType(wrong), nullptr) << wrong;
  }
}

}  // namespace
}  // namespace cdgate::cdevents

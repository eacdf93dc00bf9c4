#include "gateway/api/describe_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>
#include <string>

#include "auth/crypto/digest.h"
#include "tests/support/status_matchers.h"

namespace cdgate::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

events::v1::DescribeResponse Describe(const std::string& type, bool with_schemas) {
  events::v1::DescribeRequest request;
  request.set_type(type);
  request.set_with_schemas(with_schemas);
  const auto response = DescribeTypes(request);
  CDGATE_EXPECT_OK(response);
  return response.ok() ? *response : events::v1::DescribeResponse();
}

TEST(DescribeApiTest, ListsAllTypesWithTheirRules) {
  const auto all = Describe("", false);
  EXPECT_EQ(all.types_size(), 133);  // with custom events
  EXPECT_THAT(all.releases(),
              ElementsAre("0.3.0", "0.4.0", "0.4.1", "0.5.0", "0.5.1", "0.6.0-draft"));
  std::set<std::string> digests;
  for (const events::v1::EventType& type : all.types()) {
    ASSERT_GT(type.rules_size(), 0) << type.type();
    EXPECT_THAT(type.description(), testing::EndsWith(".")) << type.type();
    EXPECT_THAT(type.message(), testing::StartsWith("cdevents.v1.")) << type.type();
    for (const events::v1::TypeRules& rules : type.rules()) {
      EXPECT_EQ(rules.schema_digest().size(), 32u);
      EXPECT_EQ(rules.json_schema(), "");
      digests.insert(rules.schema_digest());
    }
  }
  // No two types have the same rules, since the type is one of them.
  EXPECT_GT(digests.size(), 132u);
}

TEST(DescribeApiTest, FindsTypesByPattern) {
  const auto one = Describe("dev.cdevents.build.queued.0.2.0", false);
  ASSERT_EQ(one.types_size(), 1);
  EXPECT_EQ(one.types(0).subject(), "build");
  EXPECT_EQ(one.types(0).predicate(), "queued");
  EXPECT_THAT(one.types(0).releases(), ElementsAre("0.4.0", "0.4.1"));
  ASSERT_EQ(one.types(0).rules_size(), 2);
  EXPECT_EQ(one.types(0).rules(0).release(), "0.4.1");
  EXPECT_EQ(one.types(0).rules(1).release(), "0.4.0");
  EXPECT_EQ(Describe("dev.cdevents.approval.%", false).types_size(), 3);
  EXPECT_THAT(Describe("no.such.type", false).types(), IsEmpty());
  const auto custom = Describe("dev.cdeventsx.mytool-resource.created.0.1.0", false);
  ASSERT_EQ(custom.types_size(), 1);
  EXPECT_EQ(custom.types(0).type(), "dev.cdeventsx.%");
}

TEST(DescribeApiTest, TheDigestIsOfTheSchema) {
  const auto one = Describe("dev.cdevents.taskrun.finished.0.3.0", true);
  ASSERT_EQ(one.types_size(), 1);
  ASSERT_EQ(one.types(0).rules_size(), 2);
  for (const events::v1::TypeRules& rules : one.types(0).rules()) {
    EXPECT_EQ(rules.schema_digest(), crypto::Sha256(rules.json_schema()));
    simdjson::dom::parser parser;
    EXPECT_EQ(parser.parse(rules.json_schema()).error(), simdjson::SUCCESS);
  }
  EXPECT_THAT(one.types(0).rules(1).json_schema(), HasSubstr(R"("enum":["success",)"));
}

TEST(DescribeApiTest, ALongPatternIsRefused) {
  events::v1::DescribeRequest request;
  request.set_type(std::string(2000, 'x'));
  EXPECT_THAT(DescribeTypes(request).status(), test::HasReason(base::Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::api

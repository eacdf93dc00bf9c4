// What admission does with the schema that an event names, by the publisher's grant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/event/record.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/status_matchers.h"

namespace cdgate::admission {
namespace {

using base::Reason;
using test::AdmissionFixture;
using test::HasReason;
using test::HasReasonAndMessage;
using test::SampleCloudEvent;
using test::SampleJson;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kUri[] = "https://alpha.example/schema/build";

// `uri` is its schemaUri; "" for none.
std::string Json(const std::string& id, const std::string& uri) {
  if (uri.empty()) return SampleJson(id);
  return absl::StrReplaceAll(SampleJson(id),
                             {{R"("context":{)", R"("context":{"schemaUri":")" + uri + R"(",)"}});
}

std::string Event(const std::string& id, const std::string& uri) {
  return SampleCloudEvent(Json(id, uri));
}

class SchemaCheckTest : public testing::Test {
 protected:
  // Ids of more than three characters are invalid.
  SchemaCheckTest() {
    const std::vector<schema::SchemaDocument> documents = {
        {kUri, R"({"properties": {"context": {"properties": {"id": {"maxLength": 3}}}}})"}};
    f_.schemas.Replace(schema::SchemaSet::Compile(documents).set);
  }

  void GrantWith(admin::v1::SchemaCheck check) {
    admin::v1::Grant grant;
    grant.set_name("jenkins");
    grant.set_principal("spiffe://alpha.example/service/jenkins");
    grant.set_role(admin::v1::ROLE_PUBLISHER);
    grant.add_sources("%");
    grant.set_schema_check(check);
    f_.grants.Replace(*authz::Grants::Compile({&grant, 1}));
  }
  absl::Status Publish(const std::string& id, const std::string& uri) {
    return f_.Publish({Event(id, uri)})[0].status;
  }

  AdmissionFixture f_;
};

TEST_F(SchemaCheckTest, AnnotatesByDefaultAndRefusesNothing) {
  const auto results = f_.Publish({Event("a", ""), Event("b", "https://myorg.com/schema/custom"),
                                   Event("c", kUri), Event("long", kUri)});
  const uint32_t expected[] = {0, event::kNoteSchemaUnresolved, event::kNoteSchemaValid,
                               event::kNoteSchemaInvalid};
  for (size_t i = 0; i < results.size(); ++i) {
    CDGATE_ASSERT_OK(results[i].status);
    EXPECT_EQ(f_.Stored(results[i].sequence).notes(), expected[i]) << i;
  }
}

TEST_F(SchemaCheckTest, RefuseInvalidRefusesWithTheFaultsWhatFailsItsSchema) {
  GrantWith(admin::v1::SCHEMA_CHECK_REFUSE_INVALID);
  CDGATE_EXPECT_OK(Publish("a", ""));
  CDGATE_EXPECT_OK(Publish("b", "https://myorg.com/schema/custom"));
  CDGATE_EXPECT_OK(Publish("c", kUri));
  EXPECT_THAT(Publish("long", kUri),
              HasReasonAndMessage(Reason::kSchemaInvalid,
                                  AllOf(HasSubstr(kUri), HasSubstr("/context/id: maxLength 3"),
                                        HasSubstr("\"long\""))));
  EXPECT_EQ(f_.Counted("cdgate_publish_refusals_total", {{"reason", "schema_invalid"}}), 1);
}

TEST_F(SchemaCheckTest, RequireRefusesAlsoWhatNamesNoRegisteredSchema) {
  GrantWith(admin::v1::SCHEMA_CHECK_REQUIRE);
  CDGATE_EXPECT_OK(Publish("c", kUri));
  EXPECT_THAT(Publish("long", kUri), HasReason(Reason::kSchemaInvalid));
  EXPECT_THAT(Publish("a", ""), HasReason(Reason::kSchemaUnresolved));
  EXPECT_THAT(Publish("b", "https://myorg.com/schema/custom"),
              HasReasonAndMessage(Reason::kSchemaUnresolved, HasSubstr("myorg.com")));
}

}  // namespace
}  // namespace cdgate::admission

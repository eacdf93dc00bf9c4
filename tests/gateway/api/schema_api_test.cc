#include "gateway/api/schema_api.h"

#include "auth/crypto/digest.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::AddSchemaRequest;
using admin::v1::DeleteSchemaRequest;
using admin::v1::DeleteSchemaResponse;
using admin::v1::GetSchemaRequest;
using admin::v1::ListSchemasRequest;
using admin::v1::ListSchemasResponse;
using admin::v1::Schema;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kBuild[] = "https://alpha.example/schema/build";
constexpr char kLink[] = "https://alpha.example/schema/link";

class SchemaApiTest : public AdminTest {
 protected:
  static AddSchemaRequest Of(const std::string& uri, const std::string& document) {
    AddSchemaRequest request;
    request.mutable_schema()->set_uri(uri);
    request.mutable_schema()->set_document(document);
    return request;
  }
  absl::StatusOr<Schema> Add(const std::string& uri, const std::string& document) {
    return Call<Schema>(Root(), "AddSchema", Of(uri, document));
  }
  absl::StatusOr<DeleteSchemaResponse> Delete(const std::string& uri) {
    DeleteSchemaRequest request;
    request.set_uri(uri);
    return Call<DeleteSchemaResponse>(Root(), "DeleteSchema", request);
  }
  absl::StatusOr<Schema> Get(const std::string& uri) {
    GetSchemaRequest request;
    request.set_uri(uri);
    return Call<Schema>(Root(), "GetSchema", request);
  }
};

TEST_F(SchemaApiTest, KeepsTheDocumentVerbatimWithWhoAddedItAndWhen) {
  Grant(Ann(), admin::v1::ROLE_OPERATOR);
  const std::string document = "{ \"type\":\n\"object\", \"x-a\": 1.0 }\n";
  AddSchemaRequest request = Of(kBuild, document);
  request.mutable_schema()->set_description("what builds must say");
  request.mutable_schema()->set_author("mallory");
  CDGATE_ASSERT_OK_AND_ASSIGN(const Schema added, Call<Schema>(Ann(), "AddSchema", request));
  EXPECT_EQ(added.document(), "");
  EXPECT_EQ(added.version(), 1u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Schema schema, Get(kBuild));
  EXPECT_EQ(schema.document(), document);
  EXPECT_EQ(schema.digest(), crypto::Sha256(document));
  EXPECT_EQ(schema.description(), "what builds must say");
  EXPECT_EQ(schema.author(), "spiffe://alpha.example/user/ann");
  EXPECT_GT(schema.create_time().seconds(), 0);
}

TEST_F(SchemaApiTest, AuditorsReadAndOnlyOperatorsChange) {
  Grant(Ann(), admin::v1::ROLE_AUDITOR);
  CDGATE_ASSERT_OK(Add(kBuild, "{}"));
  CDGATE_EXPECT_OK(Call<ListSchemasResponse>(Ann(), "ListSchemas", ListSchemasRequest()));
  EXPECT_THAT(Call<Schema>(Ann(), "AddSchema", Of(kLink, "{}")), HasReason(Reason::kNotGranted));
}

TEST_F(SchemaApiTest, WhatCannotBeCheckedIsNotStored) {
  EXPECT_THAT(Add(kBuild, R"({"properties": {"a": {"unevaluatedProperties": false}}})"),
              HasReasonAndMessage(Reason::kSchemaUnsupported,
                                  HasSubstr("/properties/a/unevaluatedProperties")));
  EXPECT_THAT(Add(kBuild, R"({"$ref": "https://elsewhere.example/x"})"),
              HasReason(Reason::kSchemaUnsupported));
  EXPECT_THAT(Add("build", "{}"), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Add(kBuild, "{\"x-a\": \"" + std::string(300'000, 'a') + "\"}"),
              HasReason(Reason::kTooLarge));
  EXPECT_THAT(Get(kBuild), HasReason(Reason::kNotFound));
}

TEST_F(SchemaApiTest, ReplacesTheVersionThatIsNamedAndNoOther) {
  CDGATE_ASSERT_OK(Add(kBuild, "{}"));
  AddSchemaRequest request = Of(kBuild, R"({"type": "object"})");
  request.set_base_version(7);
  EXPECT_THAT(Call<Schema>(Root(), "AddSchema", request), HasReason(Reason::kEtagMismatch));
  request.set_base_version(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Schema replaced, Call<Schema>(Root(), "AddSchema", request));
  EXPECT_EQ(replaced.version(), 2u);
}

TEST_F(SchemaApiTest, ValidateOnlyChangesNothing) {
  AddSchemaRequest request = Of(kBuild, "{}");
  request.set_validate_only(true);
  CDGATE_ASSERT_OK(Call<Schema>(Root(), "AddSchema", request));
  EXPECT_THAT(Get(kBuild), HasReason(Reason::kNotFound));
}

TEST_F(SchemaApiTest, WhatOthersReferToStaysAndStaysWhole) {
  CDGATE_ASSERT_OK(Add(kLink, R"({"$defs": {"a": {"type": "string"}}})"));
  CDGATE_ASSERT_OK(
      Add(kBuild, R"({"items": {"$ref": "https://alpha.example/schema/link#/$defs/a"}})"));
  EXPECT_THAT(Delete(kLink), HasReasonAndMessage(Reason::kSchemaInUse, HasSubstr(kBuild)));
  EXPECT_THAT(Add(kLink, "{}"), HasReasonAndMessage(Reason::kSchemaUnsupported, HasSubstr(kBuild)));
  CDGATE_ASSERT_OK(Delete(kBuild));
  CDGATE_ASSERT_OK(Delete(kLink));
  EXPECT_THAT(Delete(kLink), HasReason(Reason::kNotFound));
}

TEST_F(SchemaApiTest, ListsByUriInPagesWithoutDocuments) {
  for (const char* uri : {"urn:c", "urn:a", "urn:b"}) CDGATE_ASSERT_OK(Add(uri, "{}"));
  ListSchemasRequest request;
  request.set_page_size(2);
  std::string uris;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto page,
                                Call<ListSchemasResponse>(Root(), "ListSchemas", request));
    for (const Schema& schema : page.schemas()) {
      absl::StrAppend(&uris, schema.uri(), " ");
      EXPECT_EQ(schema.document(), "");
      EXPECT_EQ(schema.digest().size(), 32u);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(uris, "urn:a urn:b urn:c ");
}

}  // namespace
}  // namespace cdgate::api

// The verbs about schemas, against a gateway that answers what the test tells it to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/file.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::cli {
namespace {

using testing::HasSubstr;

class SchemaVerbsTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, "");
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }
  void Write(const std::string& name, const std::string& content) {
    CDGATE_ASSERT_OK(base::WriteFileAtomically(dir_.File(name), content));
  }

  test::TempDir dir_;
  FakeGateway gateway_;
};

TEST_F(SchemaVerbsTest, SchemasAreAddedListedShownAndRemoved) {
  admin::v1::Schema schema;
  schema.set_uri("https://alpha.example/schema/build");
  schema.set_version(2);
  gateway_.Answer("AddSchema", schema);
  const std::string document = "{ \"$id\": \"https://alpha.example/schema/build#\" }\n";
  Write("build.json", document);
  const CliRun added = Run({"schema", "add", dir_.File("build.json"), "--base-version", "1"});
  EXPECT_EQ(added.out, "schema https://alpha.example/schema/build: version 2\n") << added.err;
  auto request = Last<admin::v1::AddSchemaRequest>("AddSchema");
  EXPECT_EQ(request.schema().uri(), schema.uri());
  EXPECT_EQ(request.schema().document(), document);
  EXPECT_EQ(request.base_version(), 1u);
  Write("plain.json", "{}");
  EXPECT_EQ(Run({"schema", "add", dir_.File("plain.json")}).code, kExitUsage);
  EXPECT_EQ(Run({"schema", "add", dir_.File("plain.json"), "--uri", "urn:a"}).code, kExitDone);
  EXPECT_EQ(Last<admin::v1::AddSchemaRequest>("AddSchema").schema().uri(), "urn:a");

  admin::v1::ListSchemasResponse list;
  *list.add_schemas() = schema;
  gateway_.Answer("ListSchemas", list);
  EXPECT_THAT(Run({"schema", "list"}).out, HasSubstr(schema.uri()));
  schema.set_document(document);
  gateway_.Answer("GetSchema", schema);
  EXPECT_EQ(Run({"schema", "show", schema.uri()}).out, document);
  EXPECT_THAT(Run({"schema", "show", schema.uri(), "-o", "json"}).out, HasSubstr("\"document\""));
  gateway_.Answer("DeleteSchema", admin::v1::DeleteSchemaResponse());
  EXPECT_EQ(Run({"schema", "remove", schema.uri()}).out, "removed schema " + schema.uri() + "\n");
}

TEST_F(SchemaVerbsTest, SchemasAndTheirChecksComeFromFilesToo) {
  gateway_.Answer("AddSchema", admin::v1::Schema());
  gateway_.Answer("ApplyGrant", admin::v1::Grant());
  Write("schema.yaml",
        "kind: schema\nuri: urn:a\ndescription: ours\ndocument: |\n  {\"type\": \"object\"}\n");
  const CliRun run = Run({"apply", "-f", dir_.File("schema.yaml")});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  const auto request = Last<admin::v1::AddSchemaRequest>("AddSchema");
  EXPECT_EQ(request.schema().document(), "{\"type\": \"object\"}\n");
  EXPECT_EQ(request.schema().description(), "ours");
  std::vector<std::string> grant = {
      "grant",          "apply",         "x", "--principal", "p", "--role", "publisher",
      "--schema-check", "refuse-invalid"};
  Run(grant);
  EXPECT_EQ(Last<admin::v1::ApplyGrantRequest>("ApplyGrant").grant().schema_check(),
            admin::v1::SCHEMA_CHECK_REFUSE_INVALID);
  grant.back() = "maybe";
  EXPECT_EQ(Run(grant).code, kExitUsage);
}

}  // namespace
}  // namespace cdgate::cli

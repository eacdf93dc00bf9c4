#include "gateway/cli/delivery_printer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "gateway/cli/format.h"

namespace cdgate::cli {
namespace {

events::v1::DeliveredEvent Delivered() {
  events::v1::DeliveredEvent delivered;
  delivered.set_sequence(42);
  delivered.set_origin("alpha.example");
  delivered.set_attempt(1);
  delivered.set_import_rule("releases@3");
  auto& event = *delivered.mutable_event();
  event.set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  event.set_source("/alpha/x");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.artifact.published.0.3.0");
  (*event.mutable_attributes())["subject"].set_ce_string("s");
  (*event.mutable_attributes())["urgent"].set_ce_boolean(true);
  (*event.mutable_attributes())["n"].set_ce_integer(-1);
  (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1767323045);
  event.set_binary_data("{ \"context\": {\"id\": \"x\"},\n \"n\": 1.0 }");
  return delivered;
}

std::string Printed(const std::string& format) {
  std::ostringstream out;
  const Streams streams{.in_fd = 0,
                        .out = out,
                        .err = out,
                        .out_is_terminal = false,
                        .err_is_terminal = false,
                        .environment = [](const char*) { return std::string(); }};
  DeliveryPrinter printer(streams, format);
  printer.Print(Delivered());
  return out.str();
}

TEST(DeliveryPrinterTest, JsonIsOneLineWithTheEventAsPublished) {
  EXPECT_EQ(Printed("json"),
            "{\"sequence\":42,\"origin\":\"alpha.example\",\"attempt\":1,"
            "\"event\":{\"context\":{\"id\":\"x\"},\"n\":1.0}}\n");
}

TEST(DeliveryPrinterTest, JsonHasTheNotesWhereThereAreAny) {
  events::v1::DeliveredEvent delivered = Delivered();
  delivered.add_notes("outer_disagrees");
  delivered.add_notes("schema_valid");
  EXPECT_EQ(DeliveryNode(delivered).ToJson(),
            "{\"sequence\":42,\"origin\":\"alpha.example\",\"attempt\":1,"
            "\"notes\":[\"outer_disagrees\",\"schema_valid\"],"
            "\"event\":{\"context\":{\"id\":\"x\"},\"n\":1.0}}");
}

TEST(DeliveryPrinterTest, CloudEventIsTheJsonEventFormat) {
  EXPECT_EQ(Printed("cloudevent"),
            "{\"specversion\":\"1.0\",\"id\":\"271069a8-fc18-44f1-b38f-9d70a1695819\","
            "\"source\":\"/alpha/x\",\"type\":\"dev.cdevents.artifact.published.0.3.0\","
            "\"n\":-1,\"subject\":\"s\",\"time\":\"2026-01-02T03:04:05Z\",\"urgent\":true,"
            "\"data\":{\"context\":{\"id\":\"x\"},\"n\":1.0}}\n");
}

TEST(DeliveryPrinterTest, TableSaysWhoSentItAndByWhichRuleIn100Columns) {
  const std::string printed = Printed("table");
  EXPECT_THAT(printed, testing::HasSubstr("alpha.example"));
  EXPECT_THAT(printed, testing::HasSubstr("releases@3"));
  for (const absl::string_view line : absl::StrSplit(printed, '\n')) {
    EXPECT_LE(Width(line), kTableWidth);
  }
}

}  // namespace
}  // namespace cdgate::cli

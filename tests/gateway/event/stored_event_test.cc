#include "gateway/event/stored_event.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/wire_reader.h"
#include "tests/support/stored_events.h"

namespace cdgate::event {
namespace {

using storage::v1::StoredEvent;

// Every field set, each to something else.
StoredEvent Full() {
  StoredEvent stored;
  stored.set_cloud_event("cloud event \xff");
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(-1'767'225'600'123'456'789);
  stored.set_salt(std::string(16, 's'));
  stored.set_commitment(std::string(32, 'c'));
  stored.set_content_digest(std::string(32, 'd'));
  stored.set_plane("integration-delivery");
  stored.set_classification("TLP:AMBER");
  stored.set_hops(300);
  for (const char* domain : {"alpha.example", "", "beta.example"}) stored.add_path(domain);
  stored.mutable_terms()->set_onward(2);
  stored.mutable_terms()->add_groups("partners@alpha.example");
  for (const char* statement : {"first", "second"}) stored.add_statements(statement);
  stored.set_received_from("beta.example");
  stored.set_publisher("spiffe://alpha.example/service/jenkins");
  stored.set_import_rule("builds@1");
  stored.set_notes(UINT32_MAX);
  stored.set_inner_id("inner id");
  stored.set_inner_subject("inner subject");
  stored.set_inner_time("2026-01-02T03:04:05Z");
  for (const char* pointer : {"/customData", "/subject/content/user"}) stored.add_withheld(pointer);
  for (const char* pointer : {"/context/chainId", "/context/links/0/from/contextId"}) {
    stored.add_substituted(pointer);
  }
  return stored;
}

std::vector<std::string> PathOf(const StoredView& view) {
  std::vector<std::string> path;
  view.ForEachPath([&](absl::string_view domain) { path.emplace_back(domain); });
  return path;
}

std::vector<std::string> StatementsOf(const StoredView& view) {
  std::vector<std::string> statements;
  view.ForEachStatement([&](absl::string_view s) { statements.emplace_back(s); });
  return statements;
}

void ExpectAgrees(const std::string& bytes) {
  const StoredEvent stored = test::ParseStored(bytes);
  StoredView view;
  ASSERT_TRUE(view.Assign(bytes));
  EXPECT_EQ(view.bytes(), bytes);
  EXPECT_EQ(view.cloud_event(), stored.cloud_event());
  EXPECT_EQ(view.origin(), stored.origin());
  EXPECT_EQ(view.accepted_time_nanos(), stored.accepted_time_nanos());
  EXPECT_EQ(view.salt(), stored.salt());
  EXPECT_EQ(view.commitment(), stored.commitment());
  EXPECT_EQ(view.content_digest(), stored.content_digest());
  EXPECT_EQ(view.plane(), stored.plane());
  EXPECT_EQ(view.classification(), stored.classification());
  EXPECT_EQ(view.hops(), stored.hops());
  EXPECT_EQ(PathOf(view), std::vector<std::string>(stored.path().begin(), stored.path().end()));
  EXPECT_EQ(view.has_terms(), stored.has_terms());
  EXPECT_EQ(view.terms(), stored.terms().SerializeAsString());
  EXPECT_EQ(StatementsOf(view),
            std::vector<std::string>(stored.statements().begin(), stored.statements().end()));
  EXPECT_EQ(view.received_from(), stored.received_from());
  EXPECT_EQ(view.publisher(), stored.publisher());
  EXPECT_EQ(view.import_rule(), stored.import_rule());
  EXPECT_EQ(view.notes(), stored.notes());
  EXPECT_EQ(view.inner_id(), stored.inner_id());
  EXPECT_EQ(view.inner_subject(), stored.inner_subject());
  EXPECT_EQ(view.inner_time(), stored.inner_time());
  std::vector<std::string> withheld, substituted;
  view.ForEachWithheld([&](absl::string_view p) { withheld.emplace_back(p); });
  view.ForEachSubstituted([&](absl::string_view p) { substituted.emplace_back(p); });
  EXPECT_EQ(withheld, std::vector<std::string>(stored.withheld().begin(), stored.withheld().end()));
  EXPECT_EQ(substituted,
            std::vector<std::string>(stored.substituted().begin(), stored.substituted().end()));
}

// Each field of a message with its tag.
std::vector<std::string> FieldsOf(const std::string& bytes) {
  std::vector<std::string> fields;
  WireReader reader(bytes);
  while (reader.Next()) {
    fields.push_back(bytes.substr(reader.field_offset(), reader.offset() - reader.field_offset()));
  }
  return fields;
}

TEST(StoredViewTest, ReadsWhatTheGeneratedClassWrites) {
  ExpectAgrees(Full().SerializeAsString());
  ExpectAgrees("");
}

TEST(StoredViewTest, ReadsEachFieldAlone) {
  for (const std::string& field : FieldsOf(Full().SerializeAsString())) ExpectAgrees(field);
}

TEST(StoredViewTest, ReadsFieldsInAnyOrder) {
  std::vector<std::string> fields = FieldsOf(Full().SerializeAsString());
  ASSERT_EQ(fields.size(), 26u);
  for (size_t i = 0; i < fields.size(); ++i) {
    std::rotate(fields.begin(), fields.begin() + 1, fields.end());
    std::string bytes;
    for (const std::string& field : fields) bytes += field;
    ExpectAgrees(bytes);
  }
  std::reverse(fields.begin(), fields.end());
  std::string bytes;
  for (const std::string& field : fields) bytes += field;
  ExpectAgrees(bytes);
}

TEST(StoredViewTest, OfAFieldThatIsThereTwiceTheLastCounts) {
  StoredEvent later;
  later.set_origin("gamma.example");
  later.set_accepted_time_nanos(7);
  later.set_hops(0);
  later.add_path("gamma.example");
  later.set_notes(1);
  ExpectAgrees(Full().SerializeAsString() + later.SerializeAsString());
}

TEST(StoredViewTest, PassesOverFieldsItDoesNotKnow) {
  // Field 99 in each wire type, and known numbers with a type that is not theirs.
  for (const std::string& unknown :
       {std::string("\x98\x06\x05", 3),
        std::string("\x99\x06"
                    "12345678",
                    10),
        std::string("\x9a\x06\x02xy", 5),
        std::string("\x9d\x06"
                    "1234",
                    6),
        std::string("\x10\x05", 2), std::string("\x4a\x01x", 3), std::string("\x1a\x01x", 3)}) {
    ExpectAgrees(unknown + Full().SerializeAsString());
    ExpectAgrees(Full().SerializeAsString() + unknown);
  }
}

TEST(StoredViewTest, TermsThatSayNothingAreNotNoTerms) {
  StoredEvent stored;
  stored.mutable_terms();
  ExpectAgrees(stored.SerializeAsString());
  StoredView view;
  const std::string bytes = stored.SerializeAsString();
  ASSERT_TRUE(view.Assign(bytes));
  EXPECT_TRUE(view.has_terms());
}

TEST(StoredViewTest, RefusesWhatIsCutOff) {
  const std::string bytes = Full().SerializeAsString();
  std::vector<size_t> whole = {0};
  for (const std::string& field : FieldsOf(bytes)) whole.push_back(whole.back() + field.size());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const bool between = std::find(whole.begin(), whole.end(), size) != whole.end();
    StoredView view;
    ASSERT_TRUE(view.Assign(bytes));
    EXPECT_EQ(view.Assign(absl::string_view(bytes).substr(0, size)), between) << size;
    if (between) continue;
    EXPECT_EQ(view.bytes(), "");
    EXPECT_EQ(view.origin(), "");
    EXPECT_TRUE(PathOf(view).empty());
  }
}

TEST(AppendStoredTest, TheGeneratedClassReadsWhatIsWritten) {
  const StoredEvent full = Full();
  const std::vector<absl::string_view> path(full.path().begin(), full.path().end());
  const std::vector<absl::string_view> statements(full.statements().begin(),
                                                  full.statements().end());
  const std::string terms = full.terms().SerializeAsString();
  const std::vector<absl::string_view> withheld(full.withheld().begin(), full.withheld().end());
  const std::vector<absl::string_view> substituted(full.substituted().begin(),
                                                   full.substituted().end());
  const StoredFields fields{.origin = full.origin(),
                            .accepted_time_nanos = full.accepted_time_nanos(),
                            .salt = full.salt(),
                            .commitment = full.commitment(),
                            .plane = full.plane(),
                            .classification = full.classification(),
                            .hops = full.hops(),
                            .path = path,
                            .has_terms = true,
                            .terms = terms,
                            .statements = statements,
                            .received_from = full.received_from(),
                            .publisher = full.publisher(),
                            .notes = full.notes(),
                            .withheld = withheld,
                            .substituted = substituted,
                            .field_proof = full.field_proof()};
  std::string bytes;
  AppendStored(fields, &bytes);
  EXPECT_LE(bytes.size(), StoredSize(fields));
  OwnedBytes with_rule(bytes);
  AppendImport(full.import_rule(), full.import_leaf(), &with_rule);
  bytes = std::string(with_rule.view());
  StoredEvent expected = full;  // but for what the event itself decides
  expected.clear_cloud_event();
  expected.clear_content_digest();
  expected.clear_inner_id();
  expected.clear_inner_subject();
  expected.clear_inner_time();
  EXPECT_EQ(test::ParseStored(bytes).SerializeAsString(), expected.SerializeAsString());
  ExpectAgrees(bytes);
}

TEST(AppendStoredTest, LeavesOutWhatIsEmpty) {
  std::string bytes;
  AppendStored({}, &bytes);
  EXPECT_EQ(test::ParseStored(bytes).SerializeAsString(), "");
  bytes.clear();
  StoredFields with_terms;
  with_terms.has_terms = true;
  AppendStored(with_terms, &bytes);
  EXPECT_TRUE(test::ParseStored(bytes).has_terms());
}

}  // namespace
}  // namespace cdgate::event

#include "gateway/app/audit_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/app/audited_methods.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::app {
namespace {

using authz::Listener;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

state::ResourcePtr Stored(const std::string& kind, const google::protobuf::Message& message,
                          uint64_t version) {
  auto resource = std::make_shared<state::StoredResource>();
  resource->kind = kind;
  resource->name = "it";
  resource->value = message.SerializeAsString();
  resource->version = version;
  resource->author = "ann";
  resource->commit = 42;
  return resource;
}

TEST(AuditTextTest, AChangeShowsWhatDiffers) {
  admin::v1::Grant before;
  before.set_name("ci");
  before.set_role(admin::v1::ROLE_PUBLISHER);
  before.add_sources("/a/%");
  admin::v1::Grant after = before;
  after.set_sources(0, "/b/%");
  after.add_sources("/c/%");
  after.clear_role();
  const std::string text =
      ChangeText({.before = Stored("grant", before, 3), .after = Stored("grant", after, 4)}).text();
  EXPECT_THAT(text, AllOf(HasSubstr("\"kind\":\"grant\",\"name\":\"it\",\"author\":\"ann\","
                                    "\"commit\":42,\"before\":{\"version\":3,\"sha256\":\""),
                          HasSubstr("\"after\":{\"version\":4,\"sha256\":\"")));
  EXPECT_THAT(text, HasSubstr("\"fields\":[{\"path\":\"role\",\"before\":\"ROLE_PUBLISHER\"},"
                              "{\"path\":\"sources[0]\",\"before\":\"/a/%\",\"after\":\"/b/%\"},"
                              "{\"path\":\"sources[1]\",\"after\":\"/c/%\"}]"));
}

TEST(AuditTextTest, NoSecretIsShown) {
  admin::v1::Invite invite;
  invite.set_id("public");
  invite.set_secret_digest("digest-of-it");
  invite.set_sealed_secret("sealed-bytes");
  invite.set_token_digest("token-digest");
  admin::v1::Token token;
  token.set_secret_digest("digest-of-it");
  for (const std::string& text :
       {ChangeText({.before = nullptr, .after = Stored("invite", invite, 1)}).text(),
        ChangeText({.before = nullptr, .after = Stored("token", token, 1)}).text()}) {
    EXPECT_THAT(text, AllOf(Not(HasSubstr("digest-of-it")), Not(HasSubstr("sealed")),
                            Not(HasSubstr("secret"))));
  }
  admin::v1::AcceptInviteRequest accept;
  accept.set_token("cdgate-invite-secret");
  accept.set_purpose("joint releases");
  const std::string request =
      RequestText("/cdgate.admin.v1.AdminService/AcceptInvite", rpc::Serialise(accept)).text();
  EXPECT_EQ(request, "\"purpose\":\"joint releases\"");
}

TEST(AuditTextTest, LongValuesAndManyFieldsAreCut) {
  admin::v1::Group group;
  for (int i = 0; i < 1000; ++i) group.add_members(absl::StrCat("d", i, ".example"));
  group.set_description(std::string(5000, 'x'));
  const std::string text =
      ChangeText({.before = nullptr, .after = Stored("group", group, 1)}).text();
  EXPECT_LT(text.size(), 8000u);
  EXPECT_THAT(text, AllOf(HasSubstr("(5000 bytes)"), HasSubstr("\"more_fields\":")));
}

TEST(AuditTextTest, ADeletionShowsWhatWas) {
  admin::v1::Grant grant;
  grant.set_plane("security");
  auto after = std::make_shared<state::StoredResource>();
  after->kind = "grant";
  after->name = "it";
  after->version = 2;
  after->deleted = true;
  EXPECT_THAT(ChangeText({.before = Stored("grant", grant, 1), .after = after}).text(),
              AllOf(HasSubstr("\"after\":{\"version\":2,\"deleted\":true}"),
                    HasSubstr("{\"path\":\"plane\",\"before\":\"security\"}")));
}

TEST(AuditTextTest, AnUnknownKindIsShownByItsDigest) {
  admin::v1::Grant grant;
  grant.set_description("hidden");
  EXPECT_THAT(ChangeText({.before = nullptr, .after = Stored("pseudonym", grant, 1)}).text(),
              AllOf(HasSubstr("sha256"), Not(HasSubstr("hidden"))));
}

TEST(AuditedMethodsTest, WhatChangesSomethingIsAnActAndWhatReadsIsNot) {
  const std::string admin = "/cdgate.admin.v1.AdminService/";
  for (const char* verb : {"ApplyGrant", "DeleteToken", "FreezePeer", "PlanPolicy", "CreateInvite",
                           "SomethingNew", "CancelPlan", "Listen"}) {
    EXPECT_EQ(UseOf(admin + verb), CallUse::kAct) << verb;
  }
  for (const char* verb : {"GetStatus", "ListGrants", "WhoGot", "ExplainEvent", "CheckPolicy"}) {
    EXPECT_EQ(UseOf(admin + verb), CallUse::kReading) << verb;
  }
  EXPECT_EQ(UseOf("/cdgate.admin.v1.AuditService/ExportAudit"), CallUse::kLookedUp);
  EXPECT_EQ(UseOf("/cdgate.events.v1.EventsService/Publish"), CallUse::kNotRecorded);
  EXPECT_EQ(UseOf("/grpc.health.v1.Health/Check"), CallUse::kNotRecorded);
  EXPECT_EQ(UseOf("/cdgate.federation.v1.EnrolmentService/Enrol"), CallUse::kEnrolment);
}

TEST(AuditedMethodsTest, OnTheLocalSocketReadingIsRecordedToo) {
  EXPECT_TRUE(IsRecorded(CallUse::kReading, Listener::kLocal));
  EXPECT_FALSE(IsRecorded(CallUse::kReading, Listener::kApi));
  EXPECT_TRUE(IsRecorded(CallUse::kAct, Listener::kApi));
  EXPECT_TRUE(IsRecorded(CallUse::kLookedUp, Listener::kApi));
  EXPECT_FALSE(IsRecorded(CallUse::kNotRecorded, Listener::kLocal));
}

// The whole API: whatever only reads is named so, and everything else is an act.
TEST(AuditedMethodsTest, EveryAdministrativeMethodThatReadsIsOneForAuditorsToo) {
  for (const authz::MethodRow& row : authz::MethodTable()) {
    if (UseOf(row.method) != CallUse::kAct) continue;
    EXPECT_FALSE(row.roles.Has(authz::Role::kAuditor))
        << row.method << " is recorded as an act, and auditors, who change nothing, may call it";
  }
}

}  // namespace
}  // namespace cdgate::app

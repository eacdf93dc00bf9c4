#include "auth/authz/grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "tests/auth/authz/allocations.h"
#include "tests/support/status_matchers.h"

namespace cdgate::authz {
namespace {

using admin::v1::Grant;
using base::Reason;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Principal Service(const std::string& name) {
  return Principal::Spiffe(trust::SpiffeId::Service("alpha.example", name).value());
}
Principal User(const std::string& name) {
  return Principal::Spiffe(trust::SpiffeId::User("alpha.example", name).value());
}
Principal Gateway(const std::string& domain) {
  return Principal::Spiffe(trust::SpiffeId::Gateway(domain, "gw1").value());
}

Grant MakeGrant(const std::string& name, const std::string& principal, admin::v1::Role role) {
  Grant grant;
  grant.set_name(name);
  grant.set_principal(absl::StrCat("spiffe://alpha.example/", principal));
  grant.set_role(role);
  return grant;
}
Grant Publisher(const std::string& name, const std::string& principal,
                const std::vector<std::string>& sources, const std::vector<std::string>& types = {},
                const std::string& plane = "") {
  Grant grant = MakeGrant(name, principal, admin::v1::ROLE_PUBLISHER);
  for (const std::string& source : sources) grant.add_sources(source);
  for (const std::string& type : types) grant.add_types(type);
  grant.set_plane(plane);
  return grant;
}

std::shared_ptr<const Grants> Compile(const std::vector<Grant>& grants) {
  return Grants::Compile(grants).value();
}

constexpr char kPublish[] = "/cdgate.events.v1.EventsService/Publish";
constexpr char kSubscribe[] = "/cdgate.events.v1.EventsService/Subscribe";
constexpr char kApplyPolicy[] = "/cdgate.admin.v1.AdminService/ApplyPolicy";
constexpr char kFreeze[] = "/cdgate.admin.v1.AdminService/FreezePeer";
constexpr char kStatus[] = "/cdgate.admin.v1.AdminService/GetStatus";
constexpr char kLink[] = "/cdgate.federation.v1.FederationService/Link";
constexpr char kEnrol[] = "/cdgate.federation.v1.EnrolmentService/Enrol";
constexpr char kHealth[] = "/grpc.health.v1.Health/Check";
constexpr char kReflection[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

TEST(GrantsTest, NobodyMayDoAnythingWithoutAGrant) {
  const Grants nothing;
  for (const MethodRow& row : MethodTable()) {
    if (row.admits == Admits::kAnyPrincipal) continue;
    EXPECT_FALSE(nothing.MayCall(Service("jenkins"), row, Listener::kApi).ok()) << row.method;
  }
  PublishRight right;
  EXPECT_THAT(nothing.MayPublish(Service("jenkins"), "/s", "t", &right),
              test::HasReason(Reason::kNotGranted));
  EXPECT_THAT(nothing.SubscriberFilters(Service("jenkins")), IsEmpty());
}

// Each role against one method of each kind: what is not listed is refused.
TEST(GrantsTest, EachRoleAllowsItsMethodsOnly) {
  const struct {
    admin::v1::Role role;
    std::vector<std::string> allowed;
  } cases[] = {
      {admin::v1::ROLE_PUBLISHER, {kPublish, kReflection}},
      {admin::v1::ROLE_SUBSCRIBER, {kSubscribe, kReflection}},
      {admin::v1::ROLE_OPERATOR, {kFreeze, kStatus, kReflection}},
      {admin::v1::ROLE_POLICY_AUTHOR, {kApplyPolicy, kStatus, kReflection}},
      {admin::v1::ROLE_POLICY_APPROVER, {kStatus, kReflection}},
      {admin::v1::ROLE_AUDITOR, {kStatus, kReflection}},
  };
  for (const auto& c : cases) {
    const auto grants = Compile({MakeGrant("g", "user/ann", c.role)});
    for (const char* method : {kPublish, kSubscribe, kApplyPolicy, kFreeze, kStatus, kReflection}) {
      const bool expected =
          std::find(c.allowed.begin(), c.allowed.end(), method) != c.allowed.end();
      EXPECT_EQ(grants->MayCall(User("ann"), method, Listener::kApi).ok(), expected)
          << admin::v1::Role_Name(c.role) << " " << method;
      EXPECT_FALSE(grants->MayCall(User("bob"), method, Listener::kApi).ok()) << method;
    }
  }
}

TEST(GrantsTest, SaysWhoWhatAndWhichRole) {
  EXPECT_THAT(Grants().MayCall(User("ann"), kApplyPolicy, Listener::kApi),
              test::HasReasonAndMessage(
                  Reason::kNotGranted,
                  AllOf(HasSubstr("spiffe://alpha.example/user/ann"), HasSubstr("ApplyPolicy"),
                        HasSubstr("role policy author"), HasSubstr("have an operator"))));
  EXPECT_THAT(Grants().MayCall(User("ann"), kStatus, Listener::kApi),
              test::HasReasonAndMessage(
                  Reason::kNotGranted,
                  HasSubstr("operator or policy author or policy approver or auditor")));
}

TEST(GrantsTest, AMethodIsServedOnItsListenersOnly) {
  const auto grants = Compile({MakeGrant("g", "user/ann", admin::v1::ROLE_OPERATOR)});
  EXPECT_THAT(
      grants->MayCall(User("ann"), kFreeze, Listener::kPeers),
      test::HasReasonAndMessage(Reason::kWrongListener, HasSubstr("dial the api or local")));
  EXPECT_THAT(grants->MayCall(Gateway("beta.example"), kLink, Listener::kApi),
              test::HasReason(Reason::kWrongListener));
  EXPECT_THAT(grants->MayCall(User("ann"), "/no.Such/Method", Listener::kApi),
              test::HasReason(Reason::kMethodUnknown));
}

TEST(GrantsTest, GatewaysLinkAndEnrolWithoutAGrantAndNobodyElseDoes) {
  const Grants nothing;
  CDGATE_EXPECT_OK(nothing.MayCall(Gateway("beta.example"), kLink, Listener::kPeers));
  CDGATE_EXPECT_OK(nothing.MayCall(Gateway("beta.example"), kEnrol, Listener::kEnrolment));
  EXPECT_THAT(nothing.MayCall(Service("x"), kLink, Listener::kPeers),
              test::HasReasonAndMessage(Reason::kNotGranted, HasSubstr("only gateways")));
  EXPECT_THAT(nothing.MayCall(Service("x"), kEnrol, Listener::kEnrolment),
              test::HasReason(Reason::kNotGranted));
  EXPECT_THAT(nothing.MayCall(Gateway("beta.example"), kHealth, Listener::kEnrolment),
              test::HasReason(Reason::kWrongListener));
}

TEST(GrantsTest, HealthIsForWhoeverIsKnown) {
  CDGATE_EXPECT_OK(Grants().MayCall(Service("x"), kHealth, Listener::kApi));
  CDGATE_EXPECT_OK(Grants().MayCall(Gateway("beta.example"), kHealth, Listener::kPeers));
}

TEST(GrantsTest, LocalIsForBreakGlassAndCannotBeGrantedMore) {
  const Principal root = Principal::Local("root");
  EXPECT_EQ(root.id, "local:root");
  const Grants nothing;
  CDGATE_EXPECT_OK(nothing.MayCall(root, kFreeze, Listener::kLocal));
  CDGATE_EXPECT_OK(nothing.MayCall(root, kApplyPolicy, Listener::kLocal));
  EXPECT_THAT(nothing.MayCall(root, kPublish, Listener::kLocal),
              test::HasReason(Reason::kWrongListener));
  Grant grant = Publisher("g", "x", {"%"});
  grant.set_principal("local:root");
  EXPECT_THAT(CheckGrant(grant), test::HasReason(Reason::kInvalidArgument));
  const auto everybody = Compile({Publisher("g", "%", {"%"})});
  PublishRight right;
  EXPECT_THAT(everybody->MayPublish(root, "/s", "t", &right), test::HasReason(Reason::kNotGranted));
}

TEST(GrantsTest, PublishersAreHeldToSourceAndType) {
  const auto grants = Compile({Publisher("ci", "service/jenkins", {"/ci/%", "/jenkins"},
                                         {"dev.cdevents.build.%"}, "integration-delivery")});
  const Principal jenkins = Service("jenkins");
  PublishRight right;
  right.plane = "unset";
  EXPECT_THAT(grants->MayPublish(jenkins, "/prod", "dev.cdevents.build.started", &right),
              test::HasReasonAndMessage(
                  Reason::kSourceNotGranted,
                  AllOf(HasSubstr("/prod"), HasSubstr("service/jenkins"), HasSubstr("grant ci"))));
  EXPECT_THAT(grants->MayPublish(jenkins, "/ci/7", "dev.cdevents.incident.detected", &right),
              test::HasReasonAndMessage(Reason::kTypeNotGranted,
                                        AllOf(HasSubstr("incident"), HasSubstr("grant ci"))));
  EXPECT_THAT(grants->MayPublish(Service("argo"), "/ci/7", "dev.cdevents.build.started", &right),
              test::HasReasonAndMessage(Reason::kNotGranted, HasSubstr("role publisher")));
  EXPECT_EQ(right.plane, "unset");
  CDGATE_EXPECT_OK(grants->MayPublish(jenkins, "/ci/7", "dev.cdevents.build.started", &right));
  EXPECT_EQ(right.plane, "integration-delivery");
  EXPECT_EQ(right.grant, "ci");
  EXPECT_FALSE(right.accept_unknown);
  CDGATE_EXPECT_OK(grants->MayPublish(jenkins, "/jenkins", "dev.cdevents.build.started", &right));
}

TEST(GrantsTest, WithoutSourcesNothingAndWithoutTypesAllMayBePublished) {
  const auto grants =
      Compile({Publisher("a", "service/x", {}), Publisher("b", "service/y", {"%"})});
  PublishRight right;
  EXPECT_THAT(grants->MayPublish(Service("x"), "/s", "t", &right),
              test::HasReason(Reason::kSourceNotGranted));
  CDGATE_EXPECT_OK(grants->MayPublish(Service("y"), "/s", "t", &right));
}

// Source and type of two grants are not mixed.
TEST(GrantsTest, OneGrantMustAllowBoth) {
  const auto grants = Compile(
      {Publisher("a", "service/x", {"/a"}, {"one"}), Publisher("b", "service/x", {"/b"}, {"two"})});
  PublishRight right;
  EXPECT_THAT(grants->MayPublish(Service("x"), "/a", "two", &right),
              test::HasReason(Reason::kTypeNotGranted));
  CDGATE_EXPECT_OK(grants->MayPublish(Service("x"), "/b", "two", &right));
}

TEST(GrantsTest, TheFirstByNameDecidesThePlane) {
  const auto grants = Compile({Publisher("c", "service/x", {"%"}, {}, "security"),
                               Publisher("b", "service/%", {"/b%"}, {}, "resource"),
                               Publisher("a", "service/x", {"/a%"}, {}, "observability")});
  PublishRight right;
  CDGATE_EXPECT_OK(grants->MayPublish(Service("x"), "/a1", "t", &right));
  EXPECT_EQ(right.plane, "observability");
  CDGATE_EXPECT_OK(grants->MayPublish(Service("x"), "/b1", "t", &right));
  EXPECT_EQ(right.plane, "resource");
  CDGATE_EXPECT_OK(grants->MayPublish(Service("x"), "/c1", "t", &right));
  EXPECT_EQ(right.plane, "security");
}

TEST(GrantsTest, TheGrantThatDecidesSaysWhatSchemasDo) {
  Grant strict = Publisher("a", "service/jenkins", {"/strict/%"});
  strict.set_schema_check(admin::v1::SCHEMA_CHECK_REQUIRE);
  Grant half = Publisher("b", "service/jenkins", {"/half/%"});
  half.set_schema_check(admin::v1::SCHEMA_CHECK_REFUSE_INVALID);
  const auto grants = Compile({strict, half, Publisher("c", "service/jenkins", {"%"})});
  const std::pair<const char*, SchemaCheck> cases[] = {{"/strict/1", SchemaCheck::kRequire},
                                                       {"/half/1", SchemaCheck::kRefuseInvalid},
                                                       {"/x", SchemaCheck::kAnnotate}};
  for (const auto& [source, expected] : cases) {
    PublishRight right;
    CDGATE_EXPECT_OK(grants->MayPublish(Service("jenkins"), source, "t", &right));
    EXPECT_EQ(right.schema_check, expected) << source;
  }
  strict.set_schema_check(static_cast<admin::v1::SchemaCheck>(9));
  EXPECT_THAT(CheckGrant(strict), test::HasReason(Reason::kInvalidArgument));
}

TEST(GrantsTest, PrincipalPatternsStayInTheirDomain) {
  const auto grants = Compile({MakeGrant("g", "user/%", admin::v1::ROLE_OPERATOR)});
  CDGATE_EXPECT_OK(grants->MayCall(User("ann"), kFreeze, Listener::kApi));
  EXPECT_FALSE(grants->MayCall(Service("ann"), kFreeze, Listener::kApi).ok());
  const Principal foreign = Principal::Spiffe(trust::SpiffeId::User("beta.example", "ann").value());
  EXPECT_FALSE(grants->MayCall(foreign, kFreeze, Listener::kApi).ok());
}

TEST(GrantsTest, FiltersOfAllSubscriberGrantsByName) {
  Grant wide = MakeGrant("b", "service/x", admin::v1::ROLE_SUBSCRIBER);
  Grant narrow = MakeGrant("a", "service/%", admin::v1::ROLE_SUBSCRIBER);
  narrow.set_filter("type = 'x'");
  const auto grants = Compile({wide, narrow});
  EXPECT_THAT(grants->SubscriberFilters(Service("x")), ElementsAre("type = 'x'", ""));
  EXPECT_THAT(grants->SubscriberFilters(Service("y")), ElementsAre("type = 'x'"));
}

TEST(GrantsTest, PublishingAllocatesNothing) {
  std::vector<Grant> many;
  for (int i = 0; i < 50; ++i) {
    many.push_back(Publisher(absl::StrCat("g", i), absl::StrCat("service/%", i), {"/%/x"}));
  }
  many.push_back(Publisher("own", "service/a-rather-long-name-of-a-service",
                           {"/ci/%/job/%/build/%"}, {"dev.cdevents.%"}, "integration-delivery"));
  const auto grants = Compile(many);
  const Principal principal = Service("a-rather-long-name-of-a-service");
  const std::string source = "/ci/a-rather-long-folder/job/a-rather-long-job/build/4711";
  const std::string type = "dev.cdevents.pipelinerun.finished.0.2.0";
  PublishRight right;
  const size_t before = test::Allocations();
  const absl::Status status = grants->MayPublish(principal, source, type, &right);
  const size_t after = test::Allocations();
  EXPECT_EQ(after - before, 0U);
  CDGATE_EXPECT_OK(status);
}

TEST(CheckGrantTest, RefusesNamingTheField) {
  const Grant good = Publisher("good-1", "service/x", {"%"}, {}, "security");
  CDGATE_EXPECT_OK(CheckGrant(good));
  const struct {
    std::string field;
    void (*spoil)(Grant&);
  } cases[] = {
      {"name", [](Grant& g) { g.set_name(""); }},
      {"name", [](Grant& g) { g.set_name("Upper"); }},
      {"name", [](Grant& g) { g.set_name(std::string(64, 'a')); }},
      {"principal", [](Grant& g) { g.set_principal(""); }},
      {"principal", [](Grant& g) { g.set_principal("%"); }},
      {"principal", [](Grant& g) { g.set_principal("spiffe://%/service/x"); }},
      {"principal", [](Grant& g) { g.set_principal("spiffe://alpha.example"); }},
      {"principal", [](Grant& g) { g.set_principal("spiffe://alpha.example%"); }},
      {"principal", [](Grant& g) { g.set_principal("spiffe://alpha.example/a//b"); }},
      {"principal", [](Grant& g) { g.set_principal("spiffe://alpha.example/%?x"); }},
      {"role", [](Grant& g) { g.set_role(admin::v1::ROLE_UNSPECIFIED); }},
      {"role", [](Grant& g) { g.set_role(static_cast<admin::v1::Role>(99)); }},
      {"sources", [](Grant& g) { g.add_sources(""); }},
      {"sources", [](Grant& g) { g.add_sources(std::string(1025, 'x')); }},
      {"sources", [](Grant& g) { g.set_role(admin::v1::ROLE_OPERATOR); }},
      {"types", [](Grant& g) { g.add_types(""); }},
      {"plane", [](Grant& g) { g.set_plane("elsewhere"); }},
      {"filter", [](Grant& g) { g.set_filter("TRUE"); }},
  };
  for (const auto& c : cases) {
    Grant bad = good;
    c.spoil(bad);
    EXPECT_THAT(CheckGrant(bad),
                test::HasReasonAndMessage(Reason::kInvalidArgument,
                                          HasSubstr(absl::StrCat(": ", c.field, " "))))
        << bad.ShortDebugString();
  }
}

TEST(CheckGrantTest, TwoOfOneNameAreRefused) {
  EXPECT_THAT(Grants::Compile(std::vector<Grant>{Publisher("g", "a", {}), Publisher("g", "b", {})}),
              test::HasReason(Reason::kInvalidArgument));
}

TEST(GrantRegistryTest, ReplacesAtOnceAndKeepsWhatIsInUse) {
  GrantRegistry registry;
  const auto before = registry.Current();
  registry.Replace(Compile({MakeGrant("g", "user/ann", admin::v1::ROLE_OPERATOR)}));
  CDGATE_EXPECT_OK(registry.Current()->MayCall(User("ann"), kFreeze, Listener::kApi));
  EXPECT_FALSE(before->MayCall(User("ann"), kFreeze, Listener::kApi).ok());
}

Grant ForPeers(const std::string& name, const std::string& principal, admin::v1::Role role,
               const std::vector<std::string>& peers) {
  Grant grant = MakeGrant(name, principal, role);
  for (const std::string& peer : peers) grant.add_peers(peer);
  return grant;
}

TEST(GrantsTest, AGrantForPeersReachesTheseAlone) {
  const auto grants = Compile(
      {ForPeers("a", "user/ann", admin::v1::ROLE_OPERATOR, {"beta.example", "%.partners.example"}),
       ForPeers("b", "user/ann", admin::v1::ROLE_AUDITOR, {"gamma.example"}),
       MakeGrant("c", "user/bob", admin::v1::ROLE_OPERATOR)});
  const MethodRow& freeze = *FindMethod(kFreeze);
  CDGATE_EXPECT_OK(grants->MayCall(User("ann"), freeze, Listener::kApi));
  const PeerScope ann = grants->ScopeOf(User("ann"), freeze);
  EXPECT_FALSE(ann.all());
  EXPECT_TRUE(ann.Covers("beta.example"));
  EXPECT_TRUE(ann.Covers("x.partners.example"));
  EXPECT_FALSE(ann.Covers("gamma.example"));  // of another role
  EXPECT_FALSE(ann.Covers("partners.example"));
  EXPECT_THAT(
      ann.Check("ann", freeze.method, "gamma.example"),
      test::HasReasonAndMessage(Reason::kScopeNotGranted, AllOf(HasSubstr("gamma.example"),
                                                                HasSubstr("%.partners.example"))));
  EXPECT_THAT(ann.Check("ann", freeze.method, ""),
              test::HasReasonAndMessage(Reason::kScopeNotGranted, HasSubstr("as a whole")));
  // What both roles may call reaches both.
  EXPECT_TRUE(grants->ScopeOf(User("ann"), *FindMethod(kStatus)).Covers("gamma.example"));
  EXPECT_TRUE(grants->ScopeOf(User("bob"), freeze).all());
  EXPECT_TRUE(grants->ScopeOf(Principal::Local("root"), freeze).all());
  EXPECT_FALSE(grants->ScopeOf(User("eve"), freeze).Covers("beta.example"));
}

TEST(GrantsTest, AGrantForAllPeersBesidesOneForSomeIsForAll) {
  const auto grants =
      Compile({ForPeers("a", "user/ann", admin::v1::ROLE_OPERATOR, {"beta.example"}),
               MakeGrant("b", "user/%", admin::v1::ROLE_OPERATOR)});
  EXPECT_TRUE(grants->ScopeOf(User("ann"), *FindMethod(kFreeze)).all());
}

TEST(GrantsTest, PeersAreDomainsOfRolesOfAdministration) {
  for (const char* const bad : {"", "https://beta.example", "Beta.example", "beta example"}) {
    EXPECT_THAT(CheckGrant(ForPeers("a", "user/ann", admin::v1::ROLE_OPERATOR, {bad})),
                test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("peers")))
        << bad;
  }
  for (const auto role : {admin::v1::ROLE_PUBLISHER, admin::v1::ROLE_SUBSCRIBER}) {
    EXPECT_THAT(CheckGrant(ForPeers("a", "user/ann", role, {"beta.example"})),
                test::HasReason(Reason::kInvalidArgument));
  }
  const std::vector<std::string> many(1001, "beta.example");
  EXPECT_FALSE(CheckGrant(ForPeers("a", "user/ann", admin::v1::ROLE_AUDITOR, many)).ok());
}

TEST(GrantsTest, PrincipalsOfIdentityProvidersAreNamedExactlyOrByPattern) {
  Grant exact = MakeGrant("a", "", admin::v1::ROLE_OPERATOR);
  exact.set_principal("oidc:corp:ada@alpha.example");
  Grant pattern = MakeGrant("b", "", admin::v1::ROLE_AUDITOR);
  pattern.set_principal("oidc:corp:%@alpha.example");
  const auto grants = Compile({exact, pattern});
  const auto roles = [&](const char* provider, const char* subject) {
    return grants->RolesOf(Principal::Oidc("alpha.example", provider, subject));
  };
  EXPECT_TRUE(roles("corp", "ada@alpha.example").Has(Role::kOperator));
  EXPECT_TRUE(roles("corp", "bob@alpha.example").Has(Role::kAuditor));
  EXPECT_FALSE(roles("corp", "bob@alpha.example").Has(Role::kOperator));
  EXPECT_TRUE(roles("mail", "ada@alpha.example").empty());
  EXPECT_TRUE(roles("corp", "ada@beta.example").empty());
  for (const char* const bad : {"oidc:corp:", "oidc::ada", "oidc:%:ada", "oidc:Corp:ada",
                                "oidc:corp", "oidc:corp:a b", "token:ci", "local:root", "%"}) {
    exact.set_principal(bad);
    EXPECT_THAT(CheckGrant(exact), test::HasReason(Reason::kInvalidArgument)) << bad;
  }
}

TEST(PrincipalTest, ParsesWhatItPrintsAndNothingElse) {
  for (const Principal& one :
       {Service("jenkins"), Gateway("beta.example"), Principal::Local("root"),
        Principal::Token("alpha.example", "ci", ""),
        Principal::Oidc("alpha.example", "corp", "repo:a/b:ref")}) {
    const auto parsed = Principal::Parse(one.id, "alpha.example");
    ASSERT_TRUE(parsed.ok()) << one.id;
    EXPECT_EQ(parsed->id, one.id);
    EXPECT_EQ(parsed->kind, one.kind);
    EXPECT_EQ(parsed->domain, one.domain);
    EXPECT_EQ(parsed->is_gateway, one.is_gateway);
  }
  for (const char* const bad : {"", "ann", "oidc:corp", "oidc:corp:", "oidc:corp:%", "token:",
                                "token:A", "local:", "spiffe://", "https://alpha.example/x"}) {
    EXPECT_THAT(Principal::Parse(bad, "alpha.example"), test::HasReason(Reason::kInvalidArgument))
        << bad;
  }
}

// What Explain() says of the whole and of each grant fits together, for every method, listener
// and kind of principal.
TEST(GrantsTest, AnExplanationIsTheVerdictOfWhatDecides) {
  const auto grants = Compile({
      Publisher("pub", "service/%", {"/ci/%"}, {"dev.cdevents.build%"}),
      Publisher("pub2", "service/jenkins", {"/other"}),
      MakeGrant("sub", "service/reader", admin::v1::ROLE_SUBSCRIBER),
      MakeGrant("all", "user/bob", admin::v1::ROLE_OPERATOR),
      ForPeers("some", "user/ann", admin::v1::ROLE_OPERATOR, {"beta.example"}),
      ForPeers("more", "user/ann", admin::v1::ROLE_AUDITOR, {"gamma.%"}),
  });
  size_t allowed = 0;
  for (const Principal& who : {Service("jenkins"), Service("reader"), User("ann"), User("bob"),
                               User("eve"), Gateway("alpha.example"), Principal::Local("root")}) {
    for (const MethodRow& row : MethodTable()) {
      for (const Listener listener : {Listener::kApi, Listener::kLocal, Listener::kPeers}) {
        for (const char* const peer : {"", "beta.example", "gamma.example"}) {
          const auto verdict =
              grants->Explain({.principal = who, .row = row, .listener = listener, .peer = peer});
          absl::Status expected = grants->MayCall(who, row, listener);
          const bool asked =
              row.reach == Reach::kRequest || (row.reach == Reach::kHandler && *peer != '\0');
          if (expected.ok() && asked) {
            expected = grants->ScopeOf(who, row).Check(who.id, row.method, peer);
          }
          ASSERT_EQ(verdict.status, expected) << who.id << row.method << peer;
          if (!row.listeners.Has(listener) || row.admits != Admits::kRoles) continue;
          const bool suffices =
              std::any_of(verdict.grants.begin(), verdict.grants.end(),
                          [](const auto& grant) { return grant.why_not.empty(); });
          const bool local = who.kind == Principal::Kind::kLocal;
          EXPECT_TRUE(local || suffices == verdict.status.ok()) << who.id << row.method << peer;
          EXPECT_EQ(verdict.grant.empty(), !verdict.status.ok() || local);
          if (verdict.status.ok()) ++allowed;
        }
      }
    }
  }
  EXPECT_GT(allowed, 100U);
}

TEST(GrantsTest, ExplainsWhyAnEventMayNotBePublished) {
  const auto grants = Compile({Publisher("ci", "service/jenkins", {"/ci/%"}, {"a"}),
                               Publisher("other", "service/jenkins", {"/other"})});
  const Principal jenkins = Service("jenkins");
  const auto ask = [&](const char* source, const char* type) {
    return grants->Explain({.principal = jenkins,
                            .row = *FindMethod(kPublish),
                            .listener = Listener::kApi,
                            .source = source,
                            .type = type});
  };
  EXPECT_EQ(ask("/ci/1", "a").grant, "ci");
  EXPECT_EQ(ask("/other", "b").grant, "other");
  const auto type = ask("/ci/1", "b");
  EXPECT_THAT(type.status, test::HasReason(Reason::kTypeNotGranted));
  EXPECT_EQ(type.grants.at(0).why_not, "its types do not match");
  EXPECT_EQ(type.grants.at(1).why_not, "its sources do not match");
  EXPECT_THAT(ask("/x", "a").status, test::HasReason(Reason::kSourceNotGranted));
  const Principal token = Principal::Token("alpha.example", "t", "ci");
  const auto by_token = grants->Explain(
      {.principal = token, .row = *FindMethod(kPublish), .listener = Listener::kApi});
  CDGATE_EXPECT_OK(by_token.status);
  EXPECT_EQ(by_token.grant, "ci");
}

}  // namespace
}  // namespace cdgate::authz

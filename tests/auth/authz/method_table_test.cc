#include "auth/authz/method_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/support/golden.h"

namespace cdgate::authz {
namespace {

// Every method of every service in proto/, as gRPC names them: read from the sources, so that
// a service nobody links is not missed.
std::set<std::string> MethodsOfProtoFiles() {
  const std::regex package("package ([a-z0-9_.]+);"), service("service ([A-Za-z0-9]+) \\{"),
      rpc("  rpc ([A-Za-z0-9]+)\\(.*");
  std::set<std::string> methods;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("proto")) {
    if (entry.path().extension() != ".proto") continue;
    std::ifstream file(entry.path());
    std::string line, in_package, in_service;
    while (std::getline(file, line)) {
      std::smatch match;
      if (std::regex_match(line, match, package)) in_package = match[1];
      if (std::regex_match(line, match, service)) in_service = match[1];
      if (!std::regex_match(line, match, rpc)) continue;
      methods.insert(absl::StrCat("/", in_package, ".", in_service, "/", match[1].str()));
    }
  }
  return methods;
}

TEST(MethodTableTest, HasARowForEachMethodAndNoOther) {
  std::set<std::string> rows;
  for (const MethodRow& row : MethodTable()) {
    EXPECT_TRUE(rows.insert(std::string(row.method)).second) << row.method << " has two rows";
  }
  const std::set<std::string> methods = MethodsOfProtoFiles();
  EXPECT_GT(methods.size(), 30U);
  EXPECT_EQ(rows, methods);
}

template <typename Enum, size_t kCount>
std::string NamesOf(EnumSet<Enum> set, const Enum (&all)[kCount], absl::string_view (*name)(Enum)) {
  std::vector<absl::string_view> names;
  for (const Enum member : all) {
    if (set.Has(member)) names.push_back(name(member));
  }
  return absl::StrJoin(names, ", ");
}

std::string WhomItAdmits(const MethodRow& row) {
  constexpr Role kRoles[] = {Role::kPublisher,    Role::kSubscriber,     Role::kOperator,
                             Role::kPolicyAuthor, Role::kPolicyApprover, Role::kAuditor};
  switch (row.admits) {
    case Admits::kRoles: return NamesOf(row.roles, kRoles, RoleName);
    case Admits::kAnyGranted: return "any role";
    case Admits::kAnyPrincipal: return "whoever is authenticated";
    case Admits::kPeerGateway: return "gateways of peers";
    case Admits::kEnroller: return "gateways that hold an invite";
  }
  return "";
}

// What a grant that is for some peers only reaches by it.
std::string WhatPeersReach(const MethodRow& row) {
  switch (row.reach) {
    case Reach::kAnywhere: return "";
    case Reach::kRequest: return "named";
    case Reach::kHandler: return "shown";
  }
  return "";
}

// "## Operator" and all that it may call.
std::string SectionOf(Role role) {
  std::string name(RoleName(role));
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  std::string section = absl::StrCat("\n## ", name, "\n");
  std::string service;
  for (const MethodRow& row : MethodTable()) {
    const bool may = row.roles.Has(role) || row.admits == Admits::kAnyGranted ||
                     row.admits == Admits::kAnyPrincipal;
    if (!may || !row.listeners.Has(Listener::kApi)) continue;
    const std::vector<std::string> parts = absl::StrSplit(row.method.substr(1), '/');
    if (parts[0] != service) absl::StrAppend(&section, "\n`", parts[0], "`:\n");
    service = parts[0];
    absl::StrAppend(&section, "- `", parts[1], "`\n");
  }
  return section;
}

TEST(MethodTableTest, IsDocumented) {
  constexpr Listener kListeners[] = {Listener::kPeers, Listener::kApi, Listener::kEnrolment,
                                     Listener::kLocal};
  std::string page =
      "# Methods\n\nWhere each is served, and the roles that may call it, any one of them. "
      "Principals "
      "on the local\nsocket are operator, policy author and auditor.\n\nA grant may be for some "
      "peers only ([security.md](security.md)). The last column says what it then\nreaches: "
      "*named*: the request has to name one of these peers; *shown*: what concerns these peers is "
      "shown or\nchanged; empty: peers do not matter.\n\nThis page is written from "
      "`auth/authz/method_table.cc` by the test `MethodTableTest` with\n`--update_golden`.\n\n"
      "| method | listeners | roles | peers |\n|---|---|---|---|\n";
  for (const MethodRow& row : MethodTable()) {
    absl::StrAppend(&page, "| `", row.method.substr(1), "` | ",
                    NamesOf(row.listeners, kListeners, ListenerName), " | ", WhomItAdmits(row),
                    " | ", WhatPeersReach(row), " |\n");
  }
  absl::StrAppend(&page,
                  "\n# What each role may call\n\nExactly this, and nothing else, on the api "
                  "listener. `AccessService` answers everybody about himself, operators\nand "
                  "auditors about all.\n");
  for (const Role role : AllRoles()) absl::StrAppend(&page, SectionOf(role));
  EXPECT_TRUE(test::MatchesGolden("docs/methods.md", page));
}

TEST(MethodTableTest, RowsMakeSense) {
  for (const MethodRow& row : MethodTable()) {
    EXPECT_FALSE(row.listeners.empty()) << row.method;
    EXPECT_EQ(row.admits == Admits::kRoles, !row.roles.empty()) << row.method;
  }
}

// A grant with peers reaches nothing that nobody thought about.
TEST(MethodTableTest, PeersMatterForAllOfAdministrationAndNothingElse) {
  size_t looked_at_by_handlers = 0;
  for (const MethodRow& row : MethodTable()) {
    const bool administration =
        row.admits == Admits::kRoles && row.roles.Meets({Role::kOperator, Role::kPolicyAuthor,
                                                         Role::kPolicyApprover, Role::kAuditor});
    EXPECT_EQ(row.reach != Reach::kAnywhere, administration) << row.method;
    if (row.reach == Reach::kHandler) ++looked_at_by_handlers;
  }
  EXPECT_EQ(looked_at_by_handlers, 9U);  // tests/e2e/access_test.py calls them
}

TEST(MethodTableTest, NothingButEnrolmentIsWhereNobodyIsVerified) {
  for (const MethodRow& row : MethodTable()) {
    const bool enrol = row.method == "/cdgate.federation.v1.EnrolmentService/Enrol";
    EXPECT_EQ(row.listeners.Has(Listener::kEnrolment), enrol) << row.method;
    EXPECT_EQ(row.admits == Admits::kEnroller, enrol) << row.method;
  }
}

TEST(MethodTableTest, OnlyWhatConcernsTheLinkIsForPeers) {
  for (const MethodRow& row : MethodTable()) {
    if (!row.listeners.Has(Listener::kPeers)) continue;
    EXPECT_THAT(std::string(row.method),
                testing::AnyOf("/cdgate.federation.v1.FederationService/Link",
                               "/cdgate.federation.v1.PeeringService/GetAgreement",
                               "/cdgate.federation.v1.RecoveryService/FetchBack",
                               "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"));
  }
}

TEST(MethodTableTest, FindsByName) {
  const MethodRow* row = FindMethod("/cdgate.events.v1.EventsService/Publish");
  ASSERT_NE(row, nullptr);
  EXPECT_TRUE(row->roles.Has(Role::kPublisher));
  EXPECT_EQ(FindMethod("/cdgate.events.v1.EventsService/Nothing"), nullptr);
  EXPECT_EQ(FindMethod(""), nullptr);
}

}  // namespace
}  // namespace cdgate::authz

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

TEST(MethodTableTest, RowsMakeSense) {
  for (const MethodRow& row : MethodTable()) {
    EXPECT_FALSE(row.listeners.empty()) << row.method;
    EXPECT_EQ(row.admits == Admits::kRoles, !row.roles.empty()) << row.method;
  }
}

TEST(MethodTableTest, NothingButEnrolmentIsWhereNobodyIsVerified) {
  for (const MethodRow& row : MethodTable()) {
    const bool enrol = row.method == "/cdgate.federation.v1.EnrolmentService/Enrol";
    EXPECT_EQ(row.listeners.Has(Listener::kEnrolment), enrol) << row.method;
    EXPECT_EQ(row.admits == Admits::kEnroller, enrol) << row.method;
  }
}

TEST(MethodTableTest, OnlyTheLinkAndHealthAreForPeers) {
  for (const MethodRow& row : MethodTable()) {
    if (!row.listeners.Has(Listener::kPeers)) continue;
    EXPECT_THAT(std::string(row.method),
                testing::AnyOf("/cdgate.federation.v1.FederationService/Link",
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

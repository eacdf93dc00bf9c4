#include "auth/trust/spiffe_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace cdgate::trust {
namespace {

using base::Reason;
using testing::HasSubstr;

TEST(SpiffeIdTest, TakesWhatTheStandardAllows) {
  const struct {
    std::string text, domain, path;
  } cases[] = {
      {"spiffe://alpha.example", "alpha.example", ""},
      {"spiffe://alpha.example/gateway/gw1", "alpha.example", "/gateway/gw1"},
      {"spiffe://a_b-c.9/A/b.c/-_", "a_b-c.9", "/A/b.c/-_"},
      {"spiffe://1.2.3.4/x", "1.2.3.4", "/x"},
      {"spiffe://alpha.example/...", "alpha.example", "/..."},
      {absl::StrCat("spiffe://", std::string(255, 'a'), "/x"), std::string(255, 'a'), "/x"},
      {absl::StrCat("spiffe://a/", std::string(2037, 'x')), "a",
       absl::StrCat("/", std::string(2037, 'x'))},
  };
  for (const auto& c : cases) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const SpiffeId id, SpiffeId::Parse(c.text));
    EXPECT_EQ(id.text(), c.text);
    EXPECT_EQ(id.trust_domain(), c.domain);
    EXPECT_EQ(id.path(), c.path);
  }
}

TEST(SpiffeIdTest, RefusesEverythingElse) {
  const std::string cases[] = {
      "",
      "spiffe://",
      "spiffe:///x",
      "SPIFFE://alpha.example/x",
      "https://alpha.example/x",
      " spiffe://alpha.example/x",
      "spiffe://Alpha.example/x",
      "spiffe://alpha.example:443/x",
      "spiffe://user@alpha.example/x",
      "spiffe://alpha.example/x?q",
      "spiffe://alpha.example/x#f",
      "spiffe://alpha.example?q",
      "spiffe://alpha.example/",
      "spiffe://alpha.example/x/",
      "spiffe://alpha.example//x",
      "spiffe://alpha.example/./x",
      "spiffe://alpha.example/x/..",
      "spiffe://alpha.example/%41",
      "spiffe://alpha.example/a b",
      "spiffe://alpha.example/a\n",
      "spiffe://alpha..example/x",
      "spiffe://.alpha/x",
      "spiffe://alpha./x",
      "spiffe://älpha/x",
      "spiffe://[::1]/x",
      std::string("spiffe://alpha.example/x\0y", 26),
      absl::StrCat("spiffe://", std::string(256, 'a'), "/x"),
      absl::StrCat("spiffe://a/", std::string(2038, 'x')),
  };
  for (const std::string& text : cases) {
    EXPECT_THAT(SpiffeId::Parse(text), test::HasReason(Reason::kCertificateMalformed)) << text;
  }
}

TEST(SpiffeIdTest, SaysWhatIsWrong) {
  EXPECT_THAT(SpiffeId::Parse("spiffe://alpha.example//x"),
              test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("empty segment")));
  EXPECT_THAT(SpiffeId::Parse("spiffe://alpha.example/\x01"),
              test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("\\001")));
}

TEST(SpiffeIdTest, MakesTheOnesOfProductUse) {
  EXPECT_EQ(SpiffeId::Gateway("alpha.example", "gw1")->text(),
            "spiffe://alpha.example/gateway/gw1");
  EXPECT_EQ(SpiffeId::Service("alpha.example", "jenkins")->text(),
            "spiffe://alpha.example/service/jenkins");
  EXPECT_EQ(SpiffeId::User("alpha.example", "ann")->text(), "spiffe://alpha.example/user/ann");
  EXPECT_THAT(SpiffeId::Gateway("alpha.example", "a/b"), test::HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(SpiffeId::User("Alpha", "ann"), test::HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(SpiffeId::User("alpha.example", ""), test::HasReason(Reason::kInvalidArgument));
}

TEST(SpiffeIdTest, KnowsAttestors) {
  EXPECT_TRUE(SpiffeId::Attestor("alpha.example", "a1")->is_attestor());
  EXPECT_EQ(SpiffeId::Attestor("alpha.example", "a1")->text(),
            "spiffe://alpha.example/attestor/a1");
  EXPECT_TRUE(SpiffeId::Parse("spiffe://a/attestor/2026/01")->is_attestor());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/attestor")->is_attestor());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/attestors/a1")->is_attestor());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/service/attestor/a1")->is_attestor());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/attestor/gw1")->is_gateway());
}

TEST(SpiffeIdTest, KnowsGateways) {
  EXPECT_TRUE(SpiffeId::Parse("spiffe://a/gateway/gw1")->is_gateway());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/gateway")->is_gateway());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/gateway/gw1/admin")->is_gateway());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/service/gateway")->is_gateway());
  EXPECT_FALSE(SpiffeId::Parse("spiffe://a/gatewayx/gw1")->is_gateway());
}

}  // namespace
}  // namespace cdgate::trust

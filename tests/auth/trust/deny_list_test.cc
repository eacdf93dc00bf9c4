#include "auth/trust/deny_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::trust {
namespace {

using base::Reason;
using testing::HasSubstr;

constexpr char kErin[] = "spiffe://alpha.example/user/erin";
const std::string kRoot(32, '\x0A');

std::shared_ptr<const DenyList> Of(std::vector<Denial> denials) {
  auto list = DenyList::Compile(denials);
  EXPECT_TRUE(list.ok()) << list.status();
  return list.ok() ? *list : std::make_shared<const DenyList>();
}

TEST(DenyListTest, EmptyDeniesNobody) {
  CDGATE_EXPECT_OK(DenyList().CheckCertificate(kErin, "alpha.example", "01", {kRoot}));
}

TEST(DenyListTest, DeniesByPrincipalDomainSerialAndAuthority) {
  const auto list = Of({
      {.name = "a", .kind = DenialKind::kPrincipal, .subject = kErin, .why = "laptop lost"},
      {.name = "b", .kind = DenialKind::kDomain, .subject = "beta.example"},
      {.name = "c", .kind = DenialKind::kSerial, .subject = "gamma.example/00ff"},
      {.name = "d", .kind = DenialKind::kAuthority, .subject = base::HexEncode(kRoot)},
  });
  EXPECT_THAT(list->CheckPrincipal(kErin, "alpha.example"),
              test::HasReasonAndMessage(Reason::kCertificateDenied, HasSubstr("a: laptop lost")));
  CDGATE_EXPECT_OK(list->CheckPrincipal("spiffe://alpha.example/user/eve", "alpha.example"));
  EXPECT_THAT(list->CheckPrincipal("spiffe://beta.example/gateway/gw1", "beta.example"),
              test::HasReason(Reason::kCertificateDenied));
  const std::string other = "spiffe://gamma.example/gateway/gw1";
  EXPECT_THAT(list->CheckCertificate(other, "gamma.example", "00ff", {}),
              test::HasReason(Reason::kCertificateDenied));
  CDGATE_EXPECT_OK(list->CheckCertificate(other, "delta.example", "00ff", {}));
  CDGATE_EXPECT_OK(list->CheckCertificate(other, "gamma.example", "ff", {}));
  EXPECT_THAT(list->CheckCertificate(other, "gamma.example", "01", {std::string(32, 'x'), kRoot}),
              test::HasReasonAndMessage(Reason::kCertificateDenied, HasSubstr("authority")));
}

TEST(DenyListTest, RefusesWhatNamesNobody) {
  const std::vector<Denial> malformed = {
      {.name = "n", .kind = DenialKind::kPrincipal, .subject = ""},
      {.name = "n", .kind = DenialKind::kPrincipal, .subject = std::string(2049, 'x')},
      {.name = "n", .kind = DenialKind::kDomain, .subject = "Alpha"},
      {.name = "n", .kind = DenialKind::kSerial, .subject = "00ff"},
      {.name = "n", .kind = DenialKind::kSerial, .subject = "gamma.example/"},
      {.name = "n", .kind = DenialKind::kSerial, .subject = "gamma.example/0g"},
      {.name = "n",
       .kind = DenialKind::kSerial,
       .subject = "gamma.example/" + std::string(41, '1')},
      {.name = "n", .kind = DenialKind::kAuthority, .subject = "0a0a"},
      {.name = "n", .kind = DenialKind::kAuthority, .subject = std::string(64, 'G')},
  };
  for (const Denial& denial : malformed) {
    EXPECT_THAT(DenyList::Compile({denial}).status(), test::HasReason(Reason::kInvalidArgument))
        << DenialKindName(denial.kind) << " " << denial.subject;
  }
}

}  // namespace
}  // namespace cdgate::trust

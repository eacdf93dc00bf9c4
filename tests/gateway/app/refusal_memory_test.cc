#include "gateway/app/refusal_memory.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cdgate::app {
namespace {

using base::Reason;
using credentials::Refusal;
using credentials::Side;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Refusal Of(const std::string& domain, Reason reason, Side side = Side::kServer) {
  return {side, reason, absl::StrCat("spiffe://", domain, "/gateway/gw1"), "serial 5f"};
}

TEST(RefusalMemoryTest, RemembersTheLastOfEachDomain) {
  RefusalMemory memory;
  EXPECT_FALSE(memory.LastOf("beta.example"));
  memory.Note(Of("beta.example", Reason::kCertificateExpired), kNow);
  memory.Note(Of("beta.example", Reason::kCertificateRevoked), kNow + absl::Seconds(1));
  memory.Note(Of("gamma.example", Reason::kWrongPeer), kNow);
  const auto last = memory.LastOf("beta.example");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->reason, Reason::kCertificateRevoked);
  EXPECT_EQ(last->when, kNow + absl::Seconds(1));
  EXPECT_EQ(last->detail, "serial 5f");
}

TEST(RefusalMemoryTest, ForgetsWhoCameThrough) {
  RefusalMemory memory;
  memory.Note(Of("beta.example", Reason::kUnknownTrustDomain), kNow);
  memory.Note(Of("gamma.example", Reason::kWrongPeer), kNow);
  memory.Forget("beta.example");
  EXPECT_FALSE(memory.LastOf("beta.example"));
  EXPECT_TRUE(memory.LastOf("gamma.example"));
}

TEST(RefusalMemoryTest, KeepsNothingThatNamesNobodyOrThatWeRefusedAsAClient) {
  RefusalMemory memory;
  memory.Note({Side::kServer, Reason::kTlsHandshakeFailed, "", "no certificate"}, kNow);
  memory.Note({Side::kServer, Reason::kCertificateMalformed, "not an id", ""}, kNow);
  memory.Note(Of("beta.example", Reason::kCertificateExpired, Side::kClient), kNow);
  EXPECT_FALSE(memory.LastOf("beta.example"));
  EXPECT_FALSE(memory.LastOf(""));
}

TEST(RefusalMemoryTest, ForgetsTheOldestWhereManyDomainsAreClaimed) {
  RefusalMemory memory;
  const int most = static_cast<int>(RefusalMemory::kMostDomains);
  for (int i = 0; i <= most; ++i) {
    memory.Note(Of(absl::StrCat("d", i, ".example"), Reason::kUnknownTrustDomain),
                kNow + absl::Seconds(i));
  }
  EXPECT_FALSE(memory.LastOf("d0.example"));
  EXPECT_TRUE(memory.LastOf("d1.example"));
  EXPECT_TRUE(memory.LastOf(absl::StrCat("d", most, ".example")));
}

}  // namespace
}  // namespace cdgate::app

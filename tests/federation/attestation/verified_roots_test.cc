#include "federation/attestation/verified_roots.h"

#include <gtest/gtest.h>

#include <string>

namespace cdgate::attestation {
namespace {

Digest Key(int i) { return SignatureKey("a", "key", std::to_string(i), "signature"); }

TEST(VerifiedRootsTest, RemembersWhatIsAskedForAndStaysBounded) {
  VerifiedRoots roots(10);
  roots.Add(Key(0));
  for (int i = 1; i < 1000; ++i) {
    EXPECT_FALSE(roots.Knows(Key(i)));
    roots.Add(Key(i));
    EXPECT_TRUE(roots.Knows(Key(0))) << i;
    EXPECT_LE(roots.size(), 20u);
  }
  EXPECT_FALSE(roots.Knows(Key(500)));
  for (int i = 991; i < 1000; ++i) EXPECT_TRUE(roots.Knows(Key(i)));
}

TEST(VerifiedRootsTest, EveryPartCounts) {
  const Digest key = SignatureKey("a", "k", "t", "s");
  EXPECT_NE(SignatureKey("b", "k", "t", "s"), key);
  EXPECT_NE(SignatureKey("a", "l", "t", "s"), key);
  EXPECT_NE(SignatureKey("a", "k", "u", "s"), key);
  EXPECT_NE(SignatureKey("a", "k", "t", "r"), key);
  EXPECT_NE(SignatureKey("ak", "", "t", "s"), key);
}

}  // namespace
}  // namespace cdgate::attestation

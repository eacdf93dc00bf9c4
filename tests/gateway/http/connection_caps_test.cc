#include "gateway/http/connection_caps.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace cdgate::http {
namespace {

using Refusal = ConnectionCaps::Refusal;

TEST(ConnectionCapsTest, EachAddressHasItsShareAndAllTogetherHaveOne) {
  test::FakeClock clock;
  ConnectionCaps caps({.max_connections = 3, .max_connections_per_address = 2}, clock);
  EXPECT_EQ(caps.Admit("a"), Refusal::kNone);
  EXPECT_EQ(caps.Admit("a"), Refusal::kNone);
  EXPECT_EQ(caps.Admit("a"), Refusal::kAddressFull);
  EXPECT_EQ(caps.Admit("b"), Refusal::kNone);
  EXPECT_EQ(caps.Admit("c"), Refusal::kListenerFull);
  caps.Release("a");
  EXPECT_EQ(caps.Admit("c"), Refusal::kNone);
}

TEST(ConnectionCapsTest, NewOnesComeAtARate) {
  test::FakeClock clock;
  ConnectionCaps caps({.accept_burst = 2, .accepts_per_second = 1}, clock);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(caps.Admit("a"), Refusal::kNone);
    caps.Release("a");
  }
  EXPECT_EQ(caps.Admit("a"), Refusal::kRate);
  EXPECT_EQ(caps.Admit("b"), Refusal::kNone);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(caps.Admit("a"), Refusal::kNone);
}

TEST(ConnectionCapsTest, ClientsWithoutAnAddressAreBoundedTogetherAlone) {
  test::FakeClock clock;
  ConnectionCaps caps({.max_connections = 5, .max_connections_per_address = 1, .accept_burst = 1},
                      clock);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(caps.Admit(""), Refusal::kNone);
  EXPECT_EQ(caps.Admit(""), Refusal::kListenerFull);
  for (int i = 0; i < 5; ++i) caps.Release("");
  EXPECT_EQ(caps.Admit("a"), Refusal::kNone);
  EXPECT_EQ(caps.Admit("a"), Refusal::kAddressFull);
}

TEST(ConnectionCapsTest, AddressesAreForgottenWhenTheyMayBe) {
  test::FakeClock clock;
  ConnectionCaps caps({}, clock);
  for (int i = 0; i < 20'000; ++i) {
    const std::string address = std::to_string(i);
    ASSERT_EQ(caps.Admit(address), Refusal::kNone);
    caps.Release(address);
  }
  EXPECT_EQ(caps.Admit("one more"), Refusal::kRate);
  clock.Advance(absl::Seconds(4));
  EXPECT_EQ(caps.Admit("one more"), Refusal::kNone);
}

}  // namespace
}  // namespace cdgate::http

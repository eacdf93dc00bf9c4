#include "gateway/rpc/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::rpc {
namespace {

using base::Reason;
using testing::HasSubstr;

sockaddr_storage V4(const char* host, int port) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr_in&>(storage);
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, host, &address.sin_addr);
  return storage;
}

sockaddr_storage V6(const char* host, int port) {
  sockaddr_storage storage{};
  auto& address = reinterpret_cast<sockaddr_in6&>(storage);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET6, host, &address.sin6_addr);
  return storage;
}

TEST(AddressTest, PortZeroIsReplacedByTheBoundOne) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket v4, ListenTcp("127.0.0.1:0"));
  EXPECT_EQ(v4.address.rfind("127.0.0.1:", 0), 0U);
  EXPECT_NE(v4.address, "127.0.0.1:0");
  CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket v6, ListenTcp("[::1]:0"));
  EXPECT_EQ(v6.address.rfind("[::1]:", 0), 0U);
}

TEST(AddressTest, AddressInUseIsNamed) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket first, ListenTcp("127.0.0.1:0"));
  EXPECT_THAT(ListenTcp(first.address),
              test::HasReasonAndMessage(Reason::kAddressInUse, HasSubstr(first.address)));
}

TEST(AddressTest, MalformedAddressesAreRefused) {
  for (const char* address : {"", "8443", "host", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                              "127.0.0.1:-1", "::1:80", "no such host.invalid:0", "192.0.2.1:0"}) {
    EXPECT_THAT(ListenTcp(address), test::HasReason(Reason::kInvalidConfig)) << address;
  }
}

TEST(AddressTest, UnixSocketIsTheOwnersOnly) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket bound, ListenUnix(dir.File("local.sock")));
  struct stat info {};
  ASSERT_EQ(stat(bound.address.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(AddressTest, UnixSocketInUseIsNotTakenOver) {
  const test::TempDir dir;
  CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket first, ListenUnix(dir.File("local.sock")));
  EXPECT_THAT(ListenUnix(first.address), test::HasReason(Reason::kAddressInUse));
}

TEST(AddressTest, StaleUnixSocketIsReplaced) {
  const test::TempDir dir;
  { CDGATE_ASSERT_OK_AND_ASSIGN(const BoundSocket gone, ListenUnix(dir.File("local.sock"))); }
  CDGATE_EXPECT_OK(ListenUnix(dir.File("local.sock")));
}

TEST(AddressTest, FileThatIsNoSocketIsLeftAlone) {
  const test::TempDir dir;
  std::ofstream(dir.File("precious")) << "data";
  EXPECT_THAT(ListenUnix(dir.File("precious")), test::HasReason(Reason::kInvalidConfig));
  EXPECT_EQ(std::ifstream(dir.File("precious")).get(), 'd');
}

TEST(AddressTest, UnixPathThatIsTooLongIsRefused) {
  EXPECT_THAT(ListenUnix(std::string(200, 'x')), test::HasReason(Reason::kInvalidConfig));
}

TEST(AddressTest, PeerKeysAreWhatGrpcCallsTheConnection) {
  EXPECT_EQ(PeerKey(V4("192.0.2.1", 443)), "ipv4:192.0.2.1:443");
  EXPECT_EQ(PeerKey(V6("2001:db8::1", 443)), "ipv6:%5B2001:db8::1%5D:443");
  EXPECT_EQ(PeerKey(V6("::ffff:192.0.2.1", 443)), "ipv4:192.0.2.1:443");
}

TEST(AddressTest, CanonicalPeerHasNoScope) {
  EXPECT_EQ(CanonicalPeer("ipv6:%5Bfe80::1%25eth0%5D:443"), "ipv6:%5Bfe80::1%5D:443");
  EXPECT_EQ(CanonicalPeer("ipv4:192.0.2.1:443"), "ipv4:192.0.2.1:443");
}

TEST(AddressTest, OneNetworkCountsAsOneAddress) {
  EXPECT_EQ(AddressGroup(V4("192.0.2.1", 1)), "192.0.2.1");
  EXPECT_EQ(AddressGroup(V6("2001:db8:1:2:3:4:5:6", 1)), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressGroup(V6("2001:db8:1:2:ffff::1", 2)), "2001:db8:1:2::/64");
  EXPECT_EQ(AddressGroup(V6("::ffff:192.0.2.1", 1)), "192.0.2.1");
}

}  // namespace
}  // namespace cdgate::rpc

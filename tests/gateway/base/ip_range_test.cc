#include "gateway/base/ip_range.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::base {
namespace {

std::string UseOf(const char* text) {
  const auto address = ParseIpAddress(text);
  EXPECT_TRUE(address.has_value()) << text;
  const char* const use = address ? SpecialUseOf(*address) : "no address";
  return use == nullptr ? "public" : use;
}

TEST(IpRangeTest, AddressesOfSpecialUseAreKnown) {
  const std::pair<const char*, const char*> cases[] = {
      {"0.0.0.0", "this network"},
      {"0.1.2.3", "this network"},
      {"10.255.255.255", "private"},
      {"100.64.0.1", "shared by carriers"},
      {"100.127.255.255", "shared by carriers"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.254", "loopback"},
      {"169.254.169.254", "link-local"},
      {"172.16.0.1", "private"},
      {"172.31.255.255", "private"},
      {"192.0.0.192", "protocol assignments"},
      {"192.168.1.1", "private"},
      {"198.19.0.1", "benchmarking"},
      {"203.0.113.7", "documentation"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.250", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::127.0.0.1", "not assigned"},
      {"::ffff:127.0.0.1", "mapped IPv4"},
      {"::ffff:8.8.8.8", "mapped IPv4"},
      {"64:ff9b::10.0.0.1", "translated IPv4"},
      {"64:ff9b:1::1", "translated IPv4"},
      {"2001::1", "protocol assignments"},  // Teredo
      {"2001:db8::1", "documentation"},
      {"2002:7f00:1::", "6to4"},
      {"3fff::1", "documentation"},
      {"4000::1", "not assigned"},
      {"fc00::1", "private"},
      {"fdff::1", "private"},
      {"fe80::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
  };
  for (const auto& [text, use] : cases) EXPECT_EQ(UseOf(text), use) << text;
}

TEST(IpRangeTest, OtherAddressesArePublic) {
  for (const char* text :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "223.255.255.255", "2001:200::1", "2606:4700::1111", "2003::1", "3ffe::1"}) {
    EXPECT_EQ(UseOf(text), "public") << text;
  }
}

TEST(IpRangeTest, RangesContainWhatHasTheirPrefix) {
  const auto range = ParseIpRange("172.16.0.0/12");
  CDGATE_ASSERT_OK(range);
  EXPECT_TRUE(range->Contains(*ParseIpAddress("172.31.0.9")));
  EXPECT_FALSE(range->Contains(*ParseIpAddress("172.32.0.0")));
  // An IPv4 address in IPv6 clothes is no IPv4 address.
  EXPECT_FALSE(range->Contains(*ParseIpAddress("::ffff:172.16.0.1")));
  EXPECT_TRUE(ParseIpRange("::ffff:0:0/96")->Contains(*ParseIpAddress("::ffff:172.16.0.1")));
  EXPECT_TRUE(ParseIpRange("0.0.0.0/0")->Contains(*ParseIpAddress("255.1.2.3")));
  EXPECT_FALSE(ParseIpRange("0.0.0.0/0")->Contains(*ParseIpAddress("::1")));
  const auto one = ParseIpRange("::1");
  CDGATE_ASSERT_OK(one);
  EXPECT_TRUE(one->Contains(*ParseIpAddress("0:0::1")));
  EXPECT_FALSE(one->Contains(*ParseIpAddress("::2")));
}

TEST(IpRangeTest, WhatIsNoRangeIsRefused) {
  for (const char* text : {"",
                           "/",
                           "/8",
                           "10.0.0.0/",
                           "10.0.0.0/33",
                           "10.0.0.0/-1",
                           "10.0.0.0/+8",
                           "10.0.0.0/08x",
                           "10.0.0.0/1000",
                           "10.0.0.1/8",
                           "10.0.0/8",
                           "010.0.0.0/8",
                           "10.0.0.0/8 ",
                           " 10.0.0.0/8",
                           "fe80::1%eth0",
                           "fd00::/129",
                           "fd00::1/8",
                           "localhost",
                           "10.0.0.0/8/8",
                           "0x7f.0.0.1"}) {
    EXPECT_THAT(ParseIpRange(text).status(), test::HasReason(Reason::kInvalidArgument)) << text;
  }
  EXPECT_EQ(ParseIpAddress(absl::string_view("127.0.0.1\0", 10)), std::nullopt);
}

TEST(IpRangeTest, AddressesAreReadFromSockets) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(0x7f000001);
  EXPECT_EQ(AddressOf(reinterpret_cast<sockaddr*>(&in), sizeof in)->Text(), "127.0.0.1");
  EXPECT_EQ(AddressOf(reinterpret_cast<sockaddr*>(&in), 4), std::nullopt);
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = in6addr_loopback;
  EXPECT_EQ(AddressOf(reinterpret_cast<sockaddr*>(&in6), sizeof in6)->Text(), "::1");
  in6.sin6_family = AF_UNIX;
  EXPECT_EQ(AddressOf(reinterpret_cast<sockaddr*>(&in6), sizeof in6), std::nullopt);
}

}  // namespace
}  // namespace cdgate::base

// IP addresses, ranges of them, and what no stranger should make us connect to.
//
//   CDGATE_ASSIGN_OR_RETURN(const IpRange range, ParseIpRange("10.1.0.0/16"));
//   const std::optional<IpAddress> address = AddressOf(sockaddr);
//   if (SpecialUseOf(*address) != nullptr && !range.Contains(*address)) Refuse();
//
// An address stays what it is: 127.0.0.1 in IPv6 clothes (::ffff:127.0.0.1) is an IPv6 address,
// in no range of IPv4, and of special use itself.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::base {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // in network order, from the first on
  size_t size = 4;                  // 4: IPv4; 16: IPv6

  bool operator==(const IpAddress&) const = default;

  // "192.0.2.1", "2001:db8::1".
  std::string Text() const;
};

// None where `text` is no numeric address; a zone ("%eth0") is none.
std::optional<IpAddress> ParseIpAddress(absl::string_view text);
// None for anything but IPv4 and IPv6.
std::optional<IpAddress> AddressOf(const sockaddr* address, socklen_t size);

struct IpRange {
  IpAddress first;
  size_t prefix_bits = 0;

  bool Contains(const IpAddress& address) const;
};

// "10.1.0.0/16", "fd00::/8"; an address alone is the range of itself. INVALID_ARGUMENT for
// anything else, also where the address has bits beyond the prefix.
absl::StatusOr<IpRange> ParseIpRange(absl::string_view text);

// Null for an address that is for hosts anywhere on the Internet; else for what it is set aside,
// as people call it: "loopback", "private", "link-local", "mapped IPv4". By the IANA registries
// of special-purpose addresses (RFC 6890 and those that update it), multicast, and all of IPv6
// beyond 2000::/3.
const char* SpecialUseOf(const IpAddress& address);

}  // namespace cdgate::base

#include "gateway/base/ip_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::base {
namespace {

struct SpecialUse {
  const char* range;
  const char* use;
};

// The first that fits counts.
constexpr SpecialUse kSpecialUses[] = {
    {"0.0.0.0/8", "this network"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared by carriers"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.88.99.0/24", "6to4 relays"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"::ffff:0:0/96", "mapped IPv4"},
    {"64:ff9b::/96", "translated IPv4"},
    {"64:ff9b:1::/48", "translated IPv4"},
    {"100::/64", "discarded"},
    {"2001::/23", "protocol assignments"},
    {"2001:db8::/32", "documentation"},
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},
    {"5f00::/16", "segment routing"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};
constexpr char kGlobalUnicast[] = "2000::/3";

struct SpecialRange {
  IpRange range;
  const char* use;
};

const std::vector<SpecialRange>& SpecialRanges() {
  static const auto* const ranges = [] {
    auto* const out = new std::vector<SpecialRange>();
    for (const SpecialUse& each : kSpecialUses) {
      out->push_back({ParseIpRange(each.range).value(), each.use});
    }
    return out;
  }();
  return *ranges;
}

// Whether the first `bits` of both are the same.
bool SamePrefix(const IpAddress& a, const IpAddress& b, size_t bits) {
  const size_t whole = bits / 8;
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  if (bits % 8 == 0) return true;
  const int rest = 8 - static_cast<int>(bits % 8);
  return a.bytes[whole] >> rest == b.bytes[whole] >> rest;
}

bool HasBitsBeyond(const IpAddress& address, size_t bits) {
  IpAddress cut = address;
  for (size_t bit = bits; bit < address.size * 8; ++bit) {
    cut.bytes[bit / 8] = static_cast<uint8_t>(cut.bytes[bit / 8] & ~(0x80U >> bit % 8));
  }
  return cut.bytes != address.bytes;
}

absl::Status NoRange(absl::string_view text, absl::string_view why) {
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("\"", Shorten(text), "\" is no range of addresses: ", why,
                                "; expected such as 10.1.0.0/16 or fd00::/8"));
}

}  // namespace

std::string IpAddress::Text() const {
  char out[INET6_ADDRSTRLEN] = "";
  inet_ntop(size == 4 ? AF_INET : AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

std::optional<IpAddress> ParseIpAddress(absl::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.size = 16;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> AddressOf(const sockaddr* address, socklen_t size) {
  IpAddress out;
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    std::memcpy(out.bytes.data(), &in.sin_addr, 4);
    return out;
  }
  if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    std::memcpy(out.bytes.data(), &in.sin6_addr, 16);
    out.size = 16;
    return out;
  }
  return std::nullopt;
}

bool IpRange::Contains(const IpAddress& address) const {
  return address.size == first.size && SamePrefix(address, first, prefix_bits);
}

absl::StatusOr<IpRange> ParseIpRange(absl::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> address = ParseIpAddress(text.substr(0, slash));
  if (!address) return NoRange(text, "it does not begin with a numeric address");
  IpRange range{.first = *address, .prefix_bits = address->size * 8};
  if (slash == absl::string_view::npos) return range;
  const absl::string_view digits = text.substr(slash + 1);
  uint32_t bits = 0;
  if (digits.empty() || digits.size() > 3 ||
      digits.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(digits, &bits) || bits > range.prefix_bits) {
    return NoRange(text,
                   absl::StrCat("what follows the / is no number from 0 to ", range.prefix_bits));
  }
  range.prefix_bits = bits;
  if (HasBitsBeyond(*address, bits)) {
    return NoRange(text, "the address has bits beyond the prefix");
  }
  return range;
}

const char* SpecialUseOf(const IpAddress& address) {
  for (const SpecialRange& each : SpecialRanges()) {
    if (each.range.Contains(address)) return each.use;
  }
  static const IpRange global = ParseIpRange(kGlobalUnicast).value();
  return address.size == 4 || global.Contains(address) ? nullptr : "not assigned";
}

}  // namespace cdgate::base

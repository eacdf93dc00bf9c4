// What `format` demands of a string. Linear in the string's length, whatever it holds.
//
//   const CheckFormat* uri = FindFormat("uri");
//   if (uri != nullptr && !(*uri)(text)) ...
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cdgate::schema {

using CheckFormat = bool (*)(absl::string_view text);

// date-time, date and time (RFC 3339), uri and uri-reference (RFC 3986), uuid (RFC 4122),
// ipv4, ipv6, hostname (RFC 1123) and email (a dot-atom at a host name). Null for others.
const CheckFormat* FindFormat(absl::string_view name);

// Their names, in the order of the alphabet.
std::vector<std::string> FormatNames();

}  // namespace cdgate::schema

// One CloudEvents attribute in one HTTP header field (CloudEvents HTTP binding 1.0.2,
// section 3.1.3.2).
//
//   CDGATE_ASSIGN_OR_RETURN(std::string subject,
//                           http::DecodeCeHeader("ce-subject", "pkg:oci/a@sha256%253Aab"));
//   // "pkg:oci/a@sha256%3Aab"
//
// A quoted-string is unquoted first; then percent-encoding is undone, exactly one round.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::http {

// `value` as it stood in the request. INVALID_CLOUD_EVENT, naming the header field: a '%'
// without two hex digits, an open quotation, bytes that are not UTF-8, control or other
// characters that no CloudEvents string has. Characters that should have been encoded and
// were not are taken as they are.
absl::StatusOr<std::string> DecodeCeHeader(absl::string_view name, absl::string_view value);

}  // namespace cdgate::http

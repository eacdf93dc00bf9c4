// Text forms of bytes. Decoders refuse anything that is not the exact form
// (RFC 4648: lower-case hex; base64url without padding; base32 lower case without
// padding), so that two spellings of one value never compare unequal.
#pragma once

#include <string>
#include "absl/strings/string_view.h"

#include "absl/status/statusor.h"

namespace cdgate::base {

std::string HexEncode(absl::string_view bytes);
absl::StatusOr<std::string> HexDecode(absl::string_view text);

std::string Base64UrlEncode(absl::string_view bytes);
absl::StatusOr<std::string> Base64UrlDecode(absl::string_view text);

std::string Base32Encode(absl::string_view bytes);

// "ab:cd:..." in upper case, as people compare certificate fingerprints.
std::string Fingerprint(absl::string_view bytes);

// `text` cut to `max_bytes` at a UTF-8 boundary, control characters and invalid
// bytes escaped, "…" where cut: what an error message may quote of foreign input.
std::string Shorten(absl::string_view text, size_t max_bytes = 80);

}  // namespace cdgate::base

// Revocation lists never go back: an older list would let the revoked in again.
//
//   CDGATE_ASSIGN_OR_RETURN(const std::string back, ListThatGoesBack(received, held));
//   if (!back.empty()) return Refused(back);
//
// Pure; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cdgate::manager {

// "revocation list 4 of CN=…, older than 5, the one held" for a list among the PEM texts `now`
// whose number is below the greatest of the same issuer among `before`; empty: there is none.
// What does not parse in `before` is passed over, as it is of no use; CREDENTIALS_INVALID where
// `now` does not parse.
absl::StatusOr<std::string> ListThatGoesBack(const std::vector<std::string>& now,
                                             const std::vector<std::string>& before);

}  // namespace cdgate::manager

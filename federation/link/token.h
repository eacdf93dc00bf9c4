// What maps a position on a link to our log: a place, sealed by the sender into a token
// that the receiver keeps and cannot read, forge or use anywhere else.
//
//   std::string token = sealer.Seal({.sequence = s, .position = p, .mark = m}, scope);
//   CDGATE_ASSIGN_OR_RETURN(Place place, sealer.Open(resume.token(), scope));
//
// The interface is here so that the state machine stays pure; the real one is
// session::SivTokenSealer.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/types.h"

namespace cdgate::link {

// Where a reader of our log stands.
struct Place {
  // The last sequence that was sent or withheld.
  base::Sequence sequence{};
  // Events the receiver has committed at that place.
  base::Position position{};
  // Fingerprint of the record at `sequence` (session::MarkOf); 0: there is none. A log
  // that was rolled back and went on has another record there.
  uint64_t mark = 0;

  bool operator==(const Place&) const = default;
};

// What a token is good for; it opens under no other scope.
struct TokenScope {
  std::string peer;  // the receiver's domain
  std::string agreement_id;
  base::Epoch log_epoch;  // of the sender's log
  std::string link_epoch;

  bool operator==(const TokenScope&) const = default;
};

// Implementations are thread-safe and const.
class TokenSealer {
 public:
  virtual ~TokenSealer() = default;

  // Always of the same size. Two tokens of one place may differ.
  virtual std::string Seal(const Place& place, const TokenScope& scope) const = 0;

  // TOKEN_INVALID where the bytes were not sealed here for this scope.
  virtual absl::StatusOr<Place> Open(absl::string_view token, const TokenScope& scope) const = 0;
};

}  // namespace cdgate::link

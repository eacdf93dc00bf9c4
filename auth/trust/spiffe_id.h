// SPIFFE IDs (github.com/spiffe/spiffe, standards/SPIFFE-ID.md), strictly: who someone is.
//
//   CDGATE_ASSIGN_OR_RETURN(auto id,
//   trust::SpiffeId::Parse("spiffe://alpha.example/service/jenkins")); id.trust_domain()  //
//   "alpha.example" id.path()          // "/service/jenkins"
//
// There is exactly one spelling of each: nothing is normalised, what is not in the
// canonical form is refused (an upper-case scheme or domain, a trailing slash, a "."
// segment, percent encoding, a port, user information, a query, a fragment).
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::trust {

// 1 to 255 characters of a-z 0-9 '.' '-' '_'; besides, no empty label, so that it can be
// compared with DNS names: "alpha.example".
bool ValidTrustDomain(absl::string_view text);

// One segment of a path: 1 or more characters of a-z A-Z 0-9 '.' '-' '_', not "." or "..".
bool ValidPathSegment(absl::string_view text);

// Immutable value. Thread-safe.
class SpiffeId {
 public:
  static constexpr size_t kMaxBytes = 2048;

  // CERTIFICATE_MALFORMED otherwise; the message quotes the text, shortened, and says what
  // is wrong with it. A path may be absent (the ID of the domain itself).
  static absl::StatusOr<SpiffeId> Parse(absl::string_view text);

  // spiffe://`domain`/gateway/`instance` and so on. INVALID_ARGUMENT where a part is not
  // well-formed.
  static absl::StatusOr<SpiffeId> Gateway(absl::string_view domain, absl::string_view instance);
  static absl::StatusOr<SpiffeId> Service(absl::string_view domain, absl::string_view name);
  static absl::StatusOr<SpiffeId> User(absl::string_view domain, absl::string_view name);
  static absl::StatusOr<SpiffeId> Attestor(absl::string_view domain, absl::string_view name);

  const std::string& text() const { return text_; }
  absl::string_view trust_domain() const;
  // With its leading slash; empty for the domain itself.
  absl::string_view path() const;

  // True for spiffe://…/gateway/<instance>, one segment after "gateway".
  bool is_gateway() const;
  // True for spiffe://…/attestor/…: who signs statements, and never connects.
  bool is_attestor() const;

  friend bool operator==(const SpiffeId& a, const SpiffeId& b) { return a.text_ == b.text_; }

 private:
  SpiffeId(std::string text, size_t domain_bytes)
      : text_(std::move(text)), domain_bytes_(domain_bytes) {}

  std::string text_;
  size_t domain_bytes_;
};

}  // namespace cdgate::trust

// Who is not let in although every certificate verifies: the operator's word, at once.
//
//   CDGATE_ASSIGN_OR_RETURN(auto denied, trust::DenyList::Compile({
//       {.name = "lost-laptop", .kind = DenialKind::kPrincipal,
//        .subject = "spiffe://alpha.example/user/erin", .why = "laptop lost"}}));
//   registry.SetDenied(denied);         // every later trust::Verify() asks it
//
// Lists of the CA (CRLs) say what the CA knows; this says what the operator knows, also of
// a domain whose CA is somebody else's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::trust {

enum class DenialKind {
  kPrincipal,  // one principal by its id: a SPIFFE ID, "token:NAME"
  kDomain,     // everybody of one trust domain
  kSerial,     // one certificate of a domain, by its serial
  kAuthority,  // whatever was issued under one CA certificate, root or intermediate
};
// "principal", "domain", "serial", "authority"
absl::string_view DenialKindName(DenialKind kind);

struct Denial {
  std::string name;  // of the entry, for messages
  DenialKind kind = DenialKind::kPrincipal;
  // The id; the domain; "DOMAIN/SERIAL" with the serial in lower-case hex as
  // crypto::Certificate::serial() has it; the CA certificate's SHA-256 in lower-case hex.
  std::string subject;
  std::string why = {};  // for the refused side's operator's log; may be empty
};

// INVALID_ARGUMENT, saying which part is malformed. A domain must be one; an id has 1 to
// 2,048 bytes; serials and digests are hex (upper case and colons must be gone already).
absl::Status CheckDenial(const Denial& denial);

// Immutable; thread-safe.
class DenyList {
 public:
  // Nobody is denied.
  DenyList() = default;
  // Errors of CheckDenial. Two entries for one subject: the first counts.
  static absl::StatusOr<std::shared_ptr<const DenyList>> Compile(
      const std::vector<Denial>& denials);

  // CERTIFICATE_DENIED naming the entry, where the principal or its domain is denied.
  // `domain` may be empty. Fast: two lookups.
  absl::Status CheckPrincipal(absl::string_view id, absl::string_view domain) const;
  // The same, and by the certificate: its serial, in lower-case hex, and `authorities`, the
  // SHA-256 (32 bytes each) of the CA certificates above it.
  absl::Status CheckCertificate(absl::string_view id, absl::string_view domain,
                                absl::string_view serial,
                                const std::vector<std::string>& authorities) const;

  bool empty() const { return entries_.empty(); }

 private:
  absl::Status Find(DenialKind kind, absl::string_view subject) const;

  // By the kind's name, a blank and the subject.
  absl::flat_hash_map<std::string, Denial> entries_;
};

}  // namespace cdgate::trust

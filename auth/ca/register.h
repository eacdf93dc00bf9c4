// What a CA has issued: the text of the file issued.jsonl in its folder.
//
//   CDGATE_ASSIGN_OR_RETURN(ca::Register issued, ca::Register::Parse(text));
//   for (const ca::Entry& entry : issued.entries) ...
//
// One JSON object a line. The first is the head, the others are certificates in the order
// they were issued (docs/operations.md, "The CA's folder"):
//
//   {"format":"cdgate-ca","version":1,"domain":"alpha.example","crl_number":3,…}
//   {"serial":"5f03…","id":"spiffe://alpha.example/gateway/gw1","issuer":"77ab…",…}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/revocation_list.h"

namespace cdgate::ca {

// One certificate.
struct Entry {
  std::string serial;  // as crypto::Certificate::serial()
  std::string id;      // its URI name
  std::string issuer;  // serial of the CA's certificate that signed it
  std::string key;     // "P-256"
  bool is_ca = false;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_names;
  absl::Time not_before;  // whole seconds, as all times here
  absl::Time not_after;
  std::optional<absl::Time> revoked;
  crypto::RevocationReason reason = crypto::RevocationReason::kUnspecified;

  static Entry Of(const crypto::Certificate& certificate, const crypto::Certificate& issuer);
};

// "key_compromise" of kKeyCompromise and so on.
absl::string_view ReasonName(crypto::RevocationReason reason);
std::optional<crypto::RevocationReason> ReasonFromName(absl::string_view name);
// All names, for help and messages.
std::vector<std::string> ReasonNames();

// A value.
struct Register {
  std::string domain;
  uint64_t crl_number = 0;                // of the lists made last
  uint64_t bundle_sequence = 1;           // grows with each change of the bundle
  std::vector<std::string> dns_suffixes;  // name constraints of roots to come
  std::vector<Entry> entries;

  // INVALID_CONFIG naming the line: no head, a newer version, a member that is missing or of
  // another type, two entries of one serial. Members that are not known are passed over.
  static absl::StatusOr<Register> Parse(absl::string_view text);
  std::string ToText() const;

  // Null where there is none.
  Entry* Find(absl::string_view serial);
  // Forgets what expired before `before`: lists need it no more. Attestors that are revoked stay,
  // as what they signed is still judged when they have ended.
  void ForgetExpired(absl::Time before);
};

}  // namespace cdgate::ca

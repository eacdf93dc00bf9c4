// What an event file proves, to who holds bundles of some domains and has no gateway.
//
//   FileKeys keys(*trusted.Current(), absl::Now());
//   ...
//   const Judgement judged = Judge(file, keys, at_least_as_strict);
//   if (!judged.proven.ok()) return Refuse(judged.proven);
//   Show(judged.origin, judged.crossings);
//
// docs/attestation.md says what is verified. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/event_file.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/attestation/attestor_keys.h"
#include "federation/attestation/chain.h"

namespace cdgate::attestation {

// Who signed a statement, and when, in its own words.
struct Signer {
  std::string domain;
  std::string key_id;  // 32 bytes
  int64_t sign_time_nanos = 0;
};

// What one domain said that it sent to the next.
struct Crossing {
  Signer sender;
  std::string receiver;
  storage::v1::Terms terms;
  // What is listed as withheld or substituted differs from what came to the sender.
  bool altered = false;
};

struct Judgement {
  // ATTESTATION_INVALID where something is false, ATTESTATION_UNPROVEN where something is not
  // shown; then the members below are what statements claim, as far as they could be read.
  absl::Status proven;
  std::optional<Proof> proof;
  std::optional<Signer> origin;  // none: the origin's own statement did not come
  std::vector<Crossing> crossings;
};

// `file` is one that ReadEventFile() took.
Judgement Judge(const federation::v1::EventFile& file, AttestorKeys& keys,
                AtLeastAsStrict at_least_as_strict);

}  // namespace cdgate::attestation

// An event on its way over several domains, with everything that goes with it: made by the code
// that gateways use, without gateways.
//
//   Holding at = Accept("alpha.example", Event(data), /*by_fields=*/true);
//   at = Send(at, {.to = "beta.example", .onward = 2});
//   at = Send(at, {.to = "gamma.example", .onward = 1, .redact = {"customData.secret"}});
//   at.event;                              // what gamma received
//
// The same calls give the same bytes. An error ends the test program.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/attestation/chain.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {

// An event as one domain has it.
struct Holding {
  std::string domain;
  federation::v1::RelayedEvent event;
  // The last statement about it: of the origin where that is `domain`, else of who sent it.
  std::string statement;
};

// What a sender does. Paths as rules of policies have them.
struct Sending {
  std::string to = "";
  uint32_t onward = 0;
  std::vector<std::string> groups = {};
  std::string classification = "";
  std::vector<std::string> redact = {};
  std::vector<std::string> pseudonymise = {};
  bool drop_links = false;
  int others = 3;               // other events in the batch
  int64_t sign_time_nanos = 0;  // 0: kSignTime
};

io::cloudevents::v1::CloudEvent StoryEvent();
// As admission renders it: the same event always gives the same bytes.
std::string Canonical(const io::cloudevents::v1::CloudEvent& cloud_event);

Holding Accept(const std::string& domain, const io::cloudevents::v1::CloudEvent& event,
               bool by_fields, int others = 2);
Holding Send(const Holding& from, const Sending& how);

// What `sender` says of `event`, whatever it is: also for one that lies.
std::string StatementOf(const std::string& sender, const std::string& receiver,
                        const federation::v1::RelayedEvent& event, int others,
                        int64_t sign_time_nanos);

// What `receiver` makes of it. Labels: TLP, as they are built in.
absl::StatusOr<attestation::Proof> VerifyAt(absl::string_view receiver,
                                            const federation::v1::RelayedEvent& event,
                                            attestation::ChainVerifier* verifier);

// Whether `holding.statement` is what its sender says of exactly this copy.
absl::Status VerifySent(const Holding& holding, attestation::ChainVerifier* verifier);

}  // namespace cdgate::test

// What a gateway says became of its events: who-got and explain of each of a range, asked many
// at a time.
//
//   ReadVerdicts(channel, "beta.example", 1, 10000, [](const Verdict& verdict) {...});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include "cdgate/admin/v1/admin.pb.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {

struct Verdict {
  uint64_t sequence = 0;
  std::string error;  // reason of the call that failed; empty: both were answered
  admin::v1::EventSummary event;
  admin::v1::PeerOutcome outcome;  // of the peer
  admin::v1::ExplainEventResponse explained;
};

// In the order of sequences. `explain`: false leaves `explained` empty.
void ReadVerdicts(const std::shared_ptr<grpc::Channel>& channel, const std::string& peer,
                  uint64_t first, uint64_t last, bool explain,
                  const std::function<void(const Verdict&)>& take);

// One line, fields separated by tabs, none of which has one:
//   sequence  id  state  reason  rule  replayed
//   allowed  reason  rule  state  policy_version  interest_version  trimmed  direction   (explain)
// or sequence, "!", reason where a call failed.
std::string LineOf(const Verdict& verdict);

}  // namespace cdgate::e2e

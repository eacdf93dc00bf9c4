// One TLS handshake with a server for the sake of what it shows: for diagnosis, never to talk.
//
//   CDGATE_ASSIGN_OR_RETURN(const crypto::ShownChain shown,
//                           crypto::LookAtServer(fd, chain_pem, key_pem, absl::Seconds(3), clock));
//   const auto who = trust::Verify(*snapshot, shown.leaf_pem, shown.chain_pem, ...);
//
// Nothing is verified here, so that what would be refused can be looked at; whoever wants to know
// whether it is good judges the chain. No byte of application data is sent or read.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"

namespace cdgate::crypto {

struct ShownChain {
  std::string leaf_pem;
  std::string chain_pem;  // what came with it, leaf first
};

// (blocks, at most `limit`) Handshakes over the connected socket `fd`, which stays the caller's and
// is of no other use afterwards, showing our certificate and offering what gRPC offers.
// TLS_HANDSHAKE_FAILED where what answers does not speak TLS 1.3, refuses, or says nothing in time;
// CREDENTIALS_INVALID where our own chain and key are none.
absl::StatusOr<ShownChain> LookAtServer(int fd, absl::string_view chain_pem,
                                        absl::string_view key_pem, absl::Duration limit,
                                        const base::Clock& clock);

}  // namespace cdgate::crypto

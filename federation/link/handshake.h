// The Hello of a link: making ours, judging theirs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/config.h"

namespace cdgate::link {

// What both sides agreed on.
struct Agreed {
  uint32_t version = 0;
  std::vector<std::string> capabilities;  // of both, in our order
  uint32_t peer_max_frame_bytes = 0;
  absl::Duration peer_heartbeat;
  std::string peer_instance;
};

federation::v1::Hello MakeHello(const LinkConfig& config);

// WRONG_PEER: another domain than the stream's certificate. NO_AGREEMENT: another
// agreement. VERSION_UNSUPPORTED. PROTOCOL_ERROR: a field is missing or out of bounds.
absl::StatusOr<Agreed> JudgeHello(const federation::v1::Hello& hello, const LinkConfig& config);

}  // namespace cdgate::link

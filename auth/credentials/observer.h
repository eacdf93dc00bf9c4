// Who is told of refused connections.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"

namespace cdgate::credentials {

enum class Side { kServer, kClient };  // which side refused: we as the one

struct Refusal {
  Side side;
  base::Reason reason;
  std::string claimed_id;  // SPIFFE ID the other side claimed; empty where none could be read
  std::string message;     // for the log; foreign text inside is shortened and escaped
};

// Thread-safe. Called inside the handshake, from any thread of gRPC: it must not block.
class VerificationObserver {
 public:
  virtual ~VerificationObserver() = default;
  virtual void OnRefused(const Refusal& refusal) = 0;
};

}  // namespace cdgate::credentials

// Who is told of refused connections.
#pragma once

#include <memory>
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
  // The other side: "192.0.2.1" as the ingress has it, or what was dialled, "gw.beta.example:7444".
  // Empty on gRPC's listeners: it asks the verifier without saying of which connection.
  std::string address = {};
};

// Thread-safe. Called inside the handshake, from any thread of gRPC: it must not block.
class VerificationObserver {
 public:
  virtual ~VerificationObserver() = default;
  virtual void OnRefused(const Refusal& refusal) = 0;
};

// For what is dialled: tells `observer`, which may be null, and adds the address.
std::shared_ptr<VerificationObserver> WithAddress(std::shared_ptr<VerificationObserver> observer,
                                                  std::string address);

}  // namespace cdgate::credentials

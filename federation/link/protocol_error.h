// What both halves of a link answer to frames that no peer of this version sends.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/base/errors.h"

namespace cdgate::link {

// PROTOCOL_ERROR; `message` is for the peer's operator.
inline absl::Status ProtocolError(absl::string_view message) {
  return base::MakeError(base::Reason::kProtocolError, message);
}

}  // namespace cdgate::link

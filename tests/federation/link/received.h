// A frame as a link gets it.
//
//   for (link::Output& o : link.Step(test::Received(frame, frame.ByteSizeLong()), now)) ...
#pragma once

#include <memory>
#include <string>

#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/codec.h"
#include "federation/link/messages.h"

namespace cdgate::test {

// As if `frame` had come in a message of `wire_bytes`, whatever its size; FrameMalformed
// where its bytes are no frame.
inline link::Input Received(const federation::v1::Frame& frame, size_t wire_bytes) {
  const auto bytes = std::make_shared<std::string>(frame.SerializeAsString());
  link::FrameReceived received;
  if (!link::DecodeFrame(*bytes, bytes, &received)) return link::FrameMalformed{};
  received.wire_bytes = wire_bytes;
  return received;
}

}  // namespace cdgate::test

#include "federation/link/handshake.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "federation/link/protocol_error.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Reason;
using federation::v1::Hello;

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status CheckIdentity(const Hello& hello, const LinkConfig& config) {
  if (hello.domain() != config.peer) {
    return base::MakeError(Reason::kWrongPeer,
                           absl::StrCat("the Hello is of ", base::Shorten(hello.domain()),
                                        ", the certificate of ", config.peer));
  }
  if (hello.agreement_id() != config.agreement_id) {
    return base::MakeError(Reason::kNoAgreement, "the Hello names another agreement than ours");
  }
  return absl::OkStatus();
}

absl::Status CheckBounds(const Hello& hello) {
  if (hello.instance().empty() || hello.instance().size() > kMaxNameBytes ||
      hello.software().size() > kMaxNameBytes) {
    return ProtocolError("the Hello's instance or software is missing or too long");
  }
  if (hello.max_frame_bytes() < kLeastMaxFrameBytes) {
    return ProtocolError(absl::StrCat("the Hello's max_frame_bytes is ", hello.max_frame_bytes(),
                                      ", the least is ", kLeastMaxFrameBytes));
  }
  const absl::Duration heartbeat = FromProto(hello.heartbeat_interval());
  if (heartbeat < kLeastHeartbeat || heartbeat > kGreatestHeartbeat) {
    return ProtocolError(absl::StrCat("the Hello's heartbeat_interval is ",
                                      absl::FormatDuration(heartbeat), ", not 1 s to 60 s"));
  }
  const auto& capabilities = hello.capabilities();
  if (capabilities.size() > kMaxCapabilities ||
      std::any_of(capabilities.begin(), capabilities.end(),
                  [](const std::string& c) { return c.empty() || c.size() > kMaxNameBytes; })) {
    return ProtocolError("the Hello's capabilities are too many, empty or too long");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> CommonVersion(const Hello& hello, const LinkConfig& config) {
  if (hello.min_version() == 0 || hello.min_version() > hello.max_version()) {
    return ProtocolError("the Hello's versions are 0 or in the wrong order");
  }
  const uint32_t common = std::min(hello.max_version(), config.max_version);
  if (common >= std::max(hello.min_version(), config.min_version)) return common;
  return base::MakeError(
      Reason::kVersionUnsupported,
      absl::StrCat("the peer speaks versions ", hello.min_version(), " to ", hello.max_version(),
                   ", we ", config.min_version, " to ", config.max_version));
}

}  // namespace

Hello MakeHello(const LinkConfig& config) {
  Hello hello;
  hello.set_min_version(config.min_version);
  hello.set_max_version(config.max_version);
  hello.set_domain(config.domain);
  hello.set_instance(config.instance);
  hello.set_agreement_id(config.agreement_id);
  for (const std::string& capability : config.capabilities) hello.add_capabilities(capability);
  hello.set_software(config.software);
  hello.set_max_frame_bytes(config.max_frame_bytes);
  const int64_t nanos = absl::ToInt64Nanoseconds(config.heartbeat);
  hello.mutable_heartbeat_interval()->set_seconds(nanos / 1'000'000'000);
  hello.mutable_heartbeat_interval()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return hello;
}

absl::StatusOr<Agreed> JudgeHello(const Hello& hello, const LinkConfig& config) {
  CDGATE_RETURN_IF_ERROR(CheckIdentity(hello, config));
  Agreed agreed;
  CDGATE_ASSIGN_OR_RETURN(agreed.version, CommonVersion(hello, config));
  CDGATE_RETURN_IF_ERROR(CheckBounds(hello));
  const auto& theirs = hello.capabilities();
  for (const std::string& ours : config.capabilities) {
    if (std::find(theirs.begin(), theirs.end(), ours) != theirs.end()) {
      agreed.capabilities.push_back(ours);
    }
  }
  agreed.peer_max_frame_bytes = hello.max_frame_bytes();
  agreed.peer_heartbeat = FromProto(hello.heartbeat_interval());
  agreed.peer_instance = hello.instance();
  return agreed;
}

}  // namespace cdgate::link

// What webhooks of gateway.yaml must be. Private to the library.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/config/message_reader.h"

namespace cdgate::config {

// Fills in defaults and makes paths relative to `folder`. INVALID_CONFIG at the first key that
// is wrong.
absl::Status CheckWebhooks(const MessageReader& reader, const std::filesystem::path& folder,
                           v1::GatewayConfig* config);

}  // namespace cdgate::config

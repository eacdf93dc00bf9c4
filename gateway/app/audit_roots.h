// All CA certificates of our own domain that the gateway ever used, in one PEM file: what
// verifies checkpoints that were signed before the roots changed.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cdgate::app {

// Adds what `path` lacks of `bundle_pem`. CERTIFICATE_MALFORMED, FILE_UNREADABLE,
// FILE_UNWRITABLE. Blocks; one call at a time.
absl::Status KeepRoots(const std::string& path, absl::string_view bundle_pem);

}  // namespace cdgate::app

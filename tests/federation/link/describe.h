// One line of text for each output of a link, for golden scripts.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/link/messages.h"

namespace cdgate::test {

// Times are printed as seconds since this.
inline absl::Time ScriptEpoch() { return absl::FromUnixSeconds(1'000'000); }

std::string Describe(const link::Output& output);
std::string DescribeFrame(const federation::v1::Frame& frame);

}  // namespace cdgate::test

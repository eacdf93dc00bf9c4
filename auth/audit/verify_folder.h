// `cdgate audit verify`, over the files of a folder.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "auth/audit/chain.h"

namespace cdgate::audit {

struct Report {
  std::optional<Fault> fault;  // the first one; none: everything fits
  ChainSummary summary;        // of what is before it
  uint64_t files = 0;
  // Bytes behind the last whole line: a write that a crash or a kill ended.
  uint64_t torn_bytes = 0;
};

// FILE_UNREADABLE; NOT_FOUND where there is no file; errors of the bundle. `stop` is asked
// now and then: true gives up with CANCELLED. May take long: some 200 MB a second.
absl::StatusOr<Report> VerifyFolder(const std::string& folder, const ChainOptions& options,
                                    const std::function<bool()>& stop = nullptr);

}  // namespace cdgate::audit

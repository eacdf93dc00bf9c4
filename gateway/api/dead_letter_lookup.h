// Finding one dead letter by its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// (blocks) The dead letter of `reader` that this commit recorded in this place; none where there is
// none, or no longer. Errors of Store::DeadLetters().
absl::StatusOr<std::optional<storage::v1::DeadLetterRow>> FindDeadLetter(const state::Store& store,
                                                                         const std::string& reader,
                                                                         uint64_t commit,
                                                                         uint32_t index);

}  // namespace cdgate::api

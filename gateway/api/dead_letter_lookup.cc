#include "gateway/api/dead_letter_lookup.h"

#include "gateway/base/status_macros.h"

namespace cdgate::api {

absl::StatusOr<std::optional<storage::v1::DeadLetterRow>> FindDeadLetter(const state::Store& store,
                                                                         const std::string& reader,
                                                                         uint64_t commit,
                                                                         uint32_t index) {
  // The one behind the greatest key that is less.
  storage::v1::DeadLetterKey before;
  before.set_reader(reader);
  before.set_commit(index == 0 && commit > 0 ? commit - 1 : commit);
  before.set_index(index == 0 ? UINT32_MAX : index - 1);
  CDGATE_ASSIGN_OR_RETURN(const auto rows, store.DeadLetters(reader, &before, 1));
  if (rows.empty() || rows[0].key().commit() != commit || rows[0].key().index() != index) {
    return std::nullopt;
  }
  return rows[0];
}

}  // namespace cdgate::api

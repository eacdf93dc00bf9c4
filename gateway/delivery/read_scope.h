// What a principal may read: the events that at least one of its subscriber grants
// covers, narrowed by a filter of its own.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/authz/grants.h"
#include "auth/authz/principal.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/program.h"

namespace cdgate::delivery {

// Immutable after Make; not thread-safe (it keeps a context for evaluation).
class ReadScope {
 public:
  // NOT_GRANTED where the principal may read nothing; INVALID_FILTER for `filter`.
  static absl::StatusOr<ReadScope> Make(const authz::Grants& grants,
                                        const authz::Principal& principal,
                                        absl::string_view filter);

  // Every event, without a look at it.
  bool CoversAll() const { return granted_.empty() && !own_; }
  // A filter that errs does not match.
  bool Covers(const event::Record& record);

 private:
  std::vector<filter::Program> granted_;  // any one of them; empty: everything
  std::optional<filter::Program> own_;
  filter::EventContext context_;
};

}  // namespace cdgate::delivery

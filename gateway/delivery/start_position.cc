#include "gateway/delivery/start_position.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::delivery {
namespace {

constexpr size_t kDefaultEvents = 1000;
constexpr size_t kMostEvents = 100'000;
constexpr size_t kDefaultBytes = 8 << 20;
constexpr size_t kMostBytes = 64 << 20;

base::Sequence Before(base::Sequence sequence) {
  return base::Sequence(sequence.value() == 0 ? 0 : sequence.value() - 1);
}

absl::StatusOr<base::Sequence> After(const state::Store& store,
                                     const events::v1::LogPosition& position) {
  const base::Sequence after(position.sequence());
  CDGATE_RETURN_IF_ERROR(store.CheckPosition(base::Epoch(position.epoch()), after));
  const base::Sequence first = store.first().sequence;
  if (after.Next() >= first) return after;
  return base::MakeError(base::Reason::kTrimmed,
                         absl::StrCat("events after ", after.value(),
                                      " were removed by retention; the oldest kept is ",
                                      first.value(), "; start from earliest"),
                         {{"first", absl::StrCat(first.value())}});
}

}  // namespace

absl::StatusOr<base::Sequence> ResolveStart(const state::Store& store,
                                            const events::v1::StartPosition& from) {
  switch (from.position_case()) {
    case events::v1::StartPosition::kEarliest: return Before(store.first().sequence);
    case events::v1::StartPosition::kAfter: return After(store, from.after());
    case events::v1::StartPosition::kTime: {
      const absl::Time time =
          absl::FromUnixSeconds(from.time().seconds()) + absl::Nanoseconds(from.time().nanos());
      CDGATE_ASSIGN_OR_RETURN(const base::Sequence sequence, store.SequenceAt(time));
      return Before(sequence);
    }
    case events::v1::StartPosition::kLatest:
    case events::v1::StartPosition::POSITION_NOT_SET: return store.head().sequence;
  }
  return store.head().sequence;
}

WindowLimits LimitsOf(const events::v1::SubscribeStart& start, bool one_per_frame) {
  WindowLimits limits;
  limits.max_events = start.max_outstanding_events() == 0
                          ? kDefaultEvents
                          : std::min<size_t>(start.max_outstanding_events(), kMostEvents);
  limits.max_bytes = start.max_outstanding_bytes() == 0
                         ? kDefaultBytes
                         : std::min<size_t>(start.max_outstanding_bytes(), kMostBytes);
  if (start.max_events() != 0) limits.total = start.max_events();
  limits.auto_ack = start.auto_ack();
  limits.one_per_frame = one_per_frame;
  return limits;
}

}  // namespace cdgate::delivery

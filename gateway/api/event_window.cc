#include "gateway/api/event_window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using eventlog::LogWalk;

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat(field, " ", why),
                         {{"field", std::string(field)}});
}

// Of the years 1 to 9999, as protobuf has it.
absl::Status CheckTime(absl::string_view field, const google::protobuf::Timestamp& time) {
  constexpr int64_t kLeast = -62'135'596'800;
  constexpr int64_t kMost = 253'402'300'799;
  const bool fits = time.seconds() >= kLeast && time.seconds() <= kMost && time.nanos() >= 0 &&
                    time.nanos() < 1'000'000'000;
  return fits ? absl::OkStatus() : Invalid(field, "is no time of the years 1 to 9999");
}

absl::StatusOr<base::Sequence> SequenceAt(const state::Store& store, absl::string_view field,
                                          const google::protobuf::Timestamp& time) {
  CDGATE_RETURN_IF_ERROR(CheckTime(field, time));
  return store.SequenceAt(FromProto(time));
}

// "EPOCH SEQUENCE", of the last event that the page before looked at.
absl::StatusOr<base::Sequence> LastOfPage(const state::Store& store, absl::string_view last) {
  const size_t space = last.find(' ');
  uint64_t sequence = 0;
  if (space == absl::string_view::npos || !absl::SimpleAtoi(last.substr(space + 1), &sequence)) {
    return Invalid("page_token", "is not of this call; begin without one");
  }
  const base::Epoch epoch{std::string(last.substr(0, space))};
  CDGATE_RETURN_IF_ERROR(store.CheckPosition(epoch, base::Sequence(sequence)));
  return base::Sequence(sequence);
}

}  // namespace

absl::StatusOr<Window> WindowOf(const state::Store& store, const eventlog::EventLog& log,
                                const WindowQuery& query) {
  LogWalk::Range range{.begin = log.first().sequence,
                       .end = log.head().sequence.Next(),
                       .newest_first = query.newest_first};
  if (query.start_time != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(range.begin, SequenceAt(store, "start_time", *query.start_time));
  }
  if (query.end_time != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(range.end, SequenceAt(store, "end_time", *query.end_time));
  }
  range.end = std::max(range.begin, range.end);
  Window window{.whole = range, .rest = range};
  CDGATE_ASSIGN_OR_RETURN(const std::string page, ReadPageToken(query.arguments, query.page_token));
  if (page.empty()) return window;
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence last, LastOfPage(store, page));
  if (query.newest_first) {
    window.rest.end = std::max(range.begin, std::min(range.end, last));
  } else {
    window.rest.begin = std::min(range.end, std::max(range.begin, last.Next()));
  }
  return window;
}

bool SearchMeter::EndsBefore(const LogWalk::Range& range) const {
  if (looked_at_ == 0) return false;
  return range.newest_first ? last_ > range.begin : last_.Next() < range.end;
}

std::string SearchMeter::NextPage(absl::string_view arguments, const base::Epoch& epoch) const {
  return MakePageToken(arguments, absl::StrCat(epoch.value(), " ", last_.value()));
}

}  // namespace cdgate::api

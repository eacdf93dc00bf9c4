#include "gateway/api/lost_events.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/paging.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using admin::v1::ForgottenEvents;
using admin::v1::ListLostEventsRequest;
using admin::v1::ListLostEventsResponse;
using admin::v1::LostEvent;
using base::Sequence;
using storage::v1::LedgerRow;
using storage::v1::OutcomeRow;

constexpr size_t kRangesAtOnce = 256;
// Of one page.
constexpr size_t kMostRanges = 4096;
constexpr size_t kMostLooks = 10'000;

bool WasLost(const LedgerRow& range) {
  return range.reason() == base::ReasonLabel(base::Reason::kTrimmed);
}

// As explain has it: the range speaks for what was allowed. The row says what was in force when it
// was made, which is right before the event was removed.
std::string StateOf(const OutcomeRow& row, const std::string& peer, const LedgerRow& range) {
  for (const storage::v1::PeerOutcomeRow& kept : row.outcomes()) {
    const bool withheld = kept.state() == "denied" || kept.state() == "not_wanted";
    if (kept.peer() == peer && withheld) return kept.state();
  }
  return range.state();
}

// One page, while it is filled.
class LostPage {
 public:
  LostPage(const state::Store& store, std::string peer, Sequence from, size_t size)
      : store_(store), peer_(std::move(peer)), size_(size), next_(from) {}

  absl::Status Fill();
  // There may be more, from next() on.
  bool full() const {
    const int told = page_.events_size() + page_.forgotten_size();
    return static_cast<size_t>(told) >= size_ || ranges_ >= kMostRanges || looks_ >= kMostLooks;
  }
  Sequence next() const { return next_; }
  ListLostEventsResponse Take() { return std::move(page_); }

 private:
  absl::Status Add(const LedgerRow& range);
  absl::Status AddEvent(const LedgerRow& range);
  void AddForgotten();

  const state::Store& store_;
  const std::string peer_;
  const size_t size_;
  Sequence next_;  // the first that was not looked at
  size_t ranges_ = 0;
  size_t looks_ = 0;
  ListLostEventsResponse page_;
};

absl::Status LostPage::Fill() {
  bool more = true;
  while (more && !full()) {
    CDGATE_ASSIGN_OR_RETURN(const std::vector<LedgerRow> ranges,
                            store_.LedgerRows(peer_, next_, kRangesAtOnce));
    for (const LedgerRow& range : ranges) CDGATE_RETURN_IF_ERROR(Add(range));
    more = ranges.size() == kRangesAtOnce;
  }
  return absl::OkStatus();
}

absl::Status LostPage::Add(const LedgerRow& range) {
  if (full()) return absl::OkStatus();
  ++ranges_;
  next_ = std::max(next_, Sequence(range.first_sequence()));
  if (!WasLost(range)) next_ = std::max(next_, Sequence(range.last_sequence()).Next());
  while (next_.value() <= range.last_sequence() && !full()) {
    CDGATE_RETURN_IF_ERROR(AddEvent(range));
    next_ = next_.Next();
  }
  return absl::OkStatus();
}

absl::Status LostPage::AddEvent(const LedgerRow& range) {
  ++looks_;
  CDGATE_ASSIGN_OR_RETURN(const auto row, store_.OutcomeAt(next_));
  if (!row) {
    AddForgotten();
    return absl::OkStatus();
  }
  // It was never to go to whom it came from.
  if (row->received_from() == peer_ || row->origin() == peer_) return absl::OkStatus();
  LostEvent& lost = *page_.add_events();
  *lost.mutable_event() = Summarise(*row);
  lost.set_state(StateOf(*row, peer_, range));
  return absl::OkStatus();
}

void LostPage::AddForgotten() {
  auto& ranges = *page_.mutable_forgotten();
  if (ranges.empty() || ranges.rbegin()->last_sequence() + 1 != next_.value()) {
    ranges.Add()->set_first_sequence(next_.value());
  }
  ranges.rbegin()->set_last_sequence(next_.value());
}

// Where the page begins.
absl::StatusOr<Sequence> FirstOf(const std::string& arguments, const std::string& token) {
  CDGATE_ASSIGN_OR_RETURN(const std::string text, ReadPageToken(arguments, token));
  uint64_t first = 1;
  if (text.empty() || absl::SimpleAtoi(text, &first)) return Sequence(first);
  return base::MakeError(base::Reason::kInvalidArgument,
                         "page_token: is none of this call; begin without one",
                         {{"field", "page_token"}});
}

}  // namespace

absl::StatusOr<ListLostEventsResponse> ListLostEvents(const state::Store& store,
                                                      const ListLostEventsRequest& request) {
  const std::string arguments =
      absl::StrCat("/cdgate.admin.v1.AgreementService/ListLostEvents ", request.domain());
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const Sequence from, FirstOf(arguments, request.page_token()));
  LostPage page(store, request.domain(), from, size);
  CDGATE_RETURN_IF_ERROR(page.Fill());
  const bool more = page.full();
  ListLostEventsResponse response = page.Take();
  if (!more) return response;
  response.set_next_page_token(MakePageToken(arguments, absl::StrCat(page.next().value())));
  return response;
}

}  // namespace cdgate::api

#include "gateway/api/event_queries.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/paging.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/read_scope.h"

namespace cdgate::api {
namespace {

constexpr char kGet[] = "/cdgate.events.v1.EventsService/GetEvent";
constexpr char kList[] = "/cdgate.events.v1.EventsService/ListEvents";

// One call looks at so many events at the most, and answers with what it found; the
// next page goes on behind them. So a filter that matches little cannot hold a thread.
constexpr size_t kMaxScanned = 20'000;
// A page ends early rather than exceed what clients take in one message by default.
constexpr size_t kMaxPageBytes = 3 << 20;

struct Page {
  events::v1::ListEventsResponse response;
  base::Sequence last;  // looked at up to here
  size_t scanned = 0;
  size_t bytes = 0;
  bool full(size_t size) const {
    return static_cast<size_t>(response.events_size()) >= size || scanned >= kMaxScanned ||
           bytes >= kMaxPageBytes;
  }
};

void Scan(const std::vector<event::CommitPtr>& commits, base::Sequence from, size_t size,
          delivery::ReadScope& scope, Page* page) {
  for (const event::CommitPtr& commit : commits) {
    for (const event::Record& record : commit->events) {
      if (record.sequence() < from) continue;
      if (page->full(size)) return;
      page->last = record.sequence();
      ++page->scanned;
      if (!scope.Covers(record)) continue;
      page->bytes += record.byte_size();
      *page->response.add_events() = Deliver(record);
    }
  }
}

// What a token says, or where the log begins.
absl::StatusOr<base::Sequence> FirstOfPage(const eventlog::EventLog& log,
                                           const std::string& arguments, const std::string& token) {
  CDGATE_ASSIGN_OR_RETURN(const std::string last, ReadPageToken(arguments, token));
  uint64_t sequence = 0;
  if (!last.empty() && !absl::SimpleAtoi(last, &sequence)) sequence = 0;
  return std::max(base::Sequence(sequence + 1), log.first().sequence);
}

}  // namespace

absl::Status EventQueries::Register(rpc::Router& router) {
  using namespace events::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetEventRequest, DeliveredEvent>(
      kGet, pool_,
      [this](const rpc::Call& call, const auto& request) { return Get(call, request); })));
  return router.Register(OnPool<ListEventsRequest, ListEventsResponse>(
      kList, pool_,
      [this](const rpc::Call& call, const auto& request) { return List(call, request); }));
}

absl::StatusOr<events::v1::DeliveredEvent> EventQueries::Get(
    const rpc::Call& call, const events::v1::GetEventRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(delivery::ReadScope scope,
                          delivery::ReadScope::Make(*grants_.Current(), call.principal, ""));
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request));
  CDGATE_ASSIGN_OR_RETURN(const state::EventRef ref, FindEvent(store_, query));
  if (scope.Covers(*ref.record)) return Deliver(*ref.record);
  // The same answer as for an event that is not there: its existence is not told.
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("no event with id ", base::Shorten(query.id), " that your grants cover"),
      {{"id", query.id}});
}

absl::StatusOr<events::v1::ListEventsResponse> EventQueries::List(
    const rpc::Call& call, const events::v1::ListEventsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(
      delivery::ReadScope scope,
      delivery::ReadScope::Make(*grants_.Current(), call.principal, request.filter()));
  const std::string arguments = absl::StrCat(kList, " ", request.filter());
  CDGATE_ASSIGN_OR_RETURN(base::Sequence from, FirstOfPage(log_, arguments, request.page_token()));
  Page page;
  for (;;) {
    if (from > log_.head().sequence) return page.response;
    CDGATE_ASSIGN_OR_RETURN(const auto commits, log_.Read({.sequence = from}, {}));
    if (commits.empty()) return page.response;
    Scan(commits, from, size, scope, &page);
    if (page.full(size)) break;
    from = commits.back()->last_sequence.Next();
  }
  if (page.last < log_.head().sequence) {
    page.response.set_next_page_token(MakePageToken(arguments, absl::StrCat(page.last.value())));
  }
  return page.response;
}

}  // namespace cdgate::api

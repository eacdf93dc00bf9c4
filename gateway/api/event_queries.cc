#include "gateway/api/event_queries.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/authz/pattern.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/event_window.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/eventlog/log_walk.h"

namespace cdgate::api {
namespace {

constexpr char kGet[] = "/cdgate.events.v1.EventsService/GetEvent";
constexpr char kList[] = "/cdgate.events.v1.EventsService/ListEvents";

// A page ends early rather than exceed what clients take in one message by default.
constexpr size_t kMaxPageBytes = 3 << 20;

// The fields of a request that an event has to fit, besides its filter.
class Conditions {
 public:
  explicit Conditions(const events::v1::ListEventsRequest& request)
      : type_(Compile(request.type())),
        source_(Compile(request.source())),
        subject_(Compile(request.subject())),
        origin_(request.origin()),
        plane_(request.plane()) {}

  bool Fit(const event::Record& record) const {
    return Fits(type_, record.type()) && Fits(source_, record.source()) &&
           Fits(subject_, record.subject()) && (origin_.empty() || origin_ == record.origin()) &&
           (plane_.empty() || plane_ == record.stored().plane());
  }

 private:
  using MaybePattern = std::optional<authz::Pattern>;
  static MaybePattern Compile(const std::string& text) {
    return text.empty() ? MaybePattern() : MaybePattern(authz::Pattern(text));
  }
  static bool Fits(const MaybePattern& pattern, absl::string_view text) {
    return !pattern || pattern->Matches(text);
  }

  const MaybePattern type_;
  const MaybePattern source_;
  const MaybePattern subject_;
  const std::string origin_;
  const std::string plane_;
};

// The query that a page token is bound to.
std::string ArgumentsOf(events::v1::ListEventsRequest request) {
  request.clear_page_token();
  request.clear_page_size();
  return absl::StrCat(kList, " ", request.SerializeAsString());
}

// What of it the index knows.
eventlog::SearchKeys KeysOf(const events::v1::ListEventsRequest& request) {
  using eventlog::SearchKeys;
  SearchKeys keys;
  keys.AddPattern(SearchKeys::kType, request.type());
  keys.AddPattern(SearchKeys::kSource, request.source());
  keys.AddPattern(SearchKeys::kSubject, request.subject());
  return keys;
}

// One page, while it is made.
struct Page {
  const Conditions conditions;
  const size_t size;
  delivery::ReadScope scope;
  events::v1::ListEventsResponse response = {};
  SearchMeter meter = {};
  size_t bytes = 0;

  bool full() const {
    return static_cast<size_t>(response.events_size()) >= size || meter.full() ||
           bytes >= kMaxPageBytes;
  }
  void Look(const eventlog::LogWalk::Place& place) {
    meter.Look(place);
    const event::Record& record = *place.record;
    if (!conditions.Fit(record) || !scope.Covers(record)) return;
    bytes += record.byte_size();
    *response.add_events() = Deliver(record);
  }
};

absl::Status Fill(eventlog::LogWalk walk, Page* page) {
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const auto piece, walk.Next());
    if (piece.empty()) return absl::OkStatus();
    for (const eventlog::LogWalk::Place& place : piece) {
      if (page->full()) return absl::OkStatus();
      page->Look(place);
    }
  }
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
  CDGATE_ASSIGN_OR_RETURN(const state::EventRef ref, FindCovered(store_, query, scope));
  return Deliver(*ref.record);
}

absl::StatusOr<events::v1::ListEventsResponse> EventQueries::List(
    const rpc::Call& call, const events::v1::ListEventsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(
      delivery::ReadScope scope,
      delivery::ReadScope::Make(*grants_.Current(), call.principal, request.filter()));
  const std::string arguments = ArgumentsOf(request);
  CDGATE_ASSIGN_OR_RETURN(
      const Window window,
      WindowOf(store_, log_,
               {.arguments = arguments,
                .page_token = request.page_token(),
                .newest_first = request.newest_first(),
                .start_time = request.has_start_time() ? &request.start_time() : nullptr,
                .end_time = request.has_end_time() ? &request.end_time() : nullptr}));
  Page page{.conditions = Conditions(request), .size = size, .scope = std::move(scope)};
  CDGATE_RETURN_IF_ERROR(
      Fill(eventlog::LogWalk(log_, window.rest, index_.GapsFor(KeysOf(request))), &page));
  const SearchMeter& meter = page.meter;
  page.response.set_looked_at(meter.looked_at());
  if (meter.looked_at() > 0) *page.response.mutable_reached_time() = ToProto(meter.reached());
  if (page.full() && meter.EndsBefore(window.rest)) {
    page.response.set_next_page_token(meter.NextPage(arguments, store_.head().epoch));
  }
  return std::move(page.response);
}

}  // namespace cdgate::api

#include "gateway/api/trace_api.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/event_window.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/trace_page.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/eventlog/log_walk.h"

namespace cdgate::api {
namespace {

using events::v1::TraceRequest;
using events::v1::TraceResponse;

constexpr char kTrace[] = "/cdgate.events.v1.EventsService/Trace";
constexpr uint32_t kMaxDepth = 32;

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidArgument, absl::StrCat(field, " ", why),
                         {{"field", std::string(field)}});
}

absl::Status CheckTrace(const TraceRequest& request) {
  const bool names = request.has_event() || !request.chain_id().empty();
  if (!names) return Invalid("start", "is missing: name a chain or an event");
  if (request.max_depth() <= kMaxDepth) return absl::OkStatus();
  return Invalid("max_depth", absl::StrCat("is ", request.max_depth(), "; use 0 to ", kMaxDepth));
}

// The event that the trace begins with; none where it begins with a chain.
absl::StatusOr<std::optional<state::EventRef>> StartOf(const state::Store& store,
                                                       delivery::ReadScope& scope,
                                                       const TraceRequest& request) {
  if (!request.has_event()) return std::nullopt;
  CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
  return FindCovered(store, query, scope);
}

// The query that a page token is bound to.
std::string ArgumentsOf(TraceRequest request) {
  request.clear_page_token();
  request.clear_page_size();
  return absl::StrCat(kTrace, " ", request.SerializeAsString());
}

// Adds the events of the chain that the range has, until the page or the call is full.
absl::Status Search(const state::Store& store, eventlog::LogWalk walk, TracePage* page,
                    SearchMeter* meter) {
  for (;;) {
    CDGATE_ASSIGN_OR_RETURN(const auto piece, walk.Next());
    if (piece.empty()) return absl::OkStatus();
    for (const eventlog::LogWalk::Place& place : piece) {
      // At least one is looked at, so that the next page begins behind this one.
      if (meter->full() || (meter->looked_at() > 0 && page->full())) return absl::OkStatus();
      meter->Look(place);
      if (!page->IsOfChain(*place.record)) continue;
      CDGATE_ASSIGN_OR_RETURN(const state::EventRef event,
                              store.ReadEvent(place.record->sequence()));
      CDGATE_RETURN_IF_ERROR(page->Add(event));
    }
  }
}

}  // namespace

absl::Status TraceApi::Register(rpc::Router& router) {
  return router.Register(OnPool<TraceRequest, TraceResponse>(
      kTrace, pool_,
      [this](const rpc::Call& call, const auto& request) { return Trace(call, request); }));
}

absl::StatusOr<TraceResponse> TraceApi::Trace(const rpc::Call& call,
                                              const TraceRequest& request) const {
  CDGATE_RETURN_IF_ERROR(CheckTrace(request));
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(delivery::ReadScope scope,
                          delivery::ReadScope::Make(*grants_.Current(), call.principal, ""));
  CDGATE_ASSIGN_OR_RETURN(const std::optional<state::EventRef> start,
                          StartOf(store_, scope, request));
  const std::string arguments = ArgumentsOf(request);
  CDGATE_ASSIGN_OR_RETURN(
      const Window window,
      WindowOf(store_, log_,
               {.arguments = arguments,
                .page_token = request.page_token(),
                .newest_first = true,
                .start_time = request.has_start_time() ? &request.start_time() : nullptr,
                .end_time = request.has_end_time() ? &request.end_time() : nullptr}));
  TraceSettings settings{.chain_id = request.chain_id(), .window = window.whole, .size = size};
  if (request.has_max_depth()) settings.max_depth = request.max_depth();
  if (start) settings.chain_id = std::string(event::LinkReader().ChainOf(start->record->data()));

  TraceResponse response;
  response.set_chain_id(settings.chain_id);
  const bool of_chain = !settings.chain_id.empty();
  TracePage page(store_, std::move(scope), std::move(settings));
  if (start && request.page_token().empty()) CDGATE_RETURN_IF_ERROR(page.Add(*start));
  SearchMeter meter;
  if (of_chain) {
    eventlog::SearchKeys keys;
    keys.Add(eventlog::SearchKeys::kChain, response.chain_id());
    eventlog::LogWalk walk(log_, window.rest, index_.GapsFor(std::move(keys)));
    CDGATE_RETURN_IF_ERROR(Search(store_, std::move(walk), &page, &meter));
  }
  response.mutable_events()->Swap(page.events());
  response.set_looked_at(meter.looked_at());
  if (meter.looked_at() > 0) *response.mutable_reached_time() = ToProto(meter.reached());
  if (meter.EndsBefore(window.rest)) {
    response.set_next_page_token(meter.NextPage(arguments, store_.head().epoch));
  }
  return response;
}

}  // namespace cdgate::api

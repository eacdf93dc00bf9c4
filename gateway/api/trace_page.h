// Collects the events of a trace: those that are found, and those that their links lead to.
//
//   TracePage page(store, std::move(scope), {.chain_id = chain, .max_depth = 8, .size = 100});
//   if (page.IsOfChain(record)) page.Add({commit, &record});
//   response.mutable_events()->Swap(page.events());
//
// Links are what producers wrote: they may be forged, name one id for several events, or go round
// in circles. An event is taken once, so that a circle ends; what is followed is bounded by depth,
// by events, by bytes and by ids that are looked up. What the caller may not read is, to it, not
// held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/delivery/read_scope.h"
#include "gateway/event/event_links.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/log_walk.h"
#include "gateway/state/store.h"

namespace cdgate::api {

struct TraceSettings {
  std::string chain_id = {};             // empty: of none
  eventlog::LogWalk::Range window = {};  // events of the chain in it are found without links
  uint32_t max_depth = 8;                // links from an event that is added
  size_t size = 100;                     // events of the chain
};

// Not thread-safe; reads the disk.
class TracePage {
 public:
  static constexpr size_t kMaxEvents = 2000;
  static constexpr size_t kMaxBytes = 3 << 20;
  static constexpr size_t kMaxLookups = 4096;
  static constexpr size_t kMaxSameId = 16;

  // `store` outlives it.
  TracePage(const state::Store& store, delivery::ReadScope scope, TraceSettings settings)
      : store_(store), scope_(std::move(scope)), settings_(std::move(settings)) {}

  // Whether the event is of the chain, and the caller's to read.
  bool IsOfChain(const event::Record& record) {
    return reader_.ChainOf(record.data()) == settings_.chain_id && scope_.Covers(record);
  }
  // Takes the event and what its links lead to, as far as there is room. Errors of the log.
  absl::Status Add(const state::EventRef& event);
  // No more events of the chain are to be added.
  bool full() const { return of_chain_ >= settings_.size || Crowded() || lookups_ >= kMaxLookups; }
  google::protobuf::RepeatedPtrField<events::v1::TracedEvent>* events() { return &events_; }

 private:
  struct Step {
    state::EventRef event;
    uint32_t depth = 0;
  };

  bool Crowded() const {
    return static_cast<size_t>(events_.size()) >= kMaxEvents || bytes_ >= kMaxBytes;
  }
  absl::Status Take(const Step& step);
  absl::Status LookUp(const event::EventLink& link, uint32_t depth, events::v1::TracedLink* out);
  void Follow(state::EventRef event, uint32_t depth);
  void Enqueue(state::EventRef event, uint32_t depth);

  const state::Store& store_;
  delivery::ReadScope scope_;
  const TraceSettings settings_;
  event::LinkReader reader_;
  google::protobuf::RepeatedPtrField<events::v1::TracedEvent> events_;
  absl::flat_hash_set<uint64_t> taken_;  // sequences, also of those in the queue
  std::deque<Step> queue_;
  size_t of_chain_ = 0;
  size_t bytes_ = 0;
  size_t lookups_ = 0;
};

}  // namespace cdgate::api

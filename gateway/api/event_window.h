// Which events of the log a search looks at, page by page.
//
//   CDGATE_ASSIGN_OR_RETURN(const Window window, WindowOf(store, log, {.arguments = arguments,
//   ...})); SearchMeter meter; for (eventlog::LogWalk walk(log, window.rest); ...;) ...
//   meter.Look(place) ... if (meter.EndsBefore(window.rest))
//   response.set_next_page_token(meter.NextPage(arguments, epoch));
//
// A page token says in which life of the log and behind which sequence the search goes on, so that
// it stays good while events arrive. It gives no access: what is found is always the caller's to
// read.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/types.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/log_walk.h"
#include "gateway/state/store.h"
#include "google/protobuf/timestamp.pb.h"

namespace cdgate::api {

// What bounds a search.
struct WindowQuery {
  std::string arguments = {};  // what the page token has to belong to
  std::string page_token = {};
  bool newest_first = false;
  const google::protobuf::Timestamp* start_time = nullptr;  // null: none
  const google::protobuf::Timestamp* end_time = nullptr;
};

// What a search goes through.
struct Window {
  eventlog::LogWalk::Range whole;
  eventlog::LogWalk::Range rest;  // what the pages before did not look at
};

// (blocks) INVALID_ARGUMENT for a time that is none or a page token that is
// not of these arguments; WRONG_EPOCH and EPOCH_REGRESSED where it is of another life of the log.
absl::StatusOr<Window> WindowOf(const state::Store& store, const eventlog::EventLog& log,
                                const WindowQuery& query);

// Counts what one call looks at. So a search that finds little holds no thread: it answers with
// what it found, and the next page goes on behind that.
class SearchMeter {
 public:
  static constexpr size_t kMost = 20'000;

  void Look(const eventlog::LogWalk::Place& place) {
    ++looked_at_;
    last_ = place.record->sequence();
    reached_ = place.commit->commit_time;
  }
  bool full() const { return looked_at_ >= kMost; }
  size_t looked_at() const { return looked_at_; }
  // Of the last event's commit.
  absl::Time reached() const { return reached_; }
  // Whether anything of `range` is behind the last event.
  bool EndsBefore(const eventlog::LogWalk::Range& range) const;
  // The page behind the last event.
  std::string NextPage(absl::string_view arguments, const base::Epoch& epoch) const;

 private:
  size_t looked_at_ = 0;
  base::Sequence last_;
  absl::Time reached_;
};

}  // namespace cdgate::api

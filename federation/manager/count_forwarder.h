// Passes on what a peer asks another one about its events, and the answer, both as they are: for
// peers that have no link with the origin.
//
//   CountForwarder forwarder(deps);
//   forwarder.OnRequest("gamma.example", request);            // to alpha.example, where we can
//   if (forwarder.OnAnswer("alpha.example", answer)) return;  // it was for gamma.example
//
// A peer asks for itself alone: nobody passes on what was passed on.
#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "federation/manager/count_parts.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

// How long an answer is waited for.
inline constexpr absl::Duration kForwardLife = absl::Minutes(1);
// What one peer may ask: at once, and then so many a second; and how many origins at the same time.
inline constexpr double kForwardsAtOnce = 128;
inline constexpr double kForwardsPerSecond = 10;
inline constexpr size_t kMaxForwarded = 4;

// Thread-safe.
class CountForwarder {
 public:
  explicit CountForwarder(const CountDeps& deps) : deps_(deps) {}

  // `peer`, authenticated, asks about the events of another domain than ours. Does not block.
  void OnRequest(absl::string_view peer, const federation::v1::CountRequest& request);
  // False: nobody waits for it here. Does not block.
  bool OnAnswer(absl::string_view peer, const federation::v1::CountAnswer& answer);

 private:
  struct Forwarded {
    std::string asker, origin;
    absl::Duration until;  // monotonic
  };

  absl::string_view Note(const std::string& peer, const federation::v1::CountRequest& request);

  const CountDeps& deps_;
  base::Mutex mu_;
  std::map<std::string, Forwarded> forwarded_ CDGATE_GUARDED_BY(mu_);  // by id
  std::map<std::string, CountAllowance> allowed_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager

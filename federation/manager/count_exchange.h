// Counts over the links of one gateway: it answers for its own events, passes on what its peers
// ask each other, and asks.
//
//   CountExchange counts({.domain = "gamma.example", .store = store, .send = ..., ...});
//   manager.on_count_request = [&](auto peer, const auto& r) { counts.OnRequest(peer, r); };
//   manager.on_count_answer = [&](auto peer, const auto& a) { counts.OnAnswer(peer, a); };
//   counts.Ask({.origin = "alpha.example"}, [](absl::StatusOr<CountReport> report) { ... });
#pragma once

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "federation/manager/count_answerer.h"
#include "federation/manager/count_asker.h"
#include "federation/manager/count_forwarder.h"

namespace cdgate::manager {

// Thread-safe. The links and the pool of `deps` are shut down before it goes.
class CountExchange {
 public:
  explicit CountExchange(CountDeps deps)
      : deps_(std::move(deps)),
        answerer_(deps_),
        forwarder_(deps_),
        asker_(CountAsker::Create(deps_)) {}

  // `peer`, authenticated, asks. Does not block.
  void OnRequest(absl::string_view peer, const federation::v1::CountRequest& request) {
    if (request.origin() == deps_.domain) return answerer_.OnRequest(peer, request);
    forwarder_.OnRequest(peer, request);
  }
  // `peer`, authenticated, answers. Does not block.
  void OnAnswer(absl::string_view peer, const federation::v1::CountAnswer& answer) {
    if (!forwarder_.OnAnswer(peer, answer)) asker_->OnAnswer(peer, answer);
  }

  // (disk) As CountAsker::Ask.
  void Ask(CountAsk ask, CountAsker::Reported reported) {
    asker_->Ask(std::move(ask), std::move(reported));
  }

 private:
  const CountDeps deps_;
  CountAnswerer answerer_;
  CountForwarder forwarder_;
  const std::shared_ptr<CountAsker> asker_;
};

}  // namespace cdgate::manager

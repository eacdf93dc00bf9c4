#include "federation/manager/count_forwarder.h"

#include <algorithm>
#include <utility>

#include "federation/attestation/origin_count.h"
#include "gateway/base/errors.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using federation::v1::CountAnswer;
using federation::v1::CountRequest;
using federation::v1::Frame;

}  // namespace

void CountForwarder::OnRequest(absl::string_view peer, const CountRequest& request) {
  const std::string asker(peer);
  absl::string_view refusal = Note(asker, request);
  if (refusal.empty()) {
    Frame frame;
    *frame.mutable_count_request() = request;
    if (deps_.send(request.origin(), std::move(frame))) return;
    // One answer for a domain that is no peer, one whose link is down, and one that cannot count.
    refusal = base::ReasonText(Reason::kNotFound);
    base::MutexLock lock(mu_);
    forwarded_.erase(request.id());
  }
  Frame frame;
  frame.mutable_count_answer()->set_id(request.id());
  frame.mutable_count_answer()->set_reason(std::string(refusal));
  static_cast<void>(deps_.send(peer, std::move(frame)));
}

// Empty: it may be passed on.
absl::string_view CountForwarder::Note(const std::string& peer, const CountRequest& request) {
  if (request.destination() != peer || request.origin() == peer ||
      request.id().size() != attestation::kCountIdBytes) {
    return base::ReasonText(Reason::kInvalidArgument);
  }
  const absl::Duration now = deps_.clock.Monotonic();
  base::MutexLock lock(mu_);
  auto& allowed = allowed_.try_emplace(peer, kForwardsAtOnce, kForwardsPerSecond).first->second;
  if (!allowed.Take(now)) return base::ReasonText(Reason::kOverloaded);
  // A newer question of the same takes the place of the one before.
  std::erase_if(forwarded_, [&](const auto& entry) {
    const Forwarded& other = entry.second;
    return other.until < now || (other.asker == peer && other.origin == request.origin());
  });
  const auto of_peer = std::count_if(forwarded_.begin(), forwarded_.end(),
                                     [&](const auto& entry) { return entry.second.asker == peer; });
  if (static_cast<size_t>(of_peer) >= kMaxForwarded || forwarded_.contains(request.id())) {
    return base::ReasonText(Reason::kOverloaded);
  }
  forwarded_[request.id()] = {peer, request.origin(), now + kForwardLife};
  return "";
}

bool CountForwarder::OnAnswer(absl::string_view peer, const CountAnswer& answer) {
  std::string asker;
  {
    base::MutexLock lock(mu_);
    const auto it = forwarded_.find(answer.id());
    if (it == forwarded_.end() || it->second.origin != peer) return false;
    asker = it->second.asker;
    forwarded_.erase(it);
  }
  Frame frame;
  *frame.mutable_count_answer() = answer;
  static_cast<void>(deps_.send(asker, std::move(frame)));
  return true;
}

}  // namespace cdgate::manager

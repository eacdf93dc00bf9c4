#include "federation/manager/published_links.h"

#include <utility>

namespace cdgate::manager {

void PublishedLinks::Set(const std::string& peer, LinkReport report,
                         std::shared_ptr<session::Session> session) {
  base::MutexLock lock(mu_);
  links_[peer] = {std::move(report), std::move(session)};
}

void PublishedLinks::Erase(const std::string& peer) {
  base::MutexLock lock(mu_);
  links_.erase(peer);
}

std::optional<PublishedLinks::Published> PublishedLinks::Find(absl::string_view peer) const {
  base::MutexLock lock(mu_);
  const auto it = links_.find(peer);
  if (it == links_.end()) return std::nullopt;
  return it->second;
}

std::optional<LinkReport> PublishedLinks::Report(absl::string_view domain,
                                                 absl::string_view peer) const {
  auto published = Find(peer);
  if (!published) return std::nullopt;
  LinkReport report = std::move(published->report);
  if (published->session != nullptr) {
    AddSession(published->session->status(), domain, peer, &report);
  }
  return report;
}

std::shared_ptr<session::Session> PublishedLinks::CountingSession(absl::string_view peer) const {
  auto published = Find(peer);
  if (!published || published->session == nullptr) return nullptr;
  const session::SessionStatus status = published->session->status();
  if (status.state != link::State::kUp || !status.counts) return nullptr;
  return std::move(published->session);
}

}  // namespace cdgate::manager

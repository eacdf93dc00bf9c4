#include "gateway/app/retention_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/logging.h"
#include "gateway/base/timestamp.h"

namespace cdgate::app {
namespace {

std::string TimeText(absl::Time time) { return base::FormatRfc3339(absl::ToUnixSeconds(time), 0); }

void Warn(const PeerBacklog& backlog) {
  base::Log(base::LogLevel::kWarning, "retention will remove events that a peer has not got",
            {{"peer", backlog.peer},
             {"waiting", absl::StrCat(backlog.waiting)},
             {"from", TimeText(backlog.loss)}});
}

void Tell(const PeerBacklog& backlog, uint64_t before) {
  base::Log(base::LogLevel::kError, "retention removed events that a peer had not got",
            {{"peer", backlog.peer},
             {"events", absl::StrCat(backlog.lost - before)},
             {"in_all", absl::StrCat(backlog.lost)},
             {"which", absl::StrCat("cdgate peer lost ", backlog.peer)}});
}

}  // namespace

void RetentionWatch::Look(const PeerBacklog& backlog, absl::Time now) {
  const bool near = backlog.waiting > 0 && backlog.loss < now + warn_before_;
  Known before;
  {
    base::MutexLock lock(mu_);
    const auto [it, first] = known_.try_emplace(backlog.peer);
    if (first) it->second.lost = backlog.lost;  // what was lost before we began was told then
    before = it->second;
    it->second = {.warned = near, .lost = backlog.lost, .problem = ""};
    if (near) {
      it->second.problem =
          absl::StrCat("peer ", backlog.peer, " has not got ", backlog.waiting,
                       " events that retention removes from ", TimeText(backlog.loss),
                       " on; see cdgate peer show, or raise log.retention");
    }
  }
  if (near && !before.warned) Warn(backlog);
  if (backlog.lost > before.lost) Tell(backlog, before.lost);
}

std::vector<std::string> RetentionWatch::Problems() const {
  std::vector<std::string> problems;
  base::MutexLock lock(mu_);
  for (const auto& [peer, known] : known_) {
    if (!known.problem.empty()) problems.push_back(known.problem);
  }
  return problems;
}

}  // namespace cdgate::app

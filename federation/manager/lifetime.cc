#include "federation/manager/lifetime.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/timestamp.h"

namespace cdgate::manager {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

// "6 days", "3 hours", "40 minutes", rounded down; "moments" below.
std::string Roughly(absl::Duration left) {
  const auto say = [](int64_t count, absl::string_view unit) {
    return absl::StrCat(count, " ", unit, count == 1 ? "" : "s");
  };
  if (left >= kDay) return say(left / kDay, "day");
  if (left >= absl::Hours(1)) return say(left / absl::Hours(1), "hour");
  if (left >= absl::Minutes(1)) return say(left / absl::Minutes(1), "minute");
  return "moments";
}

}  // namespace

absl::Time EndOf(const admin::v1::Peer& peer) {
  return peer.has_expire_time() ? absl::FromUnixSeconds(peer.expire_time().seconds())
                                : absl::InfiniteFuture();
}

EndStage StageOf(absl::Time end, absl::Time now) {
  const absl::Duration left = end - now;
  if (left <= absl::ZeroDuration()) return EndStage::kEnded;
  if (left <= kDay) return EndStage::kDay;
  if (left <= 7 * kDay) return EndStage::kWeek;
  if (left <= 30 * kDay) return EndStage::kMonth;
  return EndStage::kDistant;
}

std::string EndText(absl::string_view domain, absl::Time end, absl::Time now) {
  const std::string at = base::FormatRfc3339(absl::ToUnixSeconds(end), 0);
  const std::string remedy =
      absl::StrCat("renew it with cdgate peer renew ", domain, ", here and there");
  if (end <= now) {
    return absl::StrCat("the agreement with ", domain, " ended at ", at, ", nothing crosses; ",
                        remedy);
  }
  return absl::StrCat("the agreement with ", domain, " ends in ", Roughly(end - now), ", at ", at,
                      "; ", remedy);
}

std::vector<EndNotice> EndNotices::Due(const std::vector<admin::v1::Peer>& peers, absl::Time now) {
  std::vector<EndNotice> due;
  std::map<std::string, Told> told;
  for (const admin::v1::Peer& peer : peers) {
    if (peer.state() != admin::v1::PEER_STATE_APPROVED) continue;
    const absl::Time end = EndOf(peer);
    const EndStage stage = StageOf(end, now);
    const auto before = told_.find(peer.domain());
    const bool same = before != told_.end() && before->second.end == end;
    const EndStage known = same ? before->second.stage : EndStage::kDistant;
    if (stage > known) due.push_back({peer.domain(), stage, end});
    told[peer.domain()] = {end, std::max(stage, known)};
  }
  told_ = std::move(told);
  return due;
}

}  // namespace cdgate::manager

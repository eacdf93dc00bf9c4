#include "federation/manager/given_book.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using session::GivenKind;
using storage::v1::GivenEvents;

constexpr absl::string_view kSuffix = ".pb";
// What is new waits that long to be written, and what is known.
constexpr absl::Duration kNewWaits = absl::Seconds(3);
constexpr absl::Duration kKnownWaits = absl::Minutes(1);

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) {
    return base::MakeError(base::Reason::kFileUnreadable,
                           absl::StrCat("cannot read the folder ", folder, ": errno ", errno));
  }
  std::vector<std::string> names;
  while (const dirent* const entry = readdir(dir.get())) {
    if (absl::EndsWith(entry->d_name, kSuffix)) names.emplace_back(entry->d_name);
  }
  return names;
}

bool IsRecent(uint32_t day, uint32_t today) { return day + kGivenDays > today; }

}  // namespace

uint32_t DayOf(absl::Time time) {
  const int64_t day = (time - absl::UnixEpoch()) / absl::Hours(24);
  return static_cast<uint32_t>(std::clamp<int64_t>(day, 0, UINT32_MAX / 2));
}

absl::Status GivenBook::Open() {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(folder_, 0700));
  CDGATE_ASSIGN_OR_RETURN(const auto names, FilesIn(folder_));
  for (const std::string& name : names) {
    Read(std::string(absl::StripSuffix(name, kSuffix)));
  }
  return absl::OkStatus();
}

std::string GivenBook::PathOf(absl::string_view peer) const {
  return base::JoinPath(folder_, absl::StrCat(peer, kSuffix));
}

void GivenBook::Read(const std::string& peer) {
  GivenEvents held;
  absl::Status read;
  if (const auto bytes = base::ReadFile(PathOf(peer)); !bytes.ok()) {
    read = bytes.status();
  } else if (!held.ParseFromString(*bytes)) {
    read = base::MakeError(
        base::Reason::kLogCorrupt,
        absl::StrCat(PathOf(peer), " is damaged: the catalogue for ", peer, " begins anew"));
  }
  if (!read.ok()) {
    return base::LogError(base::LogLevel::kError, "what was given is not known", read,
                          {{"peer", peer}});
  }
  base::MutexLock lock(mu_);
  Peer& slot = peers_[peer];
  slot.version = 1;
  slot.truncated = held.truncated();
  for (const auto& row : held.rows()) {
    slot.days[{row.type(), row.source(), row.plane()}] = row.last_day();
  }
}

// What was given longest ago goes; nothing that was given today.
bool GivenBook::MakeRoom(Peer& peer, uint32_t today) const {
  if (peer.days.size() < session::kMaxGivenKinds) return true;
  if (peer.full_on == today) return false;
  const auto oldest =
      std::min_element(peer.days.begin(), peer.days.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  peer.truncated = peer.truncated || IsRecent(oldest->second, today);
  if (oldest->second >= today) {
    peer.full_on = today;
    return false;
  }
  const uint32_t day = oldest->second;
  // All of that day: else each new kind would look for one.
  std::erase_if(peer.days, [day](const auto& entry) { return entry.second == day; });
  return true;
}

void GivenBook::Given(absl::string_view peer, const GivenKind& kind) {
  const absl::Time now = clock_.Now();
  const uint32_t today = DayOf(now);
  base::MutexLock lock(mu_);
  auto it = peers_.find(peer);
  if (it == peers_.end()) it = peers_.emplace(std::string(peer), Peer()).first;
  Peer& slot = it->second;
  auto known = slot.days.find(kind);
  const bool fresh = known == slot.days.end();
  if (!fresh && known->second == today) return;
  if (fresh && !MakeRoom(slot, today)) return;
  slot.days[kind] = today;
  ++slot.version;
  slot.write_at = std::min(slot.write_at, now + (fresh ? kNewWaits : kKnownWaits));
}

GivenEvents GivenBook::RowsOf(const Peer& peer) const {
  const uint32_t today = DayOf(clock_.Now());
  GivenEvents out;
  out.set_truncated(peer.truncated);
  for (const auto& [kind, day] : peer.days) {
    if (!IsRecent(day, today)) continue;
    auto& row = *out.add_rows();
    row.set_type(kind.type);
    row.set_source(kind.source);
    row.set_plane(kind.plane);
    row.set_last_day(day);
  }
  return out;
}

std::shared_ptr<const GivenEvents> GivenBook::Of(absl::string_view peer) const {
  base::MutexLock lock(mu_);
  const auto it = peers_.find(peer);
  return std::make_shared<const GivenEvents>(it == peers_.end() ? GivenEvents()
                                                                : RowsOf(it->second));
}

uint64_t GivenBook::VersionOf(absl::string_view peer) const {
  base::MutexLock lock(mu_);
  const auto it = peers_.find(peer);
  return it == peers_.end() ? 0 : it->second.version;
}

void GivenBook::Flush(bool all) {
  const absl::Time now = clock_.Now();
  std::map<std::string, GivenEvents> due;
  {
    base::MutexLock lock(mu_);
    for (auto& [name, peer] : peers_) {
      // A clock that was set back writes early, and once.
      const bool waits = peer.write_at > now && peer.write_at <= now + kKnownWaits;
      if (peer.write_at == absl::InfiniteFuture() || (waits && !all)) continue;
      peer.write_at = absl::InfiniteFuture();
      const uint32_t today = DayOf(now);
      std::erase_if(peer.days,
                    [today](const auto& entry) { return !IsRecent(entry.second, today); });
      due.emplace(name, RowsOf(peer));
    }
  }
  for (const auto& [name, rows] : due) {
    const absl::Status written =
        base::WriteFileAtomically(PathOf(name), rows.SerializeAsString(), 0600);
    if (written.ok()) continue;
    base::LogError(base::LogLevel::kError, "what was given is not on disk", written,
                   {{"peer", name}});
    base::MutexLock lock(mu_);
    Peer& peer = peers_[name];
    peer.write_at = std::min(peer.write_at, now + kKnownWaits);
  }
}

}  // namespace cdgate::manager

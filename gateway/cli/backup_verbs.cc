// Backups of a gateway's data, what is made of them, and what is open after one was restored.
#include "gateway/cli/backup_verbs.h"

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/recovery.grpc.pb.h"
#include "gateway/backup/manifest.h"
#include "gateway/backup/restore.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"
#include "gateway/base/status_macros.h"

namespace cdgate::cli {
namespace {

using RecoveryStub = admin::v1::RecoveryService::Stub;
using admin::v1::FetchEventsResponse;
using admin::v1::LostEvents;
using admin::v1::PeerRestore;

constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;
// As long as the disks, or the peer's log, need.
constexpr absl::Duration kLongCall = absl::Hours(12);

// --------------------------------------------------------------------- backup

struct BackupFlags {
  std::string directory;
};

// Mostly the gateway runs on this machine.
absl::StatusOr<std::string> AbsolutePath(const std::string& path) {
  if (path.empty()) return UsageError("name the folder that the backup is to be, or verify");
  return std::filesystem::absolute(path).lexically_normal().string();
}

absl::StatusOr<int> Backup(const BackupFlags& flags, Invocation& run) {
  admin::v1::CreateBackupRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_directory(), AbsolutePath(flags.directory));
  CDGATE_ASSIGN_OR_RETURN(const auto made,
                          run.Call(&RecoveryStub::CreateBackup, request, kLongCall));
  run.Print(made, [&] {
    run.out() << made.directory() << ": " << Count(made.files(), "file") << ", " << made.bytes()
              << " bytes, events through " << made.head_sequence() << " of epoch " << made.epoch()
              << "\n";
    run.Note(
        "it holds events and secrets/sealing.key, and no certificates: keep it as you keep the "
        "data directory; cdgate backup verify reads it again");
  });
  return kExitDone;
}

absl::StatusOr<int> Verify(const BackupFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto manifest, backup::Verify(flags.directory));
  run.Print(manifest, [&] {
    run.out() << flags.directory << " is whole: " << Count(manifest.files_size(), "file") << " of "
              << manifest.domain() << ", events through " << manifest.head_sequence()
              << " of epoch " << manifest.epoch() << ", made "
              << TimeText(absl::FromUnixNanos(manifest.create_time_nanos())) << "\n";
  });
  return kExitDone;
}

// -------------------------------------------------------------------- restore

struct RestoreFlags {
  std::string directory;
  std::string data_dir;
};

absl::StatusOr<int> Restore(const RestoreFlags& flags, Invocation& run) {
  if (flags.directory.empty() || flags.data_dir.empty()) {
    return UsageError(
        "name the backup and --data-dir, the new data directory; or status, or fetch");
  }
  CDGATE_ASSIGN_OR_RETURN(
      const auto record,
      backup::Restore(flags.directory, flags.data_dir, base::SystemClock(), base::SystemRandom()));
  run.Print(record, [&] {
    run.out() << flags.data_dir << " is restored: events through " << record.head_sequence()
              << " of epoch " << record.epoch_before() << "; the log goes on in epoch "
              << record.epoch() << "\n";
    run.Note(
        "next: start the gateway; cdgate restore status says what peers have that it lost, and "
        "cdgate restore fetch PEER gets that back");
  });
  return kExitDone;
}

std::string LostText(const PeerRestore& peer) {
  if (!peer.heard()) return "not heard yet";
  std::string out;
  for (const LostEvents& lost : peer.lost()) {
    if (!out.empty()) out += "; ";
    absl::StrAppend(&out, lost.first_sequence(), "..", lost.last_sequence(), " of ", lost.epoch(),
                    " (at most ", Count(lost.most_events(), "event"), ")");
  }
  return out.empty() ? "nothing" : out;
}

std::string AgainText(const PeerRestore& peer) {
  if (peer.link_epoch().empty()) return "all that it sent";
  return absl::StrCat("positions from ", peer.again_from_position(), ", we are at ",
                      peer.received_position());
}

std::string FetchedText(const FetchEventsResponse& fetched) {
  std::string out = absl::StrCat(Count(fetched.recovered(), "event"), " recovered, ",
                                 fetched.present(), " were here");
  const uint64_t not_taken = fetched.altered() + fetched.unproven() + fetched.refused();
  if (not_taken == 0) return out;
  absl::StrAppend(&out, "; not taken: ", fetched.altered(), " altered, ", fetched.unproven(),
                  " unproven, ", fetched.refused(), " refused");
  return out;
}

void PrintPeers(const admin::v1::Restore& restore, std::ostream& out) {
  for (const PeerRestore& peer : restore.peers()) {
    out << peer.peer() << "\n  has of ours and we lost  " << LostText(peer) << "\n";
    if (restore.restored()) out << "  we get of its again      " << AgainText(peer) << "\n";
    if (peer.has_fetched())
      out << "  fetched back             " << FetchedText(peer.fetched()) << "\n";
  }
}

absl::StatusOr<int> Status(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto restore,
                          run.Call(&RecoveryStub::GetRestore, admin::v1::GetRestoreRequest()));
  run.Print(restore, [&] {
    if (restore.restored()) {
      run.out() << "restored " << TimeText(true, restore.restore_time()) << " from a backup of "
                << TimeText(true, restore.backup_time()) << ": events through "
                << restore.head_sequence() << " of epoch " << restore.epoch_before()
                << ", then epoch " << restore.epoch() << "\n";
    } else {
      run.out() << "this data was not restored from a backup\n";
    }
    PrintPeers(restore, run.out());
  });
  return kExitDone;
}

// ---------------------------------------------------------------------- fetch

struct FetchFlags {
  std::string domain;
  std::string from;
  bool unproven = false;
};

absl::StatusOr<int> Fetch(const FetchFlags& flags, Invocation& run) {
  admin::v1::FetchEventsRequest request;
  request.set_domain(flags.domain);
  request.set_unproven(flags.unproven);
  if (!flags.from.empty()) {
    absl::Time from;
    std::string why;
    if (!absl::ParseTime(absl::RFC3339_full, flags.from, &from, &why)) {
      return UsageError(absl::StrCat("--from ", flags.from,
                                     " is no time; write it as "
                                     "2026-11-27T00:00:00Z"));
    }
    *request.mutable_accepted_from() = ToProto(from);
  }
  CDGATE_ASSIGN_OR_RETURN(const auto fetched,
                          run.Call(&RecoveryStub::FetchEvents, request, kLongCall));
  run.Print(fetched, [&] {
    run.out() << flags.domain << ": " << FetchedText(fetched) << "\n";
    Table table({{"REASON"}, {"SOURCE", Table::kShrinks}, {"ID", Table::kShrinks}});
    for (const auto& one : fetched.not_taken()) {
      table.AddRow({one.reason(), one.source(), one.id()});
    }
    if (!table.empty()) run.Print(table, "");
  });
  return fetched.altered() + fetched.unproven() + fetched.refused() == 0 ? kExitDone : kExitNo;
}

CLI::App* AddBackupVerify(Verbs& verbs, CLI::App* group,
                          const std::shared_ptr<BackupFlags>& flags) {
  CLI::App* const verb =
      verbs.AddVerb(group, "verify", "Read a backup and say whether it is whole, without a gateway",
                    "cdgate backup verify /backups/monday", Verbs::kPrints,
                    [flags](Invocation& run) { return Verify(*flags, run); });
  verb->add_option("DIR", flags->directory, "The backup")->required();
  return verb;
}

CLI::App* AddStatus(Verbs& verbs, CLI::App* group) {
  return verbs.AddVerb(group, "status", "Say what peers have that a restored log lost",
                       "cdgate restore status", kBoth, Status);
}

CLI::App* AddFetch(Verbs& verbs, CLI::App* group, const std::shared_ptr<FetchFlags>& flags) {
  CLI::App* const verb =
      verbs.AddVerb(group, "fetch", "Get our own events back from a peer that has them",
                    "cdgate restore fetch beta.example", kBoth,
                    [flags](Invocation& run) { return Fetch(*flags, run); });
  verb->add_option("PEER", flags->domain, "The peer")->required();
  verb->add_option("--from", flags->from,
                   "Events that we accepted from this time on; default: the end of the backup")
      ->option_text("TIME");
  verb->add_flag("--unproven", flags->unproven,
                 "Take events that nobody signed, too, on the peer's word");
  return verb;
}

}  // namespace

// What is parsed last is chosen: the group itself, which passes on to the verb behind it.
void AddBackupVerbs(Verbs& verbs) {
  const auto flags = std::make_shared<BackupFlags>();
  const auto verify_flags = std::make_shared<BackupFlags>();
  const auto verify = std::make_shared<CLI::App*>(nullptr);
  CLI::App* const group =
      verbs.AddVerb(nullptr, "backup", "Copy the data of a running gateway, and verify copies",
                    "cdgate backup /backups/monday\ncdgate backup verify /backups/monday", kBoth,
                    [flags, verify_flags, verify](Invocation& run) {
                      return (*verify)->parsed() ? Verify(*verify_flags, run) : Backup(*flags, run);
                    });
  group->add_option("DIR", flags->directory,
                    "A folder that is not there, on the gateway's machine");
  *verify = AddBackupVerify(verbs, group, verify_flags);
}

void AddRestoreVerbs(Verbs& verbs) {
  const auto flags = std::make_shared<RestoreFlags>();
  const auto fetch_flags = std::make_shared<FetchFlags>();
  const auto behind = std::make_shared<std::vector<CLI::App*>>();
  CLI::App* const group = verbs.AddVerb(
      nullptr, "restore", "Make a data directory of a backup, and get back what is missing",
      "cdgate restore /backups/monday --data-dir /var/lib/cdgate\ncdgate restore status\n"
      "cdgate restore fetch beta.example",
      Verbs::kPrints, [flags, fetch_flags, behind](Invocation& run) {
        if (behind->at(0)->parsed()) return Status(run);
        if (behind->at(1)->parsed()) return Fetch(*fetch_flags, run);
        return Restore(*flags, run);
      });
  group->add_option("DIR", flags->directory, "The backup; no gateway is needed");
  group->add_option("--data-dir", flags->data_dir, "Empty, or not there")->option_text("DIR");
  behind->push_back(AddStatus(verbs, group));
  behind->push_back(AddFetch(verbs, group, fetch_flags));
}

}  // namespace cdgate::cli

#include "gateway/app/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "federation/session/lost_ranges.h"
#include "federation/session/session_types.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/backup/restore.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

using admin::v1::FetchEventsRequest;
using admin::v1::FetchEventsResponse;
using admin::v1::PeerRestore;
using admin::v1::Restore;
using storage::v1::RestoreRecord;

// Events are accepted a moment before they are committed, and clocks are set.
constexpr absl::Duration kFetchMargin = absl::Minutes(5);

std::string Method(absl::string_view name) {
  return absl::StrCat("/cdgate.admin.v1.RecoveryService/", name);
}

admin::v1::LostEvents ToLost(const storage::v1::LostRange& range) {
  admin::v1::LostEvents out;
  out.set_epoch(range.epoch());
  out.set_first_sequence(range.first_sequence());
  out.set_last_sequence(range.last_sequence());
  const uint64_t sequences = range.last_sequence() - range.first_sequence() + 1;
  const uint64_t positions =
      range.position() - std::min(range.recorded_position(), range.position());
  out.set_most_events(std::min(sequences, positions));
  return out;
}

storage::v1::FetchedEvents ToStored(const FetchEventsResponse& response) {
  storage::v1::FetchedEvents out;
  out.set_fetch_time_nanos(absl::ToUnixNanos(api::FromProto(response.fetch_time())));
  out.set_recovered(response.recovered());
  out.set_present(response.present());
  out.set_altered(response.altered());
  out.set_unproven(response.unproven());
  out.set_refused(response.refused());
  return out;
}

FetchEventsResponse ToResponse(const storage::v1::FetchedEvents& stored) {
  FetchEventsResponse out;
  *out.mutable_fetch_time() = api::ToProto(absl::FromUnixNanos(stored.fetch_time_nanos()));
  out.set_recovered(stored.recovered());
  out.set_present(stored.present());
  out.set_altered(stored.altered());
  out.set_unproven(stored.unproven());
  out.set_refused(stored.refused());
  return out;
}

}  // namespace

Recovery::Recovery(RecoveryDeps deps)
    : deps_(std::move(deps)),
      backups_({.config = deps_.config,
                .software = deps_.software,
                .storage = deps_.storage,
                .clock = deps_.fetch.clock}),
      fetch_back_api_({.domain = deps_.config.domain(),
                       .store = deps_.storage.store(),
                       .log = deps_.storage.log(),
                       .attestors = deps_.fetch.attestors,
                       .clock = deps_.fetch.clock,
                       .pool = deps_.pool,
                       .started_frozen = deps_.started_frozen}) {}

absl::StatusOr<std::unique_ptr<Recovery>> Recovery::Open(RecoveryDeps deps) {
  std::unique_ptr<Recovery> recovery(new Recovery(std::move(deps)));
  CDGATE_RETURN_IF_ERROR(recovery->NoteStart());
  return recovery;
}

absl::Status Recovery::NoteStart() {
  const std::string& data_dir = deps_.config.data_dir();
  CDGATE_ASSIGN_OR_RETURN(record_, backup::ReadRestoreRecord(data_dir));
  if (!record_ || record_->started()) return absl::OkStatus();
  for (const auto& move : deps_.storage.store().Cursors("link/")) {
    absl::string_view peer = move.reader();
    if (!absl::ConsumePrefix(&peer, "link/") || !absl::ConsumeSuffix(&peer, "/import")) continue;
    storage::v1::RestoredImport& import = *record_->add_imports();
    import.set_peer(std::string(peer));
    import.set_link_epoch(move.epoch());
    import.set_position(move.position());
  }
  record_->set_started(true);
  base::Log(base::LogLevel::kWarning, "the first start on restored data",
            {{"head", absl::StrCat(record_->head_sequence())},
             {"epoch_before", record_->epoch_before()},
             {"epoch", record_->epoch()},
             {"next", "cdgate restore status"}});
  return backup::WriteRestoreRecord(data_dir, *record_);
}

absl::Status Recovery::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(api::OnPool<CreateBackupRequest, Backup>(
      Method("CreateBackup"), copies_, [this](const rpc::Call&, const auto& request) {
        return backups_.Create(request.directory(), [this] { return stopping_.load(); });
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(api::OnPool<GetRestoreRequest, Restore>(
      Method("GetRestore"), deps_.pool,
      [this](const rpc::Call&, const auto&) { return Status(); })));
  CDGATE_RETURN_IF_ERROR(router.Register(api::OnPool<FetchEventsRequest, FetchEventsResponse>(
      Method("FetchEvents"), fetches_,
      [this](const rpc::Call&, const auto& request) { return Fetch(request); })));
  return fetch_back_api_.Register(router);
}

absl::StatusOr<Restore> Recovery::Status() const {
  Restore out;
  if (record_) {
    out.set_restored(true);
    *out.mutable_backup_time() = api::ToProto(absl::FromUnixNanos(record_->backup_time_nanos()));
    *out.mutable_restore_time() = api::ToProto(absl::FromUnixNanos(record_->restore_time_nanos()));
    out.set_epoch_before(record_->epoch_before());
    out.set_head_sequence(record_->head_sequence());
    out.set_epoch(record_->epoch());
  }
  const auto resources = deps_.storage.store().Resources();
  for (const auto& peer : resources->List(state::kPeerKind)) {
    PeerRestore& one = *out.add_peers();
    one = StatusOf(peer->name);
    CDGATE_ASSIGN_OR_RETURN(const auto lost, session::LostRangesOf(*resources, peer->name));
    for (const auto& range : lost.ranges()) *one.add_lost() = ToLost(range);
    if (lost.has_fetched()) *one.mutable_fetched() = ToResponse(lost.fetched());
    one.set_heard(one.heard() || one.lost_size() > 0);
  }
  return out;
}

PeerRestore Recovery::StatusOf(const std::string& peer) const {
  PeerRestore out;
  out.set_peer(peer);
  out.set_heard(deps_.links.IsUp(peer));
  if (!record_) return out;
  const auto& imports = record_->imports();
  const auto restored = std::find_if(imports.begin(), imports.end(),
                                     [&](const auto& import) { return import.peer() == peer; });
  if (restored == imports.end() || restored->link_epoch().empty()) return out;
  out.set_link_epoch(restored->link_epoch());
  out.set_again_from_position(restored->position() + 1);
  const auto now = deps_.storage.store().Cursor(session::ImportCursorName(peer));
  if (now && now->epoch() == restored->link_epoch()) out.set_received_position(now->position());
  return out;
}

absl::StatusOr<absl::Time> Recovery::FetchFrom(const FetchEventsRequest& request) const {
  if (request.has_accepted_from()) return api::FromProto(request.accepted_from());
  if (record_) return absl::FromUnixNanos(record_->head_time_nanos()) - kFetchMargin;
  return base::MakeError(base::Reason::kInvalidArgument,
                         "accepted_from: this data was not restored from a backup; say from which "
                         "time on events are missing");
}

absl::StatusOr<FetchEventsResponse> Recovery::Fetch(const FetchEventsRequest& request) {
  state::Store& store = deps_.storage.store();
  const auto stored = store.Resources()->Find(state::kPeerKind, request.domain());
  if (stored == nullptr) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("there is no peer ", base::Shorten(request.domain()),
                                        "; cdgate peer list shows the peers"),
                           {{"peer", base::Shorten(request.domain())}});
  }
  CDGATE_ASSIGN_OR_RETURN(const auto peer, stored->As<admin::v1::Peer>());
  if (peer.endpoint().empty()) {
    return base::MakeError(base::Reason::kUnreachable,
                           absl::StrCat("no address of ", peer.domain(),
                                        " is known: it dials us; say where its peers listener is "
                                        "with cdgate peer set --endpoint"),
                           {{"peer", peer.domain()}});
  }
  CDGATE_ASSIGN_OR_RETURN(const absl::Time from, FetchFrom(request));
  CDGATE_ASSIGN_OR_RETURN(
      FetchEventsResponse response,
      FetchBack(deps_.fetch, peer,
                {.accepted_from = from, .unproven = request.unproven(), .stopped = [this] {
                   return stopping_.load();
                 }}));
  session::RecordFetched(store, peer.domain(), ToStored(response));
  base::Log(base::LogLevel::kInfo, "events fetched back",
            {{"peer", peer.domain()}, {"recovered", absl::StrCat(response.recovered())}});
  return response;
}

}  // namespace cdgate::app

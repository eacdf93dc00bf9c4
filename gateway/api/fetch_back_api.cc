#include "gateway/api/fetch_back_api.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/recovery.pb.h"
#include "federation/manager/lifetime.h"
#include "federation/session/attestor_registry.h"
#include "federation/session/export_stop.h"
#include "federation/session/statement_source.h"
#include "gateway/api/shown_event.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::api {
namespace {

using base::MakeError;
using base::Reason;
using federation::v1::FetchBackRequest;
using federation::v1::FetchBackResponse;
using federation::v1::HeldEvent;

constexpr char kFetchBack[] = "/cdgate.federation.v1.RecoveryService/FetchBack";
constexpr int kPageEvents = 256;
constexpr size_t kPageBytes = 1 << 20;
// Reads of the log for one page, of kPageBytes each.
constexpr int kPageReads = 16;
// An event that its origin accepted later by its clock came earlier by ours, at most.
constexpr absl::Duration kMaxClockSkew = absl::Hours(1);

}  // namespace

// Where one peer stands. Reads and sends one page at a time, on the pool.
class FetchBackApi::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(rpc::ServerStreamPtr stream, const FetchBackApi& api)
      : stream_(std::move(stream)),
        api_(api),
        busy_(api.busy_),
        peer_(stream_->call().principal.domain),
        statements_(api.deps_.domain, nobody_signs_) {}
  ~Stream() {
    if (!counted_) return;
    base::MutexLock lock(busy_->mu);
    busy_->peers.erase(peer_);
  }

  void Start() {
    if (!Count()) {
      return stream_->Close(
          MakeError(Reason::kOverloaded, "your domain fetches events already; one at a time"));
    }
    stream_->Start({.on_message = [self = shared_from_this()](
                                      grpc::ByteBuffer bytes) { self->Take(std::move(bytes)); },
                    .on_end = [self = shared_from_this()] { self->stream_->Close({}); },
                    .on_closed = [self = shared_from_this()](const absl::Status&) {}});
  }

 private:
  bool Count() {
    base::MutexLock lock(busy_->mu);
    counted_ = busy_->peers.insert(peer_).second;
    return counted_;
  }

  void Take(grpc::ByteBuffer bytes) {
    const bool posted = api_.deps_.pool.TryPost(
        [self = shared_from_this(), bytes = std::move(bytes)] { self->Answer(bytes); });
    if (!posted) stream_->Close(Overloaded());
  }

  void Answer(const grpc::ByteBuffer& bytes) {
    const absl::StatusOr<FetchBackResponse> page = PageFor(bytes);
    if (!page.ok()) return stream_->Close(page.status());
    stream_->Send(rpc::Serialise(*page), [self = shared_from_this()](bool sent) {
      if (sent) self->stream_->Read();
    });
  }

  absl::StatusOr<FetchBackResponse> PageFor(const grpc::ByteBuffer& bytes) {
    FetchBackRequest request;
    CDGATE_RETURN_IF_ERROR(rpc::Parse(bytes, &request));
    if (!next_) CDGATE_RETURN_IF_ERROR(Begin(request));
    // It may have ended since.
    CDGATE_RETURN_IF_ERROR(api_.CheckAgreement(peer_, agreement_id_));
    return Page();
  }

  absl::Status Begin(const FetchBackRequest& request) {
    agreement_id_ = request.agreement_id();
    from_nanos_ = request.accepted_from_nanos();
    const absl::Time from = absl::FromUnixNanos(from_nanos_) - kMaxClockSkew;
    CDGATE_ASSIGN_OR_RETURN(const base::Sequence first, api_.deps_.store.SequenceAt(from));
    next_ = std::max(first, api_.deps_.store.first().sequence);
    return absl::OkStatus();
  }

  absl::StatusOr<FetchBackResponse> Page() {
    FetchBackResponse page;
    bytes_ = 0;
    for (int read = 0; read < kPageReads && !full_; ++read) {
      CDGATE_ASSIGN_OR_RETURN(const auto commits,
                              api_.deps_.log.Read({.sequence = *next_}, {.max_bytes = kPageBytes}));
      if (commits.empty()) {
        page.set_done(true);
        break;
      }
      for (const event::CommitPtr& commit : commits) AddFrom(*commit, &page);
    }
    full_ = false;
    return page;
  }

  void AddFrom(const event::Commit& commit, FetchBackResponse* page) {
    if (full_) return;
    statements_.SetCommit(commit);
    for (const event::Record& record : commit.events) {
      if (record.sequence() < *next_) continue;
      if (IsAskedFor(record.stored()) && !Add(record, page)) {
        full_ = true;
        return;
      }
      next_ = record.sequence().Next();
    }
  }

  bool IsAskedFor(const event::StoredView& stored) const {
    return stored.origin() == peer_ && stored.received_from() == peer_ &&
           stored.accepted_time_nanos() >= from_nanos_;
  }

  // False: the page is full without it.
  bool Add(const event::Record& record, FetchBackResponse* page) {
    if (page->events_size() >= kPageEvents) return false;
    HeldEvent held;
    *held.mutable_event() = ShownEvent(record.stored());
    const auto said = statements_.Of(record);
    for (size_t i = 0; i + 1 < said.size(); ++i) held.mutable_event()->add_statements(said[i]);
    if (said.empty()) {
      record.stored().ForEachStatement([&held](absl::string_view statement) {
        held.mutable_event()->add_statements(std::string(statement));
      });
    } else {
      held.set_sender_statement(said.back());
    }
    const size_t size = held.ByteSizeLong();
    if (page->events_size() > 0 && bytes_ + size > kPageBytes) return false;
    bytes_ += size;
    AddAttestors(held, page);
    *page->add_events() = std::move(held);
    return true;
  }

  void AddAttestors(const HeldEvent& held, FetchBackResponse* page) {
    const auto add = [&](const std::string& bytes) {
      federation::v1::Statement statement;
      if (!statement.ParseFromString(bytes) || !sent_.insert(statement.key_id()).second) return;
      auto chain = api_.deps_.attestors.ChainOf(statement.key_id());
      if (chain) *page->add_attestors() = *std::move(chain);
    };
    for (const std::string& statement : held.event().statements()) add(statement);
    if (!held.sender_statement().empty()) add(held.sender_statement());
  }

  const session::StatementSource::SignOrigin nobody_signs_;
  const rpc::ServerStreamPtr stream_;
  const FetchBackApi& api_;
  const std::shared_ptr<Busy> busy_;
  const std::string peer_;
  bool counted_ = false;
  // Of one page at a time.
  session::StatementSource statements_;
  std::string agreement_id_;
  int64_t from_nanos_ = 0;
  std::optional<base::Sequence> next_;  // none: nothing was asked for yet
  std::set<std::string> sent_;          // key ids of attestors
  size_t bytes_ = 0;                    // of the page
  bool full_ = false;
};

absl::Status FetchBackApi::Register(rpc::Router& router) {
  return router.Register(rpc::Guarded::Bidi(
      kFetchBack, [this](rpc::ServerStreamPtr stream) { Accept(std::move(stream)); }));
}

void FetchBackApi::Accept(rpc::ServerStreamPtr stream) {
  std::make_shared<Stream>(std::move(stream), *this)->Start();
}

absl::Status FetchBackApi::CheckAgreement(const std::string& peer,
                                          const std::string& agreement_id) const {
  const auto resources = deps_.store.Resources();
  const auto stored = resources->Find(state::kPeerKind, peer);
  if (stored == nullptr) {
    return MakeError(Reason::kNoAgreement, "there is no agreement with your domain");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto agreement, stored->As<admin::v1::Peer>());
  if (agreement.agreement_id() != agreement_id) {
    return MakeError(Reason::kNoAgreement, "the agreement that was named is not the one in force");
  }
  if (agreement.frozen() || deps_.started_frozen()) {
    return MakeError(Reason::kFrozen, "your domain is frozen here");
  }
  if (agreement.state() != admin::v1::PEER_STATE_APPROVED) {
    return MakeError(Reason::kAgreementPending, "the agreement is not approved here");
  }
  if (manager::EndOf(agreement) <= deps_.clock.Now()) {
    return MakeError(Reason::kAgreementExpired, "the agreement has ended here");
  }
  if (!session::ExportsStopped(*resources)) return absl::OkStatus();
  return MakeError(Reason::kExportsStopped, "nothing leaves this gateway at the moment");
}

}  // namespace cdgate::api

#include "gateway/api/dead_letter_api.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/policy/policy.h"
#include "federation/session/decision_basis.h"
#include "federation/session/replay_jobs.h"
#include "federation/session/session_types.h"
#include "gateway/api/dead_letter_lookup.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/record.h"

namespace cdgate::api {
namespace {

using admin::v1::Direction;
using admin::v1::PeerDeadLetterKey;
using admin::v1::RedriveResult;
using base::Reason;
using storage::v1::DeadLetterRow;

constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListPeerDeadLetters";
constexpr char kRedrive[] = "/cdgate.admin.v1.AdminService/RedrivePeerDeadLetters";
constexpr char kDrop[] = "/cdgate.admin.v1.AdminService/DropPeerDeadLetters";
constexpr int kMostKeys = 1000;

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return base::MakeError(Reason::kInvalidArgument, absl::StrCat(field, ": ", why),
                         {{"field", std::string(field)}});
}

absl::StatusOr<std::string> ReaderOf(absl::string_view peer, Direction direction) {
  if (direction == admin::v1::DIRECTION_EXPORT) return session::ExportCursorName(peer);
  if (direction == admin::v1::DIRECTION_IMPORT) return session::ImportCursorName(peer);
  return Invalid("direction", "say EXPORT for what was to be sent, or IMPORT for what came");
}

std::string PageKey(const storage::v1::DeadLetterKey& key) {
  return absl::StrCat(key.commit(), "/", key.index());
}

bool ReadPageKey(absl::string_view text, storage::v1::DeadLetterKey* key) {
  const size_t slash = text.find('/');
  uint64_t commit = 0;
  uint32_t index = 0;
  if (slash == absl::string_view::npos || !absl::SimpleAtoi(text.substr(0, slash), &commit) ||
      !absl::SimpleAtoi(text.substr(slash + 1), &index)) {
    return false;
  }
  key->set_commit(commit);
  key->set_index(index);
  return true;
}

RedriveResult Kept(absl::string_view reason) {
  RedriveResult result;
  result.set_state("kept");
  result.set_reason(std::string(reason));
  return result;
}

// The refusal that the letter stands for is none any more.
storage::v1::LedgerRow Taken(absl::string_view peer, const std::string& reason) {
  storage::v1::LedgerRow row;
  row.set_peer(std::string(peer));
  row.set_imports(true);
  storage::v1::OutcomeCount& was = *row.add_revised();
  was.set_state("refused");
  was.set_reason(reason);
  was.set_count(1);
  return row;
}

}  // namespace

// One call, until it is answered.
struct DeadLetterApi::Redrive {
  // An event that is to be imported.
  struct Import {
    size_t index = 0;  // of its key
    state::Proposal proposal;
  };

  std::string peer;
  std::string author;
  rpc::Reply<admin::v1::RedrivePeerDeadLettersResponse> reply;
  admin::v1::RedrivePeerDeadLettersResponse response;
  std::vector<Import> imports;
  std::vector<uint64_t> sequences;  // that are to be offered
  std::vector<size_t> offered;      // whose keys
  std::vector<storage::v1::DeadLetterKey> letters;
};

absl::Status DeadLetterApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPool<ListPeerDeadLettersRequest, ListPeerDeadLettersResponse>(
          kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); })));
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPoolAsync<RedrivePeerDeadLettersRequest, RedrivePeerDeadLettersResponse>(
          kRedrive, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
            RedriveAll(call, request, reply);
          })));
  return router.Register(OnPoolAsync<DropPeerDeadLettersRequest, DropPeerDeadLettersResponse>(
      kDrop, pool_,
      [this](const rpc::Call&, const auto& request, const auto& reply) { Drop(request, reply); }));
}

absl::Status DeadLetterApi::CheckPeer(absl::string_view peer) const {
  if (store_.Resources()->Find(state::kPeerKind, peer) != nullptr) return absl::OkStatus();
  return base::MakeError(Reason::kNoAgreement,
                         absl::StrCat("there is no agreement with ", base::Shorten(peer),
                                      "; cdgate peer list shows the peers"),
                         {{"peer", std::string(peer)}});
}

absl::StatusOr<admin::v1::ListPeerDeadLettersResponse> DeadLetterApi::List(
    const admin::v1::ListPeerDeadLettersRequest& request) const {
  CDGATE_RETURN_IF_ERROR(CheckPeer(request.peer()));
  CDGATE_ASSIGN_OR_RETURN(const std::string reader, ReaderOf(request.peer(), request.direction()));
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string page, ReadPageToken(kList, request.page_token()));
  storage::v1::DeadLetterKey after;
  after.set_reader(reader);
  if (!page.empty() && !ReadPageKey(page, &after)) {
    return Invalid("page_token", "is none of this call; begin without one");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto rows,
                          store_.DeadLetters(reader, page.empty() ? nullptr : &after, size));
  admin::v1::ListPeerDeadLettersResponse response;
  for (const DeadLetterRow& row : rows) {
    *response.add_dead_letters() = Describe(row, request.direction());
  }
  if (rows.size() == size) {
    response.set_next_page_token(MakePageToken(kList, PageKey(rows.back().key())));
  }
  return response;
}

admin::v1::PeerDeadLetter DeadLetterApi::Describe(const DeadLetterRow& row,
                                                  Direction direction) const {
  admin::v1::PeerDeadLetter out;
  out.mutable_key()->set_direction(direction);
  out.mutable_key()->set_commit(row.key().commit());
  out.mutable_key()->set_index(row.key().index());
  out.set_reason(row.letter().reason());
  out.set_message(row.letter().message());
  *out.mutable_create_time() = ToProto(absl::FromUnixNanos(row.commit_time_nanos()));
  if (row.letter().has_event()) {
    const std::string stored = row.letter().event().SerializeAsString();
    *out.mutable_event() = Summarise(event::Record(base::Sequence(0), stored));
    out.set_redrivable(true);
    return out;
  }
  const absl::StatusOr<state::EventRef> ref =
      store_.ReadEvent(base::Sequence(row.letter().sequence()));
  if (ref.ok()) *out.mutable_event() = Summarise(*ref->record);
  out.mutable_event()->set_sequence(row.letter().sequence());
  out.set_redrivable(ref.ok());
  return out;
}

absl::StatusOr<DeadLetterRow> DeadLetterApi::Find(absl::string_view peer,
                                                  const PeerDeadLetterKey& key) const {
  CDGATE_ASSIGN_OR_RETURN(const std::string reader, ReaderOf(peer, key.direction()));
  CDGATE_ASSIGN_OR_RETURN(const auto row,
                          FindDeadLetter(store_, reader, key.commit(), key.index()));
  if (row) return *row;
  return base::MakeError(Reason::kNotFound,
                         absl::StrCat("peer ", peer, " has no dead letter ", key.commit(), "/",
                                      key.index(), "; it was redriven or dropped"),
                         {{"commit", absl::StrCat(key.commit())}});
}

void DeadLetterApi::RedriveAll(const rpc::Call& call,
                               const admin::v1::RedrivePeerDeadLettersRequest& request,
                               const rpc::Reply<admin::v1::RedrivePeerDeadLettersResponse>& reply) {
  if (absl::Status status = CheckPeer(request.peer()); !status.ok()) return reply(status);
  if (request.keys().empty() || request.keys_size() > kMostKeys) {
    return reply(Invalid("keys", absl::StrCat("name 1 to ", kMostKeys, " dead letters")));
  }
  auto redrive = std::make_shared<Redrive>();
  redrive->peer = request.peer();
  redrive->author = call.principal.id;
  redrive->reply = reply;
  for (const PeerDeadLetterKey& key : request.keys()) {
    const size_t index = redrive->letters.size();
    redrive->response.add_results();
    const absl::StatusOr<DeadLetterRow> row = Find(request.peer(), key);
    if (!row.ok()) return reply(row.status());
    redrive->letters.push_back(row->key());
    const absl::Status planned = Plan(*row, key.direction(), redrive, index);
    if (!planned.ok()) return reply(planned);
  }
  ProposeImport(redrive, 0);
}

absl::Status DeadLetterApi::Plan(const DeadLetterRow& row, Direction direction,
                                 const std::shared_ptr<Redrive>& redrive, size_t index) const {
  if (direction == admin::v1::DIRECTION_IMPORT) return PlanImport(row, *redrive, index);
  PlanExport(row, *redrive, index);
  return absl::OkStatus();
}

absl::Status DeadLetterApi::PlanImport(const DeadLetterRow& row, Redrive& redrive,
                                       size_t index) const {
  RedriveResult& result = *redrive.response.mutable_results(static_cast<int>(index));
  if (!row.letter().has_event()) {
    result = Kept(base::ReasonLabel(Reason::kTrimmed));
    return absl::OkStatus();
  }
  storage::v1::StoredEvent stored = row.letter().event();
  stored.clear_import_rule();
  const std::string bytes = stored.SerializeAsString();
  const event::Record record(base::Sequence(0), bytes);
  session::BasisSource source(store_, keeper_);
  CDGATE_ASSIGN_OR_RETURN(const session::DecisionBasis basis, source.Current(redrive.peer));
  filter::EventContext context;
  context.Reset(record);
  const policy::Decision decision =
      policy::DecideImport(basis.policy.get(), context, basis.ForImport(domain_, redrive.peer));
  if (!decision.allow) {
    result = Kept(base::ReasonLabel(decision.reason));
    return absl::OkStatus();
  }
  Redrive::Import import;
  import.index = index;
  state::NewEvent event = state::MakeNewEvent(
      bytes, store_.identities().Of(record.origin(), record.source(), record.id()));
  event::AppendImport(decision.rule, "", &event.stored);
  import.proposal.events.push_back(std::move(event));
  import.proposal.removed_dead_letters.push_back(row.key());
  import.proposal.ledger.push_back(Taken(redrive.peer, row.letter().reason()));
  import.proposal.atomic = true;
  redrive.imports.push_back(std::move(import));
  return absl::OkStatus();
}

void DeadLetterApi::PlanExport(const DeadLetterRow& row, Redrive& redrive, size_t index) const {
  const uint64_t sequence = row.letter().sequence();
  if (!store_.ReadEvent(base::Sequence(sequence)).ok()) {
    *redrive.response.mutable_results(static_cast<int>(index)) =
        Kept(base::ReasonLabel(Reason::kTrimmed));
    return;
  }
  redrive.sequences.push_back(sequence);
  redrive.offered.push_back(index);
}

// One after the other: each is refused or taken by itself.
void DeadLetterApi::ProposeImport(const std::shared_ptr<Redrive>& redrive, size_t next) {
  if (next == redrive->imports.size()) return ProposeExports(redrive);
  Redrive::Import& import = redrive->imports[next];
  const size_t index = import.index;
  const auto done = [this, redrive, next, index](state::Outcome outcome) {
    RedriveResult& result = *redrive->response.mutable_results(static_cast<int>(index));
    if (!outcome.status.ok()) {
      result = Kept(base::ReasonLabel(base::ReasonOf(outcome.status).value_or(Reason::kInternal)));
    } else {
      result.set_state("accepted");
      if (!outcome.events.empty()) result.set_sequence(outcome.events[0].sequence.value());
    }
    ProposeImport(redrive, next + 1);
  };
  const absl::Status queued = store_.Propose(std::move(import.proposal), done);
  if (!queued.ok()) redrive->reply(queued);
}

void DeadLetterApi::ProposeExports(const std::shared_ptr<Redrive>& redrive) {
  if (redrive->sequences.empty()) return redrive->reply(redrive->response);
  std::sort(redrive->sequences.begin(), redrive->sequences.end());
  storage::v1::ReplayJob job;
  job.set_first_sequence(redrive->sequences.front());
  job.set_last_sequence(redrive->sequences.back());
  job.mutable_sequences()->Add(redrive->sequences.begin(), redrive->sequences.end());
  job.set_author(redrive->author);
  absl::StatusOr<state::ResourceEdit> edit =
      session::AddReplayJob(*store_.Resources(), redrive->peer, std::move(job));
  if (!edit.ok()) return redrive->reply(edit.status());
  state::Proposal proposal;
  proposal.resources.push_back(*std::move(edit));
  for (const size_t index : redrive->offered) {
    proposal.removed_dead_letters.push_back(redrive->letters[index]);
  }
  const absl::Status queued =
      store_.Propose(std::move(proposal), [redrive](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return redrive->reply(outcome.status);
        for (const size_t index : redrive->offered) {
          redrive->response.mutable_results(static_cast<int>(index))->set_state("offered");
        }
        redrive->reply(redrive->response);
      });
  if (!queued.ok()) redrive->reply(queued);
}

void DeadLetterApi::Drop(const admin::v1::DropPeerDeadLettersRequest& request,
                         const rpc::Reply<admin::v1::DropPeerDeadLettersResponse>& reply) {
  if (absl::Status status = CheckPeer(request.peer()); !status.ok()) return reply(status);
  if (request.keys().empty() || request.keys_size() > kMostKeys) {
    return reply(Invalid("keys", absl::StrCat("name 1 to ", kMostKeys, " dead letters")));
  }
  state::Proposal proposal;
  for (const PeerDeadLetterKey& key : request.keys()) {
    const absl::StatusOr<DeadLetterRow> row = Find(request.peer(), key);
    if (!row.ok()) return reply(row.status());
    proposal.removed_dead_letters.push_back(row->key());
  }
  const auto dropped = static_cast<uint32_t>(proposal.removed_dead_letters.size());
  const absl::Status queued =
      store_.Propose(std::move(proposal), [reply, dropped](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        admin::v1::DropPeerDeadLettersResponse response;
        response.set_dropped(dropped);
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api

// Of SubscriptionApi: the dead letters of shared subscriptions.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/dead_letter_lookup.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/paging.h"
#include "gateway/api/subscription_api.h"
#include "gateway/api/times.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/subscription_settings.h"

namespace cdgate::api {
namespace {

using admin::v1::DeadLetterName;
using base::MakeError;
using base::Reason;
using storage::v1::DeadLetterRow;

constexpr char kList[] = "/cdgate.admin.v1.SubscriptionService/ListDeadLetters";
constexpr int kMostNames = 1000;

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return MakeError(Reason::kInvalidArgument, absl::StrCat(field, ": ", why),
                   {{"field", std::string(field)}});
}

absl::Status CheckNames(const google::protobuf::RepeatedPtrField<DeadLetterName>& names) {
  if (!names.empty() && names.size() <= kMostNames) return absl::OkStatus();
  return Invalid("names", absl::StrCat("name 1 to ", kMostNames, " dead letters"));
}

}  // namespace

absl::StatusOr<admin::v1::ListDeadLettersResponse> SubscriptionApi::ListLetters(
    const rpc::Call& call, const admin::v1::ListDeadLettersRequest& request) const {
  CDGATE_RETURN_IF_ERROR(Find(call, request.subscription(), Access::kSee).status());
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  const std::string method = absl::StrCat(kList, " ", request.subscription());
  CDGATE_ASSIGN_OR_RETURN(const std::string page, ReadPageToken(method, request.page_token()));
  const std::string reader = delivery::ReaderOf(request.subscription());
  storage::v1::DeadLetterKey after;
  if (!page.empty() && !after.ParseFromString(page)) {
    return Invalid("page_token", "is none of this call; begin without one");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto rows,
                          deps_.store.DeadLetters(reader, page.empty() ? nullptr : &after, size));
  admin::v1::ListDeadLettersResponse response;
  for (const DeadLetterRow& row : rows) {
    admin::v1::SubscriptionDeadLetter& out = *response.add_dead_letters();
    out.mutable_name()->set_commit(row.key().commit());
    out.mutable_name()->set_index(row.key().index());
    out.set_reason(row.letter().reason());
    out.set_message(row.letter().message());
    *out.mutable_create_time() = ToProto(absl::FromUnixNanos(row.commit_time_nanos()));
    const auto event = deps_.store.ReadEvent(base::Sequence(row.letter().sequence()));
    if (event.ok()) *out.mutable_event() = Summarise(*event->record);
    out.mutable_event()->set_sequence(row.letter().sequence());
    out.set_redrivable(event.ok());
  }
  if (rows.size() == size) {
    response.set_next_page_token(MakePageToken(method, rows.back().key().SerializeAsString()));
  }
  return response;
}

absl::StatusOr<std::vector<DeadLetterRow>> SubscriptionApi::LettersOf(
    const std::string& subscription,
    const google::protobuf::RepeatedPtrField<DeadLetterName>& names) const {
  const std::string reader = delivery::ReaderOf(subscription);
  std::vector<DeadLetterRow> out;
  for (const DeadLetterName& name : names) {
    CDGATE_ASSIGN_OR_RETURN(auto row,
                            FindDeadLetter(deps_.store, reader, name.commit(), name.index()));
    if (!row) {
      return MakeError(
          Reason::kNotFound,
          absl::StrCat("subscription ", subscription, " has no dead letter ", name.commit(), "/",
                       name.index(), "; it was redriven or dropped"),
          {{"commit", absl::StrCat(name.commit())}});
    }
    out.push_back(*std::move(row));
  }
  return out;
}

void SubscriptionApi::Redrive(const rpc::Call& call,
                              const admin::v1::RedriveDeadLettersRequest& request,
                              const Reply<admin::v1::RedriveDeadLettersResponse>& reply) {
  const auto stored = Find(call, request.subscription(), Access::kChange);
  absl::Status checked = stored.status();
  checked.Update(CheckNames(request.names()));
  if (!checked.ok()) return reply(checked);
  const auto response = std::make_shared<admin::v1::RedriveDeadLettersResponse>();
  const auto make = [this, request, response,
                     subscription = stored->subscription]() -> absl::StatusOr<state::Proposal> {
    const std::string& name = subscription.name();
    CDGATE_ASSIGN_OR_RETURN(const auto letters, LettersOf(name, request.names()));
    auto cursor = deps_.store.Cursor(delivery::ReaderOf(name));
    if (!cursor) {
      return MakeError(Reason::kNotFound, absl::StrCat("subscription ", name, " was deleted"),
                       {{"name", name}});
    }
    const delivery::SharedSettings settings = delivery::SharedSettingsOf(subscription);
    delivery::SharedQueue queue(settings, delivery::FromProto(cursor->shared()));
    state::Proposal proposal;
    for (const DeadLetterRow& row : letters) {
      if (queue.full()) {
        return MakeError(
            Reason::kQuota,
            absl::StrCat("subscription ", name, " has ", queue.pending(),
                         " events pending, as many as it may; redrive fewer, or later"),
            {{"name", name}});
      }
      const auto event = deps_.store.ReadEvent(base::Sequence(row.letter().sequence()));
      if (!event.ok()) {
        response->set_kept(response->kept() + 1);
        continue;
      }
      const uint64_t key =
          settings.keep_key_order ? delivery::SubjectKey(event->record->subject()) : 0;
      queue.Redrive(event->record->sequence(), key, absl::ZeroDuration());
      proposal.removed_dead_letters.push_back(row.key());
      response->set_redriven(response->redriven() + 1);
    }
    state::CursorEdit edit;
    edit.move = *cursor;
    *edit.move.mutable_shared() =
        delivery::ToProto(queue.Progress(), base::Sequence(cursor->shared().reserved()));
    proposal.cursors.push_back(std::move(edit));
    return proposal;
  };
  Change(request.subscription(), make, [reply, response](const absl::Status& status) {
    if (!status.ok()) return reply(status);
    reply(*response);
  });
}

void SubscriptionApi::Drop(const rpc::Call& call, const admin::v1::DropDeadLettersRequest& request,
                           const Reply<admin::v1::DropDeadLettersResponse>& reply) {
  const auto stored = Find(call, request.subscription(), Access::kChange);
  absl::Status checked = stored.status();
  checked.Update(CheckNames(request.names()));
  if (!checked.ok()) return reply(checked);
  const auto letters = LettersOf(request.subscription(), request.names());
  if (!letters.ok()) return reply(letters.status());
  state::Proposal proposal;
  for (const DeadLetterRow& row : *letters) proposal.removed_dead_letters.push_back(row.key());
  admin::v1::DropDeadLettersResponse response;
  response.set_dropped(static_cast<uint32_t>(letters->size()));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [reply, response](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(response);
      });
  if (!queued.ok()) reply(queued);
}

}  // namespace cdgate::api

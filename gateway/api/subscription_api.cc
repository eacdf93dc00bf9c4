#include "gateway/api/subscription_api.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/event_lookup.h"
#include "gateway/api/paging.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/start_position.h"
#include "gateway/delivery/subscription_settings.h"

namespace cdgate::api {
namespace {

using admin::v1::Subscription;
using admin::v1::SubscriptionStatus;
using base::MakeError;
using base::Reason;
using storage::v1::DeadLetterRow;

constexpr char kService[] = "/cdgate.admin.v1.SubscriptionService/";

std::string Method(absl::string_view name) { return absl::StrCat(kService, name); }

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return MakeError(Reason::kInvalidArgument, absl::StrCat(field, ": ", why),
                   {{"field", std::string(field)}});
}

absl::Status NoSuch(absl::string_view name) {
  return MakeError(Reason::kNotFound,
                   absl::StrCat("no subscription of yours is named ", base::Shorten(name),
                                "; cdgate subscription list shows them"),
                   {{"name", std::string(name)}});
}

// What streams that read by it are told.
absl::Status Changed(absl::string_view name) {
  return MakeError(Reason::kSubscriptionChanged,
                   absl::StrCat("subscription ", name, " was changed; subscribe again"),
                   {{"name", std::string(name)}});
}

// What a second one is told who changes it.
absl::Status BeingChanged(absl::string_view name) {
  return MakeError(
      Reason::kSubscriptionChanged,
      absl::StrCat("somebody else is changing subscription ", name, " right now; do it again"),
      {{"name", std::string(name)}});
}

state::ResourceEdit EditOf(const Subscription& subscription, uint64_t expected_version,
                           const rpc::Call& call) {
  state::ResourceEdit edit;
  edit.kind = state::kSubscriptionKind;
  edit.name = subscription.name();
  edit.value = subscription.SerializeAsString();
  edit.expected_version = expected_version;
  edit.author = call.principal.id;
  return edit;
}

// The cursor of a subscription that delivers what comes after `after`.
state::CursorEdit CursorAt(const Subscription& subscription, const base::Epoch& epoch,
                           base::Sequence after, base::Sequence delivered) {
  state::CursorEdit edit;
  edit.move = delivery::MakeCursor(subscription.name(), epoch, after, delivered);
  if (delivery::IsShared(subscription)) {
    *edit.move.mutable_shared() = delivery::ToProto({.scanned = after, .pending = {}}, delivered);
  }
  return edit;
}

absl::Status Merge(const Subscription& asked, const google::protobuf::FieldMask& mask,
                   Subscription* subscription) {
  if (mask.paths().empty()) return Invalid("update_mask", "name what is to be changed");
  for (const std::string& path : mask.paths()) {
    if (path == "filter") {
      subscription->set_filter(asked.filter());
    } else if (path == "convert_to") {
      subscription->set_convert_to(asked.convert_to());
    } else if (path == "description") {
      subscription->set_description(asked.description());
    } else if (path == "labels") {
      *subscription->mutable_labels() = asked.labels();
    } else if (path == "shared" && asked.has_shared()) {
      *subscription->mutable_shared() = asked.shared();
    } else if (path == "shared") {
      subscription->clear_shared();
    } else if (path == "push" && asked.has_push()) {
      *subscription->mutable_push() = asked.push();
      subscription->mutable_push()->clear_end();
    } else if (path == "push") {
      subscription->clear_push();
    } else {
      return Invalid("update_mask",
                     absl::StrCat("\"", base::Shorten(path),
                                  "\" cannot be changed; filter, convert_to, description, "
                                  "labels, shared and push can"));
    }
  }
  return absl::OkStatus();
}

// What a caller asked for, but for what the gateway says itself.
bool SameAsked(Subscription a, Subscription b) {
  for (Subscription* each : {&a, &b}) {
    each->clear_create_time();
    each->clear_owner();
    if (each->has_push()) each->mutable_push()->clear_end();
    if (!delivery::IsShared(*each)) each->clear_mode();
  }
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

}  // namespace

absl::Status SubscriptionApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  base::Executor& pool = deps_.pool;
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<CreateSubscriptionRequest, SubscriptionStatus>(
      Method("CreateSubscription"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Create(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<GetSubscriptionRequest, SubscriptionStatus>(
      Method("GetSubscription"), pool,
      [this](const rpc::Call& call, const auto& request) { return Get(call, request); })));
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPool<ListSubscriptionsRequest, ListSubscriptionsResponse>(
          Method("ListSubscriptions"), pool,
          [this](const rpc::Call& call, const auto& request) { return List(call, request); })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<UpdateSubscriptionRequest, SubscriptionStatus>(
      Method("UpdateSubscription"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Update(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPoolAsync<DeleteSubscriptionRequest, DeleteSubscriptionResponse>(
          Method("DeleteSubscription"), pool,
          [this](const rpc::Call& call, const auto& request, const auto& reply) {
            Delete(call, request, reply);
          })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<SeekSubscriptionRequest, SubscriptionStatus>(
      Method("SeekSubscription"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Seek(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPool<ListDeadLettersRequest, ListDeadLettersResponse>(
      Method("ListDeadLetters"), pool,
      [this](const rpc::Call& call, const auto& request) { return ListLetters(call, request); })));
  CDGATE_RETURN_IF_ERROR(
      router.Register(OnPoolAsync<RedriveDeadLettersRequest, RedriveDeadLettersResponse>(
          Method("RedriveDeadLetters"), pool,
          [this](const rpc::Call& call, const auto& request, const auto& reply) {
            Redrive(call, request, reply);
          })));
  return router.Register(OnPoolAsync<DropDeadLettersRequest, DropDeadLettersResponse>(
      Method("DropDeadLetters"), pool,
      [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Drop(call, request, reply);
      }));
}

// --- what one may reach

bool SubscriptionApi::MayReach(const rpc::Call& call, const Subscription& subscription,
                               Access access) const {
  if (call.listener == authz::Listener::kLocal || subscription.owner() == call.principal.id) {
    return true;
  }
  const auto roles = deps_.grants.Current()->RolesOf(call.principal);
  return roles.Has(authz::Role::kOperator) ||
         (access == Access::kSee && roles.Has(authz::Role::kAuditor));
}

absl::Status SubscriptionApi::CheckWanted(const Subscription& subscription) const {
  CDGATE_RETURN_IF_ERROR(delivery::CheckSubscription(subscription));
  return deps_.webhooks.Check(subscription);
}

absl::StatusOr<SubscriptionApi::Stored> SubscriptionApi::Find(const rpc::Call& call,
                                                              const std::string& name,
                                                              Access access) const {
  const state::ResourcePtr resource = deps_.store.Resources()->Find(state::kSubscriptionKind, name);
  if (resource == nullptr) return NoSuch(name);
  CDGATE_ASSIGN_OR_RETURN(auto subscription, resource->As<Subscription>());
  if (!MayReach(call, subscription, access)) return NoSuch(name);
  return Stored{.subscription = std::move(subscription), .version = resource->version};
}

SubscriptionStatus SubscriptionApi::StatusOf(const Stored& stored) const {
  const std::string& name = stored.subscription.name();
  SubscriptionStatus status;
  *status.mutable_subscription() = stored.subscription;
  const auto cursor = deps_.store.Cursor(delivery::ReaderOf(name));
  const uint64_t head = deps_.store.head().sequence.value();
  status.set_position(cursor ? cursor->position() : 0);
  status.set_lag(head > status.position() ? head - status.position() : 0);
  status.set_etag(absl::StrCat(stored.version));
  if (cursor) status.set_pending(static_cast<uint64_t>(cursor->shared().pending_size()));
  const size_t streams = delivery::IsShared(stored.subscription) ? deps_.shared.StreamsOf(name)
                                                                 : deps_.holders.IsHeld(name);
  status.set_streams(static_cast<uint32_t>(streams));
  status.set_waiting(static_cast<uint32_t>(deps_.holders.WaitingFor(name)));
  if (!stored.subscription.has_push()) return status;
  status.set_streams(0);  // it is we who read by it
  if (auto push = deps_.webhooks.StatusOf(stored.subscription)) {
    *status.mutable_push() = *std::move(push);
  }
  return status;
}

absl::StatusOr<SubscriptionStatus> SubscriptionApi::StatusNow(const std::string& name) const {
  const state::ResourcePtr resource = deps_.store.Resources()->Find(state::kSubscriptionKind, name);
  if (resource == nullptr) return NoSuch(name);
  CDGATE_ASSIGN_OR_RETURN(auto subscription, resource->As<Subscription>());
  return StatusOf({.subscription = std::move(subscription), .version = resource->version});
}

// --- make, show, list

void SubscriptionApi::Create(const rpc::Call& call,
                             const admin::v1::CreateSubscriptionRequest& request,
                             const StatusReply& reply) {
  Subscription subscription = request.subscription();
  if (subscription.has_push()) subscription.mutable_push()->clear_end();
  subscription.set_owner(call.principal.id);
  if (absl::Status checked = CheckWanted(subscription); !checked.ok()) return reply(checked);
  const std::string& name = subscription.name();
  const auto before = Find(call, name, Access::kChange);
  if (before.ok() && SameAsked(before->subscription, subscription)) {
    return reply(StatusOf(*before));
  }
  if (deps_.store.Resources()->Find(state::kSubscriptionKind, name) != nullptr) {
    return reply(MakeError(Reason::kAlreadyExists,
                           absl::StrCat("there is another subscription ", name,
                                        "; choose another name, or update or delete that one"),
                           {{"name", name}}));
  }
  const auto after = delivery::ResolveStart(deps_.store, request.from());
  if (!after.ok()) return reply(after.status());
  *subscription.mutable_create_time() = ToProto(deps_.clock.Now());
  if (request.validate_only()) return reply(StatusOf({.subscription = subscription}));
  state::Proposal proposal;
  proposal.resources.push_back(EditOf(subscription, 0, call));
  proposal.cursors.push_back(
      CursorAt(subscription, deps_.store.head().epoch, *after, base::Sequence(0)));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [this, name, reply](const state::Outcome& outcome) {
        reply(outcome.status.ok() ? StatusNow(name)
                                  : absl::StatusOr<SubscriptionStatus>(outcome.status));
      });
  if (!queued.ok()) reply(queued);
}

absl::StatusOr<SubscriptionStatus> SubscriptionApi::Get(
    const rpc::Call& call, const admin::v1::GetSubscriptionRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const Stored stored, Find(call, request.name(), Access::kSee));
  return StatusOf(stored);
}

absl::StatusOr<admin::v1::ListSubscriptionsResponse> SubscriptionApi::List(
    const rpc::Call& call, const admin::v1::ListSubscriptionsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  const std::string method = Method("ListSubscriptions");
  CDGATE_ASSIGN_OR_RETURN(std::string after, ReadPageToken(method, request.page_token()));
  admin::v1::ListSubscriptionsResponse response;
  const state::ResourceSnapshotPtr resources = deps_.store.Resources();
  while (static_cast<size_t>(response.subscriptions_size()) < size) {
    const auto page = resources->List(state::kSubscriptionKind, after, size);
    if (page.empty()) return response;
    for (const state::ResourcePtr& resource : page) {
      after = resource->name;
      CDGATE_ASSIGN_OR_RETURN(auto subscription, resource->As<Subscription>());
      if (!MayReach(call, subscription, Access::kSee)) continue;
      *response.add_subscriptions() =
          StatusOf({.subscription = std::move(subscription), .version = resource->version});
      if (static_cast<size_t>(response.subscriptions_size()) == size) break;
    }
  }
  response.set_next_page_token(MakePageToken(method, after));
  return response;
}

// --- change, move, delete

void SubscriptionApi::Change(const std::string& name,
                             std::function<absl::StatusOr<state::Proposal>()> make,
                             std::function<void(const absl::Status&)> done) {
  const absl::Status why = Changed(name);
  const auto finish = [this, name, done](const absl::Status& status) {
    deps_.shared.EndChange(name);
    deps_.holders.EndChange(name);
    done(status);
  };
  const auto propose = [this, make = std::move(make), finish] {
    auto proposal = make();
    if (!proposal.ok()) return finish(proposal.status());
    const absl::Status queued = deps_.store.Propose(
        *std::move(proposal), [finish](const state::Outcome& outcome) { finish(outcome.status); });
    if (!queued.ok()) finish(queued);
  };
  const auto end_shared = [this, name, why, propose, done] {
    if (deps_.shared.BeginChange(name, why, propose)) return;
    deps_.holders.EndChange(name);
    done(BeingChanged(name));
  };
  if (!deps_.holders.BeginChange(name, why, end_shared)) {
    done(BeingChanged(name));
  }
}

void SubscriptionApi::Update(const rpc::Call& call,
                             const admin::v1::UpdateSubscriptionRequest& request,
                             const StatusReply& reply) {
  auto stored = Find(call, request.subscription().name(), Access::kChange);
  if (!stored.ok()) return reply(stored.status());
  if (!request.etag().empty() && request.etag() != absl::StrCat(stored->version)) {
    return reply(MakeError(Reason::kEtagMismatch,
                           absl::StrCat("subscription ", request.subscription().name(),
                                        " changed since it was read; read it again"),
                           {{"etag", absl::StrCat(stored->version)}}));
  }
  absl::Status merged = Merge(request.subscription(), request.update_mask(), &stored->subscription);
  merged.Update(CheckWanted(stored->subscription));
  if (!merged.ok()) return reply(merged);
  if (request.validate_only()) return reply(StatusOf(*stored));
  const std::string name = stored->subscription.name();
  state::Proposal proposal;
  proposal.resources.push_back(EditOf(stored->subscription, stored->version, call));
  Change(
      name, [proposal]() -> absl::StatusOr<state::Proposal> { return proposal; },
      [this, name, reply](const absl::Status& status) {
        reply(status.ok() ? StatusNow(name) : absl::StatusOr<SubscriptionStatus>(status));
      });
}

void SubscriptionApi::Delete(const rpc::Call& call,
                             const admin::v1::DeleteSubscriptionRequest& request,
                             const Reply<admin::v1::DeleteSubscriptionResponse>& reply) {
  const auto stored = Find(call, request.name(), Access::kChange);
  if (!stored.ok()) return reply(stored.status());
  const std::string name = request.name();
  state::ResourceEdit edit;
  edit.kind = state::kSubscriptionKind;
  edit.name = name;
  edit.deleted = true;
  edit.author = call.principal.id;
  const auto make = [this, name, edit]() -> absl::StatusOr<state::Proposal> {
    state::Proposal proposal;
    proposal.resources.push_back(edit);
    state::CursorEdit cursor;
    cursor.move.set_reader(delivery::ReaderOf(name));
    cursor.move.set_removed(true);
    proposal.cursors.push_back(std::move(cursor));
    CDGATE_ASSIGN_OR_RETURN(const auto letters,
                            deps_.store.DeadLetters(delivery::ReaderOf(name), nullptr, SIZE_MAX));
    for (const DeadLetterRow& row : letters) proposal.removed_dead_letters.push_back(row.key());
    return proposal;
  };
  Change(name, make, [reply](const absl::Status& status) {
    if (!status.ok()) return reply(status);
    reply(admin::v1::DeleteSubscriptionResponse());
  });
}

absl::StatusOr<base::Sequence> SubscriptionApi::TargetOf(
    const admin::v1::SeekSubscriptionRequest& request) const {
  using Request = admin::v1::SeekSubscriptionRequest;
  if (request.target_case() == Request::kTo) {
    return delivery::ResolveStart(deps_.store, request.to());
  }
  base::Sequence first(request.sequence());
  if (request.target_case() == Request::kEvent) {
    CDGATE_ASSIGN_OR_RETURN(const EventQuery query, QueryOf(request.event()));
    CDGATE_ASSIGN_OR_RETURN(const state::EventRef event, FindEvent(deps_.store, query));
    first = event.record->sequence();
  } else if (request.target_case() != Request::kSequence) {
    return Invalid("target", "say where to: to, sequence or event");
  }
  const uint64_t head = deps_.store.head().sequence.value();
  if (first.value() == 0 || first.value() > head + 1) {
    return Invalid("sequence", absl::StrCat(first.value(), " is not in the log; it may be 1 to ",
                                            head + 1, ", one beyond its last event"));
  }
  events::v1::StartPosition start;
  start.mutable_after()->set_epoch(deps_.store.head().epoch.value());
  start.mutable_after()->set_sequence(first.value() - 1);
  return delivery::ResolveStart(deps_.store, start);
}

void SubscriptionApi::Seek(const rpc::Call& call, const admin::v1::SeekSubscriptionRequest& request,
                           const StatusReply& reply) {
  const auto stored = Find(call, request.name(), Access::kChange);
  if (!stored.ok()) return reply(stored.status());
  const auto target = TargetOf(request);
  if (!target.ok()) return reply(target.status());
  const auto make = [this, subscription = stored->subscription,
                     target = *target]() -> absl::StatusOr<state::Proposal> {
    const auto before = deps_.store.Cursor(delivery::ReaderOf(subscription.name()));
    if (!before) return NoSuch(subscription.name());  // it was deleted meanwhile
    uint64_t delivered = std::max(delivery::DeliveredThrough(*before), before->shared().reserved());
    delivered = std::max(delivered, before->position());
    state::Proposal proposal;
    proposal.cursors.push_back(
        CursorAt(subscription, deps_.store.head().epoch, target, base::Sequence(delivered)));
    return proposal;
  };
  const std::string name = request.name();
  Change(name, make, [this, name, reply](const absl::Status& status) {
    reply(status.ok() ? StatusNow(name) : absl::StatusOr<SubscriptionStatus>(status));
  });
}

}  // namespace cdgate::api

// Named subscriptions over gRPC: the methods of SubscriptionService.
//
//   SubscriptionApi subscriptions({.store = store, .holders = holders, .shared = shared,
//                                  .grants = grants, .webhooks = webhooks, .clock = clock,
//                                  .pool = pool});
//   CDGATE_RETURN_IF_ERROR(subscriptions.Register(router));
//
// A subscriber reaches those that it owns, an operator all, an auditor sees all; to others a
// subscription is NOT_FOUND. What changes is on disk when it is answered. What changes a
// subscription, moves it, deletes it or touches its dead letters ends the streams that read by it
// first, with SUBSCRIPTION_CHANGED, and keeps others out until it is on disk, so that no ack of
// before moves it afterwards; where somebody else does so at the same time it is
// SUBSCRIPTION_CHANGED as well. Other errors: INVALID_ARGUMENT and INVALID_FILTER naming the field,
// WEBHOOK_NOT_ALLOWED, ALREADY_EXISTS, ETAG_MISMATCH, those of delivery::ResolveStart() and of
// Store::Propose().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/grants.h"
#include "cdgate/admin/v1/subscription.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/delivery/shared_subscription.h"
#include "gateway/delivery/subscriptions.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"
#include "gateway/webhook/webhooks.h"

namespace cdgate::api {

struct SubscriptionApiDeps {
  state::Store& store;
  delivery::SubscriptionHolders& holders;
  delivery::SharedSubscriptions& shared;
  const authz::GrantRegistry& grants;
  webhook::Webhooks& webhooks;
  base::Clock& clock;
  base::Executor& pool;
};

// Thread-safe; outlives the router's server, and what it is given outlives both.
class SubscriptionApi {
 public:
  explicit SubscriptionApi(const SubscriptionApiDeps& deps) : deps_(deps) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  template <typename Response>
  using Reply = rpc::Reply<Response>;
  using StatusReply = Reply<admin::v1::SubscriptionStatus>;
  enum class Access { kSee, kChange };
  // A subscription as it is in the store.
  struct Stored {
    admin::v1::Subscription subscription;
    uint64_t version = 0;
  };

  void Create(const rpc::Call& call, const admin::v1::CreateSubscriptionRequest& request,
              const StatusReply& reply);
  absl::StatusOr<admin::v1::SubscriptionStatus> Get(
      const rpc::Call& call, const admin::v1::GetSubscriptionRequest& request) const;
  absl::StatusOr<admin::v1::ListSubscriptionsResponse> List(
      const rpc::Call& call, const admin::v1::ListSubscriptionsRequest& request) const;
  void Update(const rpc::Call& call, const admin::v1::UpdateSubscriptionRequest& request,
              const StatusReply& reply);
  void Delete(const rpc::Call& call, const admin::v1::DeleteSubscriptionRequest& request,
              const Reply<admin::v1::DeleteSubscriptionResponse>& reply);
  void Seek(const rpc::Call& call, const admin::v1::SeekSubscriptionRequest& request,
            const StatusReply& reply);
  absl::StatusOr<admin::v1::ListDeadLettersResponse> ListLetters(
      const rpc::Call& call, const admin::v1::ListDeadLettersRequest& request) const;
  void Redrive(const rpc::Call& call, const admin::v1::RedriveDeadLettersRequest& request,
               const Reply<admin::v1::RedriveDeadLettersResponse>& reply);
  void Drop(const rpc::Call& call, const admin::v1::DropDeadLettersRequest& request,
            const Reply<admin::v1::DropDeadLettersResponse>& reply);

  bool MayReach(const rpc::Call& call, const admin::v1::Subscription& subscription,
                Access access) const;
  // What CheckSubscription() and the webhooks' configuration say of it.
  absl::Status CheckWanted(const admin::v1::Subscription& subscription) const;
  absl::StatusOr<Stored> Find(const rpc::Call& call, const std::string& name, Access access) const;
  admin::v1::SubscriptionStatus StatusOf(const Stored& stored) const;
  absl::StatusOr<admin::v1::SubscriptionStatus> StatusNow(const std::string& name) const;
  // The sequence after which a subscription delivers that was moved there.
  absl::StatusOr<base::Sequence> TargetOf(const admin::v1::SeekSubscriptionRequest& request) const;
  absl::StatusOr<std::vector<storage::v1::DeadLetterRow>> LettersOf(
      const std::string& subscription,
      const google::protobuf::RepeatedPtrField<admin::v1::DeadLetterName>& names) const;
  // Ends what reads by `name`, proposes what `make` returns, and tells `done`.
  void Change(const std::string& name, std::function<absl::StatusOr<state::Proposal>()> make,
              std::function<void(const absl::Status&)> done);

  const SubscriptionApiDeps deps_;
};

}  // namespace cdgate::api

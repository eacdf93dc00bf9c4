#include "tests/gateway/cli/fake_gateway.h"

#include <utility>

#include "gateway/base/errors.h"
#include "gateway/rpc/status.h"

namespace cdgate::cli {

// One line for each method: the generated class wants an override of each.
class FakeGateway::Admin final : public admin::v1::AdminService::Service {
 public:
  explicit Admin(FakeGateway& gateway) : gateway_(gateway) {}

#define CDGATE_FAKE_METHOD_NAMED(Name, Request, Response)                    \
  grpc::Status Name(grpc::ServerContext*, const admin::v1::Request* request, \
                    admin::v1::Response* response) override {                \
    return gateway_.Handle(#Name, *request, response);                       \
  }
#define CDGATE_FAKE_METHOD(Name) CDGATE_FAKE_METHOD_NAMED(Name, Name##Request, Name##Response)
  CDGATE_FAKE_METHOD(CreateInvite)
  CDGATE_FAKE_METHOD(RevokeInvite)
  CDGATE_FAKE_METHOD(CheckInvite)
  CDGATE_FAKE_METHOD(AcceptInvite)
  CDGATE_FAKE_METHOD_NAMED(ApprovePeer, ApprovePeerRequest, Peer)
  CDGATE_FAKE_METHOD_NAMED(GetPeer, GetPeerRequest, PeerStatus)
  CDGATE_FAKE_METHOD(ListPeers)
  CDGATE_FAKE_METHOD_NAMED(FreezePeer, FreezePeerRequest, Peer)
  CDGATE_FAKE_METHOD_NAMED(ResumePeer, ResumePeerRequest, Peer)
  CDGATE_FAKE_METHOD(RemovePeer)
  CDGATE_FAKE_METHOD(CheckPolicy)
  CDGATE_FAKE_METHOD(ApplyPolicy)
  CDGATE_FAKE_METHOD_NAMED(PlanPolicy, PlanPolicyRequest, Plan)
  CDGATE_FAKE_METHOD_NAMED(GetPlan, GetPlanRequest, Plan)
  CDGATE_FAKE_METHOD(ListPlans)
  CDGATE_FAKE_METHOD(ListPlanEvents)
  CDGATE_FAKE_METHOD_NAMED(ApprovePlan, ApprovePlanRequest, Plan)
  CDGATE_FAKE_METHOD(RotatePseudonyms)
  CDGATE_FAKE_METHOD_NAMED(GetPolicy, GetPolicyRequest, PolicyVersion)
  CDGATE_FAKE_METHOD(ListPolicies)
  CDGATE_FAKE_METHOD(ListPolicyVersions)
  CDGATE_FAKE_METHOD(ExplainEvent)
  CDGATE_FAKE_METHOD(WhoGot)
  CDGATE_FAKE_METHOD_NAMED(ApplyGrant, ApplyGrantRequest, Grant)
  CDGATE_FAKE_METHOD(DeleteGrant)
  CDGATE_FAKE_METHOD(ListGrants)
  CDGATE_FAKE_METHOD_NAMED(ApplyGroup, ApplyGroupRequest, Group)
  CDGATE_FAKE_METHOD(DeleteGroup)
  CDGATE_FAKE_METHOD(ListGroups)
  CDGATE_FAKE_METHOD(CreateToken)
  CDGATE_FAKE_METHOD(ListTokens)
  CDGATE_FAKE_METHOD(DeleteToken)
  CDGATE_FAKE_METHOD_NAMED(AddSchema, AddSchemaRequest, Schema)
  CDGATE_FAKE_METHOD(ListSchemas)
  CDGATE_FAKE_METHOD_NAMED(GetSchema, GetSchemaRequest, Schema)
  CDGATE_FAKE_METHOD(DeleteSchema)
  CDGATE_FAKE_METHOD(GetStatus)

 private:
  FakeGateway& gateway_;
};

class FakeGateway::Subscriptions final : public admin::v1::SubscriptionService::Service {
 public:
  explicit Subscriptions(FakeGateway& gateway) : gateway_(gateway) {}
  CDGATE_FAKE_METHOD_NAMED(CreateSubscription, CreateSubscriptionRequest, SubscriptionStatus)
  CDGATE_FAKE_METHOD_NAMED(GetSubscription, GetSubscriptionRequest, SubscriptionStatus)
  CDGATE_FAKE_METHOD(ListSubscriptions)
  CDGATE_FAKE_METHOD_NAMED(UpdateSubscription, UpdateSubscriptionRequest, SubscriptionStatus)
  CDGATE_FAKE_METHOD(DeleteSubscription)
  CDGATE_FAKE_METHOD_NAMED(SeekSubscription, SeekSubscriptionRequest, SubscriptionStatus)
  CDGATE_FAKE_METHOD(ListDeadLetters)
  CDGATE_FAKE_METHOD(RedriveDeadLetters)
  CDGATE_FAKE_METHOD(DropDeadLetters)

 private:
  FakeGateway& gateway_;
};

class FakeGateway::Agreements final : public admin::v1::AgreementService::Service {
 public:
  explicit Agreements(FakeGateway& gateway) : gateway_(gateway) {}
  CDGATE_FAKE_METHOD_NAMED(RenewPeer, RenewPeerRequest, Peer)
  CDGATE_FAKE_METHOD_NAMED(UpdatePeer, UpdatePeerRequest, Peer)
  CDGATE_FAKE_METHOD(GetHoldings)
  CDGATE_FAKE_METHOD(ListLostEvents)
  CDGATE_FAKE_METHOD(DoctorPeer)
  CDGATE_FAKE_METHOD_NAMED(StopExports, StopExportsRequest, ExportSwitch)
  CDGATE_FAKE_METHOD_NAMED(ResumeExports, ResumeExportsRequest, ExportSwitch)
  CDGATE_FAKE_METHOD_NAMED(GetExports, GetExportsRequest, ExportSwitch)

 private:
  FakeGateway& gateway_;
};

class FakeGateway::Trust final : public admin::v1::TrustService::Service {
 public:
  explicit Trust(FakeGateway& gateway) : gateway_(gateway) {}
  CDGATE_FAKE_METHOD(ListTrust)
  CDGATE_FAKE_METHOD(CheckPeerBundle)
  CDGATE_FAKE_METHOD(SetPeerBundle)
  CDGATE_FAKE_METHOD(ListAttestors)
  CDGATE_FAKE_METHOD(GetAttestor)
#undef CDGATE_FAKE_METHOD
#undef CDGATE_FAKE_METHOD_NAMED

 private:
  FakeGateway& gateway_;
};

class FakeGateway::Events final : public events::v1::EventsService::Service {
 public:
  explicit Events(FakeGateway& gateway) : gateway_(gateway) {}
  grpc::Status PublishStream(grpc::ServerContext*, FakeGateway::PublishStream* stream) override {
    return gateway_.publish_stream(stream);
  }
  grpc::Status Subscribe(grpc::ServerContext*, SubscribeStream* stream) override {
    return gateway_.subscribe(stream);
  }
  grpc::Status ListEvents(grpc::ServerContext*, const events::v1::ListEventsRequest* request,
                          events::v1::ListEventsResponse* response) override {
    return gateway_.Handle("ListEvents", *request, response);
  }
  grpc::Status Trace(grpc::ServerContext*, const events::v1::TraceRequest* request,
                     events::v1::TraceResponse* response) override {
    return gateway_.Handle("Trace", *request, response);
  }

 private:
  FakeGateway& gateway_;
};

FakeGateway::FakeGateway()
    : admin_(std::make_unique<Admin>(*this)),
      subscriptions_(std::make_unique<Subscriptions>(*this)),
      agreements_(std::make_unique<Agreements>(*this)),
      trust_(std::make_unique<Trust>(*this)),
      events_(std::make_unique<Events>(*this)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(admin_.get());
  builder.RegisterService(subscriptions_.get());
  builder.RegisterService(agreements_.get());
  builder.RegisterService(trust_.get());
  builder.RegisterService(events_.get());
  server_ = builder.BuildAndStart();
}

FakeGateway::~FakeGateway() { server_->Shutdown(); }

void FakeGateway::Answer(const std::string& method, const google::protobuf::Message& response) {
  base::MutexLock lock(mu_);
  answers_[method] = response.SerializeAsString();
  errors_.erase(method);
}

void FakeGateway::Fail(const std::string& method, absl::Status error) {
  base::MutexLock lock(mu_);
  errors_[method] = std::move(error);
}

bool FakeGateway::LastRequest(const std::string& method, google::protobuf::Message* request) {
  base::MutexLock lock(mu_);
  const auto it = requests_.find(method);
  return it != requests_.end() && request->ParseFromString(it->second);
}

grpc::Status FakeGateway::Handle(const std::string& method,
                                 const google::protobuf::Message& request,
                                 google::protobuf::Message* response) {
  base::MutexLock lock(mu_);
  requests_[method] = request.SerializeAsString();
  if (const auto error = errors_.find(method); error != errors_.end()) {
    return rpc::ToGrpcStatus(error->second);
  }
  const auto answer = answers_.find(method);
  if (answer == answers_.end()) {
    return rpc::ToGrpcStatus(base::MakeError(base::Reason::kNotFound, "there is no such thing"));
  }
  response->ParseFromString(answer->second);
  return grpc::Status::OK;
}

}  // namespace cdgate::cli

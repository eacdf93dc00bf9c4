#include "auth/authz/method_table.h"

#include <algorithm>
#include <iterator>

namespace cdgate::authz {
namespace {

using Listeners = EnumSet<Listener>;
using Roles = EnumSet<Role>;

constexpr Listeners kApiOnly = {Listener::kApi};
constexpr Listeners kAdmin = {Listener::kApi, Listener::kLocal};

constexpr Roles kOperators = {Role::kOperator};
constexpr Roles kOperatorsAndAuditors = {Role::kOperator, Role::kAuditor};
constexpr Roles kPolicyPeople = {Role::kPolicyAuthor, Role::kPolicyApprover, Role::kAuditor};
constexpr Roles kEverybodyInAdmin = {Role::kOperator, Role::kPolicyAuthor, Role::kPolicyApprover,
                                     Role::kAuditor};

// These answer for the peers in scope alone, or find out for themselves which peer it is about.
// Of any other method of administration the request has to name it: a method that nobody
// thought about is out of reach.
constexpr absl::string_view kHandlersThatLook[] = {
    "/cdgate.admin.v1.AdminService/ApplyPolicy", "/cdgate.admin.v1.AdminService/ApprovePlan",
    "/cdgate.admin.v1.AdminService/GetPlan",     "/cdgate.admin.v1.AdminService/GetStatus",
    "/cdgate.admin.v1.AdminService/ListPeers",   "/cdgate.admin.v1.AdminService/ListPlanEvents",
    "/cdgate.admin.v1.AdminService/ListPlans",   "/cdgate.admin.v1.AdminService/ListPolicies",
    "/cdgate.admin.v1.AdminService/WhoGot"};

Reach ReachOf(absl::string_view method, Roles roles) {
  if (!roles.Meets(kEverybodyInAdmin)) return Reach::kAnywhere;
  const auto* const found =
      std::find(std::begin(kHandlersThatLook), std::end(kHandlersThatLook), method);
  return found == std::end(kHandlersThatLook) ? Reach::kRequest : Reach::kHandler;
}

std::vector<MethodRow> MakeTable() {
  std::vector<MethodRow> rows;
  const auto add = [&rows](absl::string_view method, Listeners listeners, Admits admits,
                           Roles roles) {
    rows.push_back({method, listeners, admits, roles, ReachOf(method, roles)});
  };

  // Events: to publish and to read are roles of their own; whoever administers the gateway
  // does not see what events carry.
  for (const absl::string_view method :
       {"/cdgate.events.v1.EventsService/Publish", "/cdgate.events.v1.EventsService/PublishBatch",
        "/cdgate.events.v1.EventsService/PublishStream"}) {
    add(method, kApiOnly, Admits::kRoles, {Role::kPublisher});
  }
  for (const absl::string_view method :
       {"/cdgate.events.v1.EventsService/GetEvent", "/cdgate.events.v1.EventsService/ListEvents",
        "/cdgate.events.v1.EventsService/Trace", "/cdgate.events.v1.EventsService/Subscribe",
        "/cdgate.events.v1.EventsService/Watch", "/cdgate.events.v1.ProofService/GetEventProof"}) {
    add(method, kApiOnly, Admits::kRoles, {Role::kSubscriber});
  }

  // Of the caller's own subscriptions, of all for those who administer: their handlers look.
  for (const absl::string_view method :
       {"/cdgate.admin.v1.SubscriptionService/CreateSubscription",
        "/cdgate.admin.v1.SubscriptionService/DeleteSubscription",
        "/cdgate.admin.v1.SubscriptionService/DropDeadLetters",
        "/cdgate.admin.v1.SubscriptionService/RedriveDeadLetters",
        "/cdgate.admin.v1.SubscriptionService/SeekSubscription",
        "/cdgate.admin.v1.SubscriptionService/UpdateSubscription"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kSubscriber, Role::kOperator});
  }
  for (const absl::string_view method :
       {"/cdgate.admin.v1.SubscriptionService/GetSubscription",
        "/cdgate.admin.v1.SubscriptionService/ListDeadLetters",
        "/cdgate.admin.v1.SubscriptionService/ListSubscriptions"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kSubscriber, Role::kOperator, Role::kAuditor});
  }

  add("/cdgate.events.v1.EventsService/Describe", kAdmin, Admits::kAnyGranted, {});

  // Administration: what changes the gateway is the operator's, what changes policies the
  // policy author's.
  for (const absl::string_view method :
       {"/cdgate.admin.v1.AdminService/AcceptInvite", "/cdgate.admin.v1.AdminService/ApplyGrant",
        "/cdgate.admin.v1.AdminService/ApprovePeer", "/cdgate.admin.v1.AdminService/CheckInvite",
        "/cdgate.admin.v1.AdminService/CreateInvite", "/cdgate.admin.v1.AdminService/DeleteGrant",
        "/cdgate.admin.v1.AdminService/AddSchema", "/cdgate.admin.v1.AdminService/DeleteSchema",
        "/cdgate.admin.v1.AdminService/ApplyGroup", "/cdgate.admin.v1.AdminService/DeleteGroup",
        "/cdgate.admin.v1.AdminService/DropPeerDeadLetters",
        "/cdgate.admin.v1.AdminService/RedrivePeerDeadLetters",
        "/cdgate.admin.v1.AdminService/FreezePeer", "/cdgate.admin.v1.AdminService/RemovePeer",
        "/cdgate.admin.v1.AdminService/ResumePeer", "/cdgate.admin.v1.AdminService/RevokeInvite"}) {
    add(method, kAdmin, Admits::kRoles, kOperators);
  }
  // Agreements and the switch of all exports.
  for (const absl::string_view method : {"/cdgate.admin.v1.AgreementService/RenewPeer",
                                         "/cdgate.admin.v1.AgreementService/UpdatePeer",
                                         "/cdgate.admin.v1.AgreementService/StopExports",
                                         "/cdgate.admin.v1.AgreementService/ResumeExports",
                                         "/cdgate.admin.v1.AgreementService/DoctorPeer"}) {
    add(method, kAdmin, Admits::kRoles, kOperators);
  }
  // Backups, and what is open after one was restored.
  add("/cdgate.admin.v1.RecoveryService/CreateBackup", kAdmin, Admits::kRoles, kOperators);
  add("/cdgate.admin.v1.RecoveryService/FetchEvents", kAdmin, Admits::kRoles, kOperators);
  add("/cdgate.admin.v1.RecoveryService/GetRestore", kAdmin, Admits::kRoles, kOperatorsAndAuditors);
  add("/cdgate.admin.v1.AgreementService/GetHoldings", kAdmin, Admits::kRoles,
      kOperatorsAndAuditors);
  add("/cdgate.admin.v1.AgreementService/ListLostEvents", kAdmin, Admits::kRoles,
      kOperatorsAndAuditors);
  add("/cdgate.admin.v1.AgreementService/GetExports", kAdmin, Admits::kRoles, kEverybodyInAdmin);
  add("/cdgate.admin.v1.AdminService/CreateToken", kAdmin, Admits::kRoles, kOperators);
  add("/cdgate.admin.v1.AdminService/DeleteToken", kAdmin, Admits::kRoles, kOperators);
  add("/cdgate.admin.v1.AdminService/ListTokens", kAdmin, Admits::kRoles, kOperatorsAndAuditors);
  for (const absl::string_view method :
       {"/cdgate.admin.v1.AdminService/ApplyPolicy", "/cdgate.admin.v1.AdminService/PlanPolicy",
        "/cdgate.admin.v1.AdminService/RotatePseudonyms"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kPolicyAuthor});
  }
  // Where widening is approved, who may approve decides alone who may be approved.
  add("/cdgate.admin.v1.AdminService/ApprovePlan", kAdmin, Admits::kRoles, {Role::kPolicyApprover});
  add("/cdgate.admin.v1.AdminService/CheckPolicy", kAdmin, Admits::kRoles, kPolicyPeople);
  for (const absl::string_view method :
       {"/cdgate.admin.v1.AdminService/GetSchema", "/cdgate.admin.v1.AdminService/ListSchemas",
        "/cdgate.admin.v1.AdminService/ListGrants"}) {
    add(method, kAdmin, Admits::kRoles, kOperatorsAndAuditors);
  }
  for (const absl::string_view method :
       {"/cdgate.admin.v1.AdminService/ExplainEvent", "/cdgate.admin.v1.AdminService/GetPeer",
        "/cdgate.admin.v1.AdminService/GetPolicy", "/cdgate.admin.v1.AdminService/GetStatus",
        "/cdgate.admin.v1.AdminService/ListPeers", "/cdgate.admin.v1.AdminService/ListPolicies",
        "/cdgate.admin.v1.AdminService/ListPolicyVersions", "/cdgate.admin.v1.AdminService/GetPlan",
        "/cdgate.admin.v1.AdminService/ListGroups",
        "/cdgate.admin.v1.AdminService/ListPeerDeadLetters",
        "/cdgate.admin.v1.AdminService/ListPlanEvents", "/cdgate.admin.v1.AdminService/ListPlans",
        "/cdgate.admin.v1.AdminService/WhoGot"}) {
    add(method, kAdmin, Admits::kRoles, kEverybodyInAdmin);
  }

  // What is offered and asked for: whoever may write a policy answers, since that is what lets
  // anything cross.
  for (const absl::string_view method : {"/cdgate.admin.v1.CatalogueService/ListOffers",
                                         "/cdgate.admin.v1.CatalogueService/GetPeerCatalogue",
                                         "/cdgate.admin.v1.CatalogueService/ListAccessRequests"}) {
    add(method, kAdmin, Admits::kRoles, kEverybodyInAdmin);
  }
  for (const absl::string_view method : {"/cdgate.admin.v1.CatalogueService/RequestAccess",
                                         "/cdgate.admin.v1.CatalogueService/WithdrawAccess"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kOperator, Role::kPolicyAuthor});
  }
  for (const absl::string_view method : {"/cdgate.admin.v1.CatalogueService/ApproveAccess",
                                         "/cdgate.admin.v1.CatalogueService/DenyAccess"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kPolicyAuthor, Role::kPolicyApprover});
  }

  // Whoever runs the gateway may deny, ends a denial, and vouches for a peer's bundle.
  for (const absl::string_view method :
       {"/cdgate.admin.v1.TrustService/AddDenial", "/cdgate.admin.v1.TrustService/DeleteDenial",
        "/cdgate.admin.v1.TrustService/CheckPeerBundle",
        "/cdgate.admin.v1.TrustService/SetPeerBundle"}) {
    add(method, kAdmin, Admits::kRoles, kOperators);
  }
  for (const absl::string_view method :
       {"/cdgate.admin.v1.TrustService/GetAttestor", "/cdgate.admin.v1.TrustService/ListAttestors",
        "/cdgate.admin.v1.TrustService/ListDenials", "/cdgate.admin.v1.TrustService/ListTrust"}) {
    add(method, kAdmin, Admits::kRoles, kOperatorsAndAuditors);
  }
  // What never arrived of others' events.
  add("/cdgate.admin.v1.CountService/CountOrigin", kAdmin, Admits::kRoles, kOperatorsAndAuditors);
  // The audit log is the auditors'.
  for (const absl::string_view method :
       {"/cdgate.admin.v1.AuditService/ExportAudit", "/cdgate.admin.v1.AuditService/VerifyAudit"}) {
    add(method, kAdmin, Admits::kRoles, {Role::kAuditor});
  }
  // Everybody may ask about himself; the handler looks who asks about whom.
  add("/cdgate.admin.v1.AccessService/ExplainAccess", kAdmin, Admits::kAnyPrincipal, {});
  add("/cdgate.admin.v1.AccessService/ListAccess", kAdmin, Admits::kAnyPrincipal, {});

  // Between domains.
  add("/cdgate.federation.v1.FederationService/Link", {Listener::kPeers}, Admits::kPeerGateway, {});
  add("/cdgate.federation.v1.PeeringService/GetAgreement", {Listener::kPeers}, Admits::kPeerGateway,
      {});
  add("/cdgate.federation.v1.RecoveryService/FetchBack", {Listener::kPeers}, Admits::kPeerGateway,
      {});
  add("/cdgate.federation.v1.EnrolmentService/Enrol", {Listener::kEnrolment}, Admits::kEnroller,
      {});

  // Of every gRPC server.
  for (const absl::string_view method :
       {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    add(method, {Listener::kPeers, Listener::kApi, Listener::kLocal}, Admits::kAnyPrincipal, {});
  }
  for (const absl::string_view method :
       {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    add(method, kAdmin, Admits::kAnyGranted, {});
  }

  std::sort(rows.begin(), rows.end(),
            [](const MethodRow& a, const MethodRow& b) { return a.method < b.method; });
  return rows;
}

}  // namespace

absl::string_view ListenerName(Listener listener) {
  switch (listener) {
    case Listener::kPeers: return "peers";
    case Listener::kApi: return "api";
    case Listener::kEnrolment: return "enrolment";
    case Listener::kLocal: return "local";
  }
  return "unknown";
}

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kPublisher: return "publisher";
    case Role::kSubscriber: return "subscriber";
    case Role::kOperator: return "operator";
    case Role::kPolicyAuthor: return "policy author";
    case Role::kPolicyApprover: return "policy approver";
    case Role::kAuditor: return "auditor";
  }
  return "unknown";
}

absl::Span<const Role> AllRoles() {
  static constexpr Role kAll[] = {Role::kPublisher,    Role::kSubscriber,     Role::kOperator,
                                  Role::kPolicyAuthor, Role::kPolicyApprover, Role::kAuditor};
  return kAll;
}

const std::vector<MethodRow>& MethodTable() {
  static const auto* const table = new std::vector<MethodRow>(MakeTable());
  return *table;
}

const MethodRow* FindMethod(absl::string_view method) {
  const std::vector<MethodRow>& table = MethodTable();
  const auto found = std::lower_bound(
      table.begin(), table.end(), method,
      [](const MethodRow& row, absl::string_view wanted) { return row.method < wanted; });
  return found != table.end() && found->method == method ? &*found : nullptr;
}

}  // namespace cdgate::authz

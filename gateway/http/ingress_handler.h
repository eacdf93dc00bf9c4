// What the ingress does with a request once it is read: who sends it, may they, publish,
// answer. No sockets; the connection (ingress_connection.h) calls it.
//
//   if (auto answer = handler.BeforeBody(head, client, &principal)) return Send(*answer);
//   ...read the body...
//   handler.Publish(principal, head, body, [](HttpAnswer answer) { ... });
//
// POST to / and to /events publishes, OPTIONS there is the webhook handshake (CloudEvents
// http-webhook 1.0.2, section 4), a call below grant_path grants what we asked a webhook for,
// everything else is refused. Who sends is decided for each
// request anew, before its body is read: by its bearer token where it has one, else by
// the connection's certificate, which is verified again where trust has changed since, when it
// expires, and after a minute: what it was issued by and revocation lists can expire too, and
// nobody says when. So a token or certificate that is revoked ends with the request that is under
// way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "auth/authz/principal.h"
#include "auth/authz/token.h"
#include "auth/trust/trust_registry.h"
#include "auth/trust/verify.h"
#include "gateway/admission/admission.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"
#include "gateway/http/http_reader.h"
#include "gateway/http/ingress_answer.h"
#include "gateway/http/ingress_request.h"
#include "gateway/http/log_limiter.h"
#include "gateway/rpc/principal_rates.h"

namespace cdgate::http {

// The client certificate of a connection that showed one.
struct ClientCertificate {
  trust::VerifiedPeer peer;
  std::shared_ptr<const trust::TrustSnapshot> verified_under;
  absl::Time verified_at;
};

// The other end of a connection.
struct IngressClient {
  std::optional<ClientCertificate> certificate;
  std::string address;  // for the log, which has at most a line a second of one
};

// All outlive the handler.
struct IngressDeps {
  std::string domain;  // our own
  admission::Admission& admission;
  // Those in force.
  std::function<std::shared_ptr<const authz::Tokens>()> tokens;
  // Whose token of an identity provider it is: IDENTITY_TOKEN_INVALID or EXPIRED. Absent: there
  // is no provider.
  std::function<absl::StatusOr<authz::Principal>(absl::string_view)> identity_token = nullptr;
  std::shared_ptr<const trust::SnapshotSource> trust;
  // Whether a principal is refused for the time being; as rpc::DenyList.
  std::function<absl::Status(const authz::Principal&)> deny;
  // Optional. Told of requests whose sender is refused: address, principal where it is known,
  // why. Must not block.
  std::function<void(const std::string&, const std::string&, const absl::Status&)> on_refused = {};
  // Optional. How many requests one principal may make, and how many events it may publish.
  rpc::PrincipalRates* rates = nullptr;
  // Optional. Where a webhook that we push to grants permission, by GET or POST of this path and
  // the key that it was told (CloudEvents http-webhook 1.0.2, section 4.1.3): told the key and the
  // WebHook-Allowed-Rate, "" for none. The key alone says who calls. Must not block.
  std::string grant_path = {};
  std::function<absl::Status(absl::string_view, absl::string_view)> on_grant = {};
  // The log's, for answers.
  std::function<base::Epoch()> epoch;
  const base::Clock& clock;
  base::Metrics& metrics;
};

// Verifies a certificate as the api listener does: a principal of our own domain; `again`
// where the connection stands already. Errors of trust::Verify, WRONG_PEER.
absl::StatusOr<ClientCertificate> VerifyClient(const trust::SnapshotSource& trust,
                                               absl::string_view domain, absl::string_view leaf_pem,
                                               absl::string_view chain_pem, absl::Time now,
                                               bool again = false);

// Thread-safe, but for RequestReader, which the caller brings.
class IngressHandler {
 public:
  using Done = std::function<void(HttpAnswer)>;

  explicit IngressHandler(IngressDeps deps);

  // The answer to a request whose body need not be read; none where it is to be read and
  // published in the name of `*principal`.
  std::optional<HttpAnswer> BeforeBody(const HttpHead& head, IngressClient& client,
                                       authz::Principal* principal) const;

  // `done` runs once: in this call, or when the events are on disk, on a thread of the
  // store. `body` is read before this returns.
  void Publish(const authz::Principal& principal, const HttpHead& head, absl::string_view body,
               RequestReader& reader, Done done) const;

  // Whether who is connected may stay: no certificate was shown, or it is still trusted.
  bool MayStay(IngressClient& client) const {
    return !client.certificate || ByCertificate(client).ok();
  }

  // The answer to a request that cannot be read, counted.
  HttpAnswer Refuse(const absl::Status& status) const;

  const IngressDeps& deps() const { return deps_; }

 private:
  HttpAnswer Grant(const HttpHead& head) const;
  absl::StatusOr<authz::Principal> Authenticate(const HttpHead& head, IngressClient& client) const;
  absl::StatusOr<authz::Principal> ByCertificate(IngressClient& client) const;
  absl::StatusOr<authz::Principal> ByToken(absl::string_view authorization) const;
  void CountAnswer(IngressMode mode, const HttpAnswer& answer) const;

  const IngressDeps deps_;
  mutable LogLimiter lines_;
  // Fixed after construction.
  std::map<std::pair<IngressMode, bool>, base::Counter*> requests_;  // by mode, and 202 or not
  std::map<base::Reason, base::Counter*> refusals_;
};

}  // namespace cdgate::http

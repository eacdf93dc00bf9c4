// What a gateway and its peers tell each other of how to trust them, over their links.
//
//   TrustExchange exchange({.store = store, .identity = identity, .trust = trust, ...});
//   if (auto update = exchange.Own()) session.SetTrust(*update);
//   exchange.OnReceived("beta.example", received);
//
// A domain's new root, a root that it leaves out, and its revocation lists so reach every peer
// within seconds of the files at home, and are in force there without anybody's doing.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// All outlive the exchange.
struct TrustExchangeDeps {
  state::Store& store;
  const credentials::IdentityStore& identity;
  const trust::TrustRegistry& trust;
  const base::Clock& clock;
  absl::Duration crl_grace;
};

// Thread-safe. Nothing blocks.
class TrustExchange {
 public:
  explicit TrustExchange(TrustExchangeDeps deps) : deps_(std::move(deps)) {}

  // Our own, signed: the same object until certificate, bundle or lists change. Null where it
  // cannot be signed, which is logged.
  std::shared_ptr<const federation::v1::TrustUpdate> Own();

  // Takes what `peer`, authenticated, sent of itself, where it verifies (trust_update.h): it
  // is stored, and in force once `done` is told OK. What does not verify changes nothing, is
  // logged, and `done` is told BUNDLE_INVALID; NO_AGREEMENT where the agreement is gone, errors
  // of Store::Propose. `done` may be null.
  void OnReceived(absl::string_view peer, const federation::v1::TrustUpdate& update,
                  std::function<void(const absl::Status&)> done = nullptr);

 private:
  using Done = std::function<void(const absl::Status&)>;
  void Try(const std::string& peer, const federation::v1::TrustUpdate& update, const Done& done,
           int tries);
  // Not OK: `done` is not called.
  absl::Status Take(const std::string& peer, const federation::v1::TrustUpdate& update,
                    const Done& done);

  const TrustExchangeDeps deps_;
  base::Mutex mu_;
  std::shared_ptr<const credentials::Material> signed_by_ CDGATE_GUARDED_BY(mu_);
  std::shared_ptr<const federation::v1::TrustUpdate> own_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager

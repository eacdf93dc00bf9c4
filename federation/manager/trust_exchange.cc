#include "federation/manager/trust_exchange.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/manager/trust_update.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/resources.h"

namespace cdgate::manager {
namespace {

// How often an update is judged again because what is held has changed meanwhile.
constexpr int kTries = 4;

storage::v1::PeerTrust HeldIn(const state::ResourcePtr& stored) {
  storage::v1::PeerTrust held;
  if (stored != nullptr && !held.ParseFromString(stored->value)) held.Clear();
  return held;
}

bool SameLists(const federation::v1::TrustDocument& document, const storage::v1::PeerTrust& held) {
  return std::equal(document.revocation_lists().begin(), document.revocation_lists().end(),
                    held.revocation_lists().begin(), held.revocation_lists().end());
}

// `held` with what the document says of lists. A bundle that came over the link is not one that
// was set by hand.
state::ResourceEdit ListsEdit(const federation::v1::TrustDocument& document,
                              const std::string& peer, storage::v1::PeerTrust held,
                              bool new_bundle) {
  held.set_issue_time_nanos(document.issue_time().seconds() * 1'000'000'000 +
                            document.issue_time().nanos());
  *held.mutable_revocation_lists() = document.revocation_lists();
  if (new_bundle) {
    held.clear_set_by();
    held.clear_set_time_nanos();
  }
  return {.kind = state::kPeerTrustKind,
          .name = peer,
          .value = held.SerializeAsString(),
          .author = peer};
}

}  // namespace

std::shared_ptr<const federation::v1::TrustUpdate> TrustExchange::Own() {
  const auto material = deps_.identity.CurrentMaterial();
  {
    base::MutexLock lock(mu_);
    if (signed_by_ == material) return own_;
  }
  int left_out = 0;
  auto update = MakeTrustUpdate(*material, deps_.clock.Now(), &left_out);
  if (!update.ok()) {
    base::LogError(base::LogLevel::kError, "peers are not told of our trust", update.status());
  }
  if (left_out > 0) {
    base::Log(base::LogLevel::kError, "revocation lists too large to be told to peers",
              {{"lists", absl::StrCat(left_out)}});
  }
  base::MutexLock lock(mu_);
  signed_by_ = material;  // also what cannot be signed is tried once
  own_ = update.ok() ? std::make_shared<const federation::v1::TrustUpdate>(*std::move(update))
                     : nullptr;
  return own_;
}

void TrustExchange::OnReceived(absl::string_view peer, const federation::v1::TrustUpdate& update,
                               std::function<void(const absl::Status&)> done) {
  auto told = [peer = std::string(peer), done = std::move(done)](const absl::Status& status) {
    if (!status.ok()) {
      base::LogError(base::LogLevel::kWarning, "trust of peer not taken", status, {{"peer", peer}});
    }
    if (done) done(status);
  };
  Try(std::string(peer), update, told, kTries);
}

void TrustExchange::Try(const std::string& peer, const federation::v1::TrustUpdate& update,
                        const Done& done, int tries) {
  const absl::Status taken =
      Take(peer, update, [this, peer, update, done, tries](const absl::Status& status) {
        // Somebody else changed what is held: what was taken is judged again by that.
        const bool again = base::ReasonOf(status) == base::Reason::kEtagMismatch ||
                           base::ReasonOf(status) == base::Reason::kAlreadyExists;
        if (!again || tries <= 1) return done(status);
        Try(peer, update, done, tries - 1);
      });
  if (!taken.ok()) done(taken);
}

absl::Status TrustExchange::Take(const std::string& peer, const federation::v1::TrustUpdate& update,
                                 const Done& done) {
  const auto resources = deps_.store.Resources();
  const auto stored = resources->Find(state::kPeerKind, peer);
  if (stored == nullptr) {
    return base::MakeError(base::Reason::kNoAgreement, absl::StrCat("no agreement with ", peer));
  }
  CDGATE_ASSIGN_OR_RETURN(admin::v1::Peer resource, stored->As<admin::v1::Peer>());
  const auto stored_trust = resources->Find(state::kPeerTrustKind, peer);
  const storage::v1::PeerTrust held = HeldIn(stored_trust);
  const auto trust = deps_.trust.Current();
  CDGATE_ASSIGN_OR_RETURN(
      const federation::v1::TrustDocument document,
      VerifyTrustUpdate(update, {peer, *trust, held, deps_.crl_grace, deps_.clock.Now()}));
  CDGATE_ASSIGN_OR_RETURN(const std::string before, trust::BundleDigest(resource.bundle_pem()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, trust::BundleDigest(document.bundle_pem()));
  state::Proposal proposal;
  if (before != after) {
    resource.set_bundle_pem(document.bundle_pem());
    proposal.resources.push_back({.kind = state::kPeerKind,
                                  .name = peer,
                                  .value = resource.SerializeAsString(),
                                  .expected_version = stored->version,
                                  .author = peer});
    base::Log(
        base::LogLevel::kInfo, "bundle of peer changes",
        {{"peer", peer}, {"from", base::Fingerprint(before)}, {"to", base::Fingerprint(after)}});
  }
  // At every link the same is told again.
  if (before == after && held.issue_time_nanos() != 0 && SameLists(document, held)) {
    done(absl::OkStatus());
    return absl::OkStatus();
  }
  proposal.resources.push_back(ListsEdit(document, peer, held, before != after));
  // Not over what an operator set meanwhile.
  proposal.resources.back().expected_version = stored_trust == nullptr ? 0 : stored_trust->version;
  return deps_.store.Propose(std::move(proposal),
                             [done](const state::Outcome& outcome) { done(outcome.status); });
}

}  // namespace cdgate::manager

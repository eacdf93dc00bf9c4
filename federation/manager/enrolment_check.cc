// What an invite says, for who has it and did not accept it yet.
#include "federation/manager/enrolment.h"

#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {

absl::StatusOr<admin::v1::CheckInviteResponse> Enrolment::CheckInvite(
    const admin::v1::CheckInviteRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const invite::Token token, invite::DecodeToken(request.token()));
  admin::v1::CheckInviteResponse response;
  response.set_domain(token.inviter_domain);
  response.set_fingerprint(base::Fingerprint(token.bundle_digest));
  response.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(token.expires));
  response.set_accepter_domain(token.only_domain);
  response.set_endpoint(token.endpoint);
  response.set_offline(!token.bundle_pem.empty());
  response.set_purpose(token.purpose);
  for (const std::string& contact : token.contacts) response.add_contacts(contact);
  response.mutable_agreement_lifetime()->set_seconds(absl::ToInt64Seconds(token.lifetime));
  absl::Status usable = CheckNewPeer(token.inviter_domain);
  if (usable.ok()) usable = invite::CheckUsable(token, deps_.domain, deps_.clock.Now());
  if (usable.ok()) return response;
  const auto reason = base::ReasonOf(usable).value_or(base::Reason::kInternal);
  response.set_reason(std::string(base::ReasonText(reason)));
  response.set_message(std::string(usable.message()));
  return response;
}

}  // namespace cdgate::manager

// What the trust methods show of certificates and lists.
#pragma once

#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/revocation_list.h"
#include "cdgate/admin/v1/trust.pb.h"

namespace cdgate::api {

admin::v1::Authority AuthorityOf(const crypto::Certificate& root);

// `grace`: how long a list is good past its validity.
admin::v1::RevocationListStatus ListStatusOf(const crypto::RevocationList& list,
                                             absl::Duration grace);

}  // namespace cdgate::api

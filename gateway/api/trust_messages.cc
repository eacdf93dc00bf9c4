#include "gateway/api/trust_messages.h"

#include "gateway/api/times.h"
#include "gateway/base/encoding.h"

namespace cdgate::api {

admin::v1::Authority AuthorityOf(const crypto::Certificate& root) {
  admin::v1::Authority out;
  out.set_subject(root.subject());
  out.set_sha256(base::HexEncode(root.FingerprintSha256()));
  *out.mutable_expire_time() = ToProto(root.not_after());
  return out;
}

admin::v1::RevocationListStatus ListStatusOf(const crypto::RevocationList& list,
                                             absl::Duration grace) {
  admin::v1::RevocationListStatus out;
  out.set_issuer(list.issuer());
  out.set_number(list.number());
  out.set_entries(list.entries().size());
  if (list.next_update() != absl::InfiniteFuture()) {
    *out.mutable_next_update_time() = ToProto(list.next_update());
    *out.mutable_refuse_time() = ToProto(list.next_update() + grace);
  }
  return out;
}

}  // namespace cdgate::api

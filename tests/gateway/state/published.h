// Events as admission hands them to the store.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "auth/crypto/digest.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/event/digests.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::test {

// A published event: digests of its data, accepted now.
inline storage::v1::StoredEvent Published(const std::string& id, const std::string& json,
                                          absl::Time now) {
  io::cloudevents::v1::CloudEvent cloud;
  cloud.set_id(id);
  cloud.set_source("/ci/builds");
  cloud.set_spec_version("1.0");
  cloud.set_type("dev.cdevents.build.finished.0.3.0");
  cloud.set_binary_data(json);
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(cloud.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(absl::ToUnixNanos(now));
  stored.set_salt(std::string(16, 's'));
  stored.set_content_digest(crypto::Sha256(json));
  stored.set_commitment(event::Commitment(stored.salt(), stored.content_digest()));
  return stored;
}

}  // namespace cdgate::test

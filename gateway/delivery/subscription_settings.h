// What a named subscription says of itself, checked, and as the parts that deliver want it.
//
//   CDGATE_RETURN_IF_ERROR(CheckSubscription(subscription));
//   SharedQueue queue(SharedSettingsOf(subscription), progress);
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/delivery/shared_queue.h"

namespace cdgate::delivery {

bool IsShared(const admin::v1::Subscription& subscription);

// INVALID_ARGUMENT naming the field that is out of its bounds, INVALID_FILTER. What the store says
// of itself (owner, create_time) is not looked at.
absl::Status CheckSubscription(const admin::v1::Subscription& subscription);

// The defaults of resources.proto applied. `subscription` is one that CheckSubscription() took.
SharedSettings SharedSettingsOf(const admin::v1::Subscription& subscription);

// How long dead letters of it are kept.
absl::Duration LetterRetentionOf(const admin::v1::Subscription& subscription);

// How one that is pushed is.
struct PushSettings {
  uint32_t max_concurrency;
  absl::Duration timeout;  // of one request
};
// As SharedSettingsOf().
PushSettings PushSettingsOf(const admin::v1::Subscription& subscription);

// As cursors keep it; events through `reserved` may have been delivered when it is read again.
storage::v1::SharedProgress ToProto(const SharedProgress& progress, base::Sequence reserved);
SharedProgress FromProto(const storage::v1::SharedProgress& progress);

}  // namespace cdgate::delivery

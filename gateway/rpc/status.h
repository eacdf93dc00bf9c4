// Errors at the edge: absl::Status inside, google.rpc.Status outside.
//
// Outside, every error carries ErrorInfo{reason, domain "cdgate.dev", metadata}, and
// RetryInfo where its code says that another try may succeed (UNAVAILABLE,
// RESOURCE_EXHAUSTED). An error without a registered reason leaves as the reason its
// code is nearest to, and its text stays inside where the code is not one a caller
// causes: what a library says about our files and addresses is for our log.
// Converted once, here; nothing else builds or reads these details.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

namespace cdgate::rpc {

inline constexpr absl::string_view kErrorDomain = "cdgate.dev";
// The wait that RetryInfo names where the error does not say one (base::RetryAfterOf).
inline constexpr absl::Duration kRetryDelay = absl::Seconds(1);

// What a call finishes with. OK stays OK, without details.
grpc::Status ToGrpcStatus(const absl::Status& status);

// What a call to another server ended with. Where the details hold a registered
// reason of our domain, it and its metadata come back as base::MakeError made them;
// else the reason is the one nearest to the code (UNAVAILABLE: UNREACHABLE).
absl::Status FromGrpcStatus(const grpc::Status& status);

// The same for a message field that carries an error (PublishResult.error).
google::rpc::Status ToProto(const absl::Status& status);
absl::Status FromProto(const google::rpc::Status& status);

}  // namespace cdgate::rpc

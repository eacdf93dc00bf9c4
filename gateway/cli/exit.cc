#include "gateway/cli/exit.h"

#include "absl/strings/cord.h"
#include "gateway/base/errors.h"
#include "gateway/cli/cli.h"

namespace cdgate::cli {
namespace {

using base::Reason;

constexpr char kUsagePayload[] = "type.cdgate.dev/usage";

}  // namespace

absl::Status UsageError(absl::string_view message) {
  return AsUsageError(base::MakeError(Reason::kInvalidArgument, message));
}

absl::Status AsUsageError(absl::Status error) {
  if (!error.ok()) error.SetPayload(kUsagePayload, absl::Cord());
  return error;
}

bool IsUsageError(const absl::Status& error) { return error.GetPayload(kUsagePayload).has_value(); }

int ExitCodeOf(const absl::Status& error) {
  if (error.ok()) return kExitDone;
  if (IsUsageError(error)) return kExitUsage;
  if (const auto reason = base::ReasonOf(error)) {
    switch (*reason) {
      case Reason::kFileUnreadable:
      case Reason::kFileUnwritable:
      case Reason::kCredentialsInvalid: return kExitUsage;
      case Reason::kPeerClosedHandshake: return kExitNotAllowed;
      default: break;
    }
  }
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded: return kExitUnreachable;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated: return kExitNotAllowed;
    default: return kExitNo;
  }
}

}  // namespace cdgate::cli

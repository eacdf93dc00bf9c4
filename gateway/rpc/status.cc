#include "gateway/rpc/status.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/cdevents/faults.h"
#include "google/rpc/error_details.pb.h"

namespace cdgate::rpc {
namespace {

using base::Reason;

// Status and details travel in HTTP/2 trailers, and a client that gets more than 8 KiB
// of those closes the whole connection. Text counts up to three times (percent-encoded)
// in one and 4/3 times (base64) in the other.
constexpr size_t kMaxMessageBytes = 1024;
constexpr size_t kMaxDetailBytes = 1024;
constexpr size_t kMaxValueBytes = 256;

// The bytes of the UTF-8 character at the front of `text`; 0 where there is none.
size_t CharacterBytes(absl::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t n = lead < 0x80                   ? 1
                   : lead >= 0xC2 && lead < 0xE0 ? 2
                   : (lead & 0xF0) == 0xE0       ? 3
                   : lead >= 0xF0 && lead < 0xF5 ? 4
                                                 : 0;
  if (n > text.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) return 0;
  }
  return n;
}

// `text` as a protobuf string and a trailer can carry it: at most `max_bytes`, whole
// characters, a '?' for each byte that is none.
std::string Bounded(absl::string_view text, size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  while (!text.empty()) {
    const size_t n = CharacterBytes(text);
    if (out.size() + std::max<size_t>(n, 1) > max_bytes) return absl::StrCat(out, "…");
    absl::StrAppend(&out, n == 0 ? "?" : text.substr(0, n));
    text.remove_prefix(std::max<size_t>(n, 1));
  }
  return out;
}

// The reason for an error that was made elsewhere.
Reason NearestReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kCancelled: return Reason::kCancelled;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange: return Reason::kInvalidArgument;
    case absl::StatusCode::kDeadlineExceeded: return Reason::kDeadlineExceeded;
    case absl::StatusCode::kNotFound: return Reason::kNotFound;
    case absl::StatusCode::kAlreadyExists: return Reason::kAlreadyExists;
    case absl::StatusCode::kPermissionDenied: return Reason::kNotGranted;
    case absl::StatusCode::kUnauthenticated: return Reason::kUnauthenticatedCall;
    case absl::StatusCode::kResourceExhausted: return Reason::kOverloaded;
    case absl::StatusCode::kUnimplemented: return Reason::kMethodUnknown;
    case absl::StatusCode::kUnavailable: return Reason::kUnreachable;
    default: return Reason::kInternal;
  }
}

// `status` if it has a registered reason; otherwise the nearest one, with the registry's
// words instead of text that may tell of our insides.
absl::Status Registered(const absl::Status& status) {
  if (base::ReasonOf(status)) return status;
  base::LogError(base::LogLevel::kWarning, "error without a reason answered a call", status);
  const Reason reason = NearestReason(status.code());
  return base::MakeError(reason, base::InfoOf(reason).meaning);
}

bool MayRetry(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted;
}

google::rpc::ErrorInfo ErrorInfoOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(base::ReasonText(*base::ReasonOf(status))));
  info.set_domain(std::string(kErrorDomain));
  size_t bytes = 0;
  for (const auto& [key, value] : base::MetadataOf(status)) {
    std::string shortened = Bounded(value, kMaxValueBytes);
    bytes += key.size() + shortened.size();
    if (bytes > kMaxDetailBytes) break;
    (*info.mutable_metadata())[key] = std::move(shortened);
  }
  return info;
}

absl::StatusCode CodeFromWire(int code) {
  constexpr int kLast = static_cast<int>(absl::StatusCode::kUnauthenticated);
  return code < 0 || code > kLast ? absl::StatusCode::kUnknown
                                  : static_cast<absl::StatusCode>(code);
}

// Our ErrorInfo among the details, if there is one with a reason we know.
std::optional<Reason> FindReason(const google::rpc::Status& proto, base::Metadata* metadata) {
  for (const auto& detail : proto.details()) {
    google::rpc::ErrorInfo info;
    if (!detail.Is<google::rpc::ErrorInfo>() || !detail.UnpackTo(&info)) continue;
    const auto reason = base::ReasonFromText(info.reason());
    if (info.domain() != kErrorDomain || !reason) continue;
    for (const auto& [key, value] : info.metadata()) metadata->emplace_back(key, value);
    return reason;
  }
  return std::nullopt;
}

}  // namespace

google::rpc::Status ToProto(const absl::Status& status) {
  google::rpc::Status proto;
  if (status.ok()) return proto;
  const absl::Status registered = Registered(status);
  proto.set_code(static_cast<int>(registered.code()));
  proto.set_message(Bounded(registered.message(), kMaxMessageBytes));
  proto.add_details()->PackFrom(ErrorInfoOf(registered));
  if (const auto faults = registered.GetPayload(cdevents::kBadRequestUrl)) {
    google::protobuf::Any* const detail = proto.add_details();
    detail->set_type_url(cdevents::kBadRequestUrl);
    detail->set_value(std::string(*faults));
  }
  if (MayRetry(registered.code())) {
    const absl::Duration delay = base::RetryAfterOf(registered).value_or(kRetryDelay);
    google::rpc::RetryInfo retry;
    absl::Duration rest;
    retry.mutable_retry_delay()->set_seconds(absl::IDivDuration(delay, absl::Seconds(1), &rest));
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
    proto.add_details()->PackFrom(retry);
  }
  return proto;
}

absl::Status FromProto(const google::rpc::Status& proto) {
  if (proto.code() == 0) return absl::OkStatus();
  base::Metadata metadata;
  const auto reason = FindReason(proto, &metadata);
  // A reason that stands for no error (ALLOWED_BY_RULE) must not turn one into OK.
  if (reason && base::InfoOf(*reason).code != absl::StatusCode::kOk) {
    absl::Status status = base::MakeError(*reason, proto.message(), std::move(metadata));
    for (const auto& detail : proto.details()) {
      if (!detail.Is<google::rpc::BadRequest>()) continue;
      status.SetPayload(cdevents::kBadRequestUrl, absl::Cord(detail.value()));
    }
    return status;
  }
  return base::MakeError(NearestReason(CodeFromWire(proto.code())), proto.message());
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status proto = ToProto(status);
  return grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                      proto.SerializeAsString());
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status proto;
  // The details are the other side's word: used where they parse and agree with the code.
  if (!proto.ParseFromString(status.error_details()) || proto.code() != status.error_code()) {
    proto.Clear();
    proto.set_code(status.error_code());
  }
  proto.set_message(status.error_message());
  return FromProto(proto);
}

}  // namespace cdgate::rpc

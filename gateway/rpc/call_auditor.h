// Who records calls, told by the second gate: one place for every method of every service.
//
// A handler knows nothing of it. A unary call that is recorded is answered when its record is
// on disk, and ends with the recorder's error where it cannot be; a stream that is recorded
// begins then.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/authz/method_table.h"
#include "gateway/rpc/call.h"

namespace cdgate::rpc {

// A call that has no handler, as far as it is known.
struct RefusedFacts {
  std::string method;  // as the caller wrote it, at most 256 bytes
  authz::Listener listener;
  std::string principal;  // empty where nobody was identified
  std::string peer_address;
};

// One call that is recorded. Used by one thread at a time.
class CallRecord {
 public:
  using Recorded = std::function<void(const absl::Status&)>;

  virtual ~CallRecord() = default;
  // The call's outcome, with its answer where it has one. Once. `recorded` runs once, on any
  // thread, also before this returns: OK when it is on disk. Does not block.
  virtual void End(const absl::Status& outcome, const grpc::ByteBuffer* answer,
                   Recorded recorded) = 0;
};

// Thread-safe; nothing here may block.
class CallAuditor {
 public:
  virtual ~CallAuditor() = default;
  virtual void OnRefused(const RefusedFacts& call, const absl::Status& why) = 0;
  // Before the handler of an admitted call. Null: it is not recorded. Not OK: it ends so,
  // since it could not be recorded. `request` is null for a stream.
  virtual absl::StatusOr<std::unique_ptr<CallRecord>> Begin(const CallPtr& call,
                                                            const grpc::ByteBuffer* request) = 0;
};

}  // namespace cdgate::rpc

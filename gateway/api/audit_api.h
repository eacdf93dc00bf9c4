// The audit log over gRPC: ExportAudit and VerifyAudit.
//
//   AuditApi audit({.folder = …, .bundle_pem = …, .head = …, .executor = background});
//   CDGATE_RETURN_IF_ERROR(audit.Register(router));
//
// Both read the files on the executor, one run of each at a time: another one is refused with
// OVERLOADED. What is exported is what stands in the files; VerifyAudit says whether that is
// what was written. Its answer is OK also where something is wrong, which it then names.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "auth/audit/journal.h"
#include "cdgate/admin/v1/audit.pb.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"

namespace cdgate::api {

// All outlive the server.
struct AuditApiDeps {
  std::string folder;
  std::function<std::string()> bundle_pem;  // of our own domain
  std::function<audit::Head()> head;        // where the log stands
  base::Executor& executor;                 // may block
};

// Thread-safe; outlives the router's server.
class AuditApi {
 public:
  explicit AuditApi(AuditApiDeps deps) : deps_(std::move(deps)) {}

  // Adds its methods, once, before the server starts. Errors of Router::Register.
  absl::Status Register(rpc::Router& router);

 private:
  absl::StatusOr<admin::v1::VerifyAuditResponse> Verify(
      const admin::v1::VerifyAuditRequest& request) const;

  const AuditApiDeps deps_;
  std::shared_ptr<std::atomic<bool>> exporting_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> verifying_{false};
};

}  // namespace cdgate::api

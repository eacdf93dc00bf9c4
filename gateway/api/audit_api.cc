#include "gateway/api/audit_api.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "auth/audit/folder.h"
#include "auth/audit/verify_folder.h"
#include "gateway/api/times.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::api {
namespace {

constexpr char kExport[] = "/cdgate.admin.v1.AuditService/ExportAudit";
constexpr char kVerify[] = "/cdgate.admin.v1.AuditService/VerifyAudit";
constexpr size_t kPageEntries = 256;
constexpr size_t kPageBytes = 256 << 10;

absl::Status Busy(absl::string_view what) {
  return base::MakeError(base::Reason::kOverloaded,
                         absl::StrCat("the audit log is being ", what,
                                      " for somebody else; try again when that is done"));
}

// Sends the pages of one export, one at a time: the next is read when the last was sent.
class ExportStream : public std::enable_shared_from_this<ExportStream> {
 public:
  ExportStream(rpc::ServerStreamPtr stream, base::Executor& executor, audit::Exporter exporter,
               std::shared_ptr<std::atomic<bool>> busy)
      : stream_(std::move(stream)),
        executor_(executor),
        exporter_(std::move(exporter)),
        busy_(std::move(busy)) {}
  ~ExportStream() { *busy_ = false; }

  void Start() {
    stream_->Start(
        {.on_message = {},
         .on_end = {},
         .on_closed = [self = shared_from_this()](const absl::Status&) { self->closed_ = true; }});
    Continue();
  }

 private:
  void Continue() {
    const bool taken = executor_.TryPost([self = shared_from_this()] { self->SendPage(); });
    if (!taken) stream_->Close(Overloaded());
  }

  void SendPage() {
    if (closed_) return;
    std::vector<std::string> lines;
    const absl::Status read = exporter_.Next(kPageEntries, kPageBytes, &lines);
    if (!read.ok() || lines.empty()) return stream_->Close(read);
    admin::v1::ExportAuditResponse page;
    for (std::string& line : lines) page.add_entries(std::move(line));
    stream_->Send(rpc::Serialise(page), [self = shared_from_this()](bool sent) {
      if (sent) self->Continue();
    });
  }

  const rpc::ServerStreamPtr stream_;
  base::Executor& executor_;
  audit::Exporter exporter_;  // of one page at a time
  const std::shared_ptr<std::atomic<bool>> busy_;
  std::atomic<bool> closed_{false};
};

admin::v1::AuditFault ToProto(const audit::Fault& fault) {
  admin::v1::AuditFault out;
  out.set_kind(std::string(audit::FaultName(fault.kind)));
  out.set_number(fault.number);
  out.set_time(fault.time);
  out.set_file(fault.place.file);
  out.set_line(fault.place.line);
  out.set_message(fault.message);
  return out;
}

admin::v1::VerifyAuditResponse ToProto(const audit::Report& report) {
  admin::v1::VerifyAuditResponse out;
  if (report.fault.has_value()) *out.mutable_fault() = ToProto(*report.fault);
  const audit::ChainSummary& summary = report.summary;
  out.set_entries(summary.entries);
  out.set_first_number(summary.first_number);
  out.set_last_number(summary.last_number);
  out.set_last_hash(summary.last_hash);
  out.set_files(report.files);
  out.set_checkpoints(summary.checkpoints);
  out.set_last_checkpoint(summary.last_checkpoint);
  out.set_unsigned_checkpoints(summary.unsigned_checkpoints);
  out.set_torn_bytes(report.torn_bytes);
  out.set_closed(summary.closed);
  for (const auto& [signer, count] : summary.signers) out.add_signers(signer);
  return out;
}

}  // namespace

absl::Status AuditApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(rpc::Guarded::ServerStreaming<ExportAuditRequest>(
      kExport, [this](rpc::ServerStreamPtr stream, const ExportAuditRequest& request) {
        if (exporting_->exchange(true)) return stream->Close(Busy("exported"));
        audit::Exporter exporter(
            deps_.folder, request.has_from() ? FromProto(request.from()) : absl::InfinitePast(),
            request.has_to() ? FromProto(request.to()) : absl::InfiniteFuture());
        std::make_shared<ExportStream>(std::move(stream), deps_.executor, std::move(exporter),
                                       exporting_)
            ->Start();
      })));
  return router.Register(OnPool<VerifyAuditRequest, VerifyAuditResponse>(
      kVerify, deps_.executor,
      [this](const rpc::Call&,
             const VerifyAuditRequest& request) -> absl::StatusOr<VerifyAuditResponse> {
        if (verifying_.exchange(true)) return Busy("verified");
        auto response = Verify(request);
        verifying_ = false;
        return response;
      }));
}

absl::StatusOr<admin::v1::VerifyAuditResponse> AuditApi::Verify(
    const admin::v1::VerifyAuditRequest& request) const {
  audit::ChainOptions options{.bundle_pem = deps_.bundle_pem()};
  // Whoever cut the files off cannot change what this process knows.
  const audit::Head head = deps_.head();
  options.known.push_back({.number = head.number, .hash = head.hash});
  if (request.known_number() != 0) {
    options.known.push_back({.number = request.known_number(), .hash = request.known_hash()});
  }
  CDGATE_ASSIGN_OR_RETURN(const audit::Report report, audit::VerifyFolder(deps_.folder, options));
  return ToProto(report);
}

}  // namespace cdgate::api

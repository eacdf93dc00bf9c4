#include "federation/attestation/judgement.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/attestation/leaves.h"
#include "federation/attestation/statement.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_parser.h"

namespace cdgate::attestation {
namespace {

using base::Reason;
using event::AsBytes;
using federation::v1::EventFile;
using federation::v1::RelayedEvent;
using federation::v1::Statement;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(Reason::kAttestationInvalid, what);
}

absl::Status Unproven(absl::string_view what) {
  return base::MakeError(Reason::kAttestationUnproven, what);
}

bool IsOwn(const EventFile& file) {
  return file.event().path().empty() && file.receiver() == file.event().origin();
}

Signer SignerOf(const Statement& statement) {
  return {statement.domain(), statement.key_id(), statement.sign_time_nanos()};
}

// Source and type are no fields of their own in what is committed to: they are those of the data.
absl::Status CheckSourceAndType(const event::CloudEventView& view) {
  event::JsonParser parser;
  CDGATE_ASSIGN_OR_RETURN(const simdjson::dom::element root, parser.ParseIJson(view.data()));
  const auto is = [&root](const char* pointer, absl::string_view outer) {
    std::string_view text;
    return root.at_pointer(pointer).get(text) == simdjson::SUCCESS && event::ToAbsl(text) == outer;
  };
  if (is("/context/source", view.source()) && is("/context/type", view.type())) {
    return absl::OkStatus();
  }
  return Invalid("source or type of the event is not that of its data");
}

class FileJudge {
 public:
  FileJudge(const EventFile& file, AttestorKeys& keys) : file_(file), verifier_(keys) {
    RelayedEvent event = file.event();
    // The origin's own has not gone anywhere: it is verified as its first receiver would.
    if (IsOwn(file)) event.add_path(event.origin());
    bytes_ = event.SerializeAsString();
  }

  absl::Status Read() {
    if (!relayed_.Assign(bytes_) || !view_.Assign(relayed_.cloud_event()) ||
        view_.data_kind() != event::DataKind::kBinary) {
      return Invalid("the event is malformed");
    }
    copy_.Assign(view_, relayed_.withheld(), relayed_.substituted());
    const absl::Status same = CheckSourceAndType(view_);
    return same.ok() ? same : Invalid(same.message());
  }

  // What statements claim, true or not.
  void Describe(Judgement* judged) {
    const Digest nothing = verifier_.statements().leaves().ChangesOf(CopyView());
    std::string before(AsBytes(nothing));
    std::vector<std::string> all(file_.event().statements().begin(),
                                 file_.event().statements().end());
    if (!file_.sender_statement().empty()) all.push_back(file_.sender_statement());
    for (const std::string& bytes : all) {
      Statement statement;
      if (!ReadStatement(bytes, &statement).ok()) continue;
      if (!statement.has_export_()) {
        judged->origin = SignerOf(statement);
        continue;
      }
      const auto& sent = statement.export_();
      judged->crossings.push_back(
          {SignerOf(statement), sent.receiver(), sent.terms(), sent.changes() != before});
      before = sent.changes();
    }
  }

  absl::StatusOr<Proof> Verify(AtLeastAsStrict at_least_as_strict) {
    const absl::string_view receiver = IsOwn(file_) ? absl::string_view() : file_.receiver();
    CDGATE_ASSIGN_OR_RETURN(const Proof proof,
                            verifier_.Verify(relayed_, view_, {receiver, at_least_as_strict}));
    if (!file_.sender_statement().empty()) {
      CDGATE_RETURN_IF_ERROR(VerifySender());
    } else if (proof == Proof::kFields && copy_.altered()) {
      return Unproven(
          "what was withheld or replaced last, nobody signed: the statement of who sent it is "
          "missing");
    } else if (proof == Proof::kDirect) {
      return Unproven(relayed_.statements().empty()
                          ? "nobody signed it: neither its origin nor who sent it"
                          : "the origin's statement does not show this content, and the statement "
                            "of who sent it is missing");
    }
    return proof;
  }

 private:
  // Of exactly the copy and the terms in the file: both are shown as the sender's word.
  absl::Status VerifySender() {
    Statement read;
    CDGATE_RETURN_IF_ERROR(ReadStatement(file_.sender_statement(), &read));
    if (IsOwn(file_) || !read.has_export_() || read.domain() != relayed_.path().back() ||
        read.export_().receiver() != file_.receiver()) {
      return Invalid("the sender's statement is not about this event");
    }
    LeafMaker& leaves = verifier_.statements().leaves();
    const CopyDigests digests = leaves.DigestsOf(copy_);
    const federation::v1::ExportClaim& sent = read.export_();
    if (sent.attributes_digest() != AsBytes(digests.attributes) ||
        sent.content_digest() != AsBytes(digests.content) ||
        sent.changes() != AsBytes(digests.changes) ||
        sent.terms().SerializeAsString() != file_.event().export_().terms().SerializeAsString()) {
      return Invalid("the sender's statement is about another copy, or other terms");
    }
    return verifier_.statements().VerifyExport(read, ClaimOf(relayed_),
                                               leaves.Previous(relayed_.statements()));
  }

  const EventFile& file_;
  ChainVerifier verifier_;
  std::string bytes_;
  event::RelayedView relayed_;
  event::CloudEventView view_;
  CopyView copy_;
};

}  // namespace

Judgement Judge(const EventFile& file, AttestorKeys& keys, AtLeastAsStrict at_least_as_strict) {
  Judgement judged;
  FileJudge judge(file, keys);
  judge.Describe(&judged);
  judged.proven = judge.Read();
  if (!judged.proven.ok()) return judged;
  const absl::StatusOr<Proof> proof = judge.Verify(at_least_as_strict);
  judged.proven = proof.status();
  if (proof.ok()) judged.proof = *proof;
  return judged;
}

}  // namespace cdgate::attestation

#include "federation/attestation/statement.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "auth/crypto/signature.h"
#include "federation/attestation/signed_text.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"

namespace cdgate::attestation {
namespace {

using event::AsBytes;
using federation::v1::ExportClaim;
using federation::v1::Statement;

constexpr size_t kMaxDomainBytes = 255;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(base::Reason::kAttestationInvalid, what);
}

bool IsDomain(absl::string_view text) { return !text.empty() && text.size() <= kMaxDomainBytes; }

bool IsDigest(absl::string_view bytes) { return bytes.size() == crypto::kSha256Bytes; }

// The part that is out of its bounds; empty: none.
absl::string_view FaultOf(const ExportClaim& claim) {
  if (!IsDomain(claim.receiver())) return "the receiver";
  if (!IsDigest(claim.link())) return "the link";
  if (!IsDigest(claim.attributes_digest())) return "the digest of attributes";
  if (!IsDigest(claim.content_digest())) return "the digest of the content";
  if (!IsDigest(claim.changes())) return "the digest of changes";
  return "";
}

absl::string_view FaultOf(const Statement& statement) {
  const size_t depth = statement.path().size() / crypto::kSha256Bytes;
  if (!IsDomain(statement.domain())) return "the domain";
  if (!IsDigest(statement.key_id())) return "the key";
  if (statement.signature().empty() || statement.signature().size() > crypto::kMaxSignatureBytes) {
    return "the signature";
  }
  if (statement.leaf_salt().size() != event::kSaltBytes) return "the salt";
  if (statement.path().size() % crypto::kSha256Bytes != 0 || depth > kMaxPathDigests ||
      statement.index() >> depth != 0) {
    return "the path";
  }
  return statement.has_export_() ? FaultOf(statement.export_()) : "";
}

Statement Begin(absl::string_view domain, const storage::v1::TreeSignature& signature,
                const LeafPlace& place) {
  Statement statement;
  statement.set_domain(std::string(domain));
  statement.set_sign_time_nanos(signature.sign_time_nanos());
  statement.set_key_id(signature.key_id());
  statement.set_signature(signature.signature());
  statement.set_leaf_salt(std::string(AsBytes(place.salt)));
  statement.set_index(place.inclusion.index);
  statement.set_path(place.inclusion.path);
  return statement;
}

LeafSalt SaltOf(const Statement& statement) {
  LeafSalt salt{};
  statement.leaf_salt().copy(reinterpret_cast<char*>(salt.data()), salt.size());
  return salt;
}

CopyDigests DigestsOf(const ExportClaim& claim) {
  return {ReadDigest(claim.attributes_digest()).value_or(Digest{}),
          ReadDigest(claim.content_digest()).value_or(Digest{}),
          ReadDigest(claim.changes()).value_or(Digest{})};
}

}  // namespace

Statement MakeOriginStatement(absl::string_view domain, const storage::v1::TreeSignature& signature,
                              const LeafPlace& place) {
  return Begin(domain, signature, place);
}

Statement MakeExportStatement(absl::string_view sender, absl::string_view receiver,
                              const storage::v1::TreeSignature& signature, const LeafPlace& place,
                              const Digest& link, const CopyDigests& copy, const TermsView& terms) {
  Statement statement = Begin(sender, signature, place);
  ExportClaim& claim = *statement.mutable_export_();
  claim.set_receiver(std::string(receiver));
  claim.set_link(std::string(AsBytes(link)));
  claim.set_attributes_digest(std::string(AsBytes(copy.attributes)));
  claim.set_content_digest(std::string(AsBytes(copy.content)));
  *claim.mutable_terms() = ToProto(terms);
  claim.set_changes(std::string(AsBytes(copy.changes)));
  return statement;
}

absl::Status ReadStatement(absl::string_view bytes, Statement* statement) {
  if (bytes.size() > kMaxStatementBytes ||
      !statement->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Invalid("a statement is malformed or too large");
  }
  const absl::string_view fault = FaultOf(*statement);
  if (fault.empty()) return absl::OkStatus();
  return Invalid(absl::StrCat(fault, " of a statement of \"", base::Shorten(statement->domain()),
                              "\" is missing or out of bounds"));
}

absl::Status StatementVerifier::VerifyOrigin(const Statement& statement, const EventClaim& claim,
                                             bool outer, const Digest& attributes) {
  if (statement.has_export_() || statement.domain() != claim.origin) {
    return Invalid(absl::StrCat("a statement of ", base::Shorten(statement.domain()),
                                " stands where that of the origin ", base::Shorten(claim.origin),
                                " belongs"));
  }
  const Digest leaf = leaves_.Origin(SaltOf(statement), claim, outer, attributes);
  CDGATE_ASSIGN_OR_RETURN(const Digest root, RootFrom(statement, leaf));
  return VerifySigned(statement, OriginText(statement.domain(), statement.sign_time_nanos(), root));
}

absl::Status StatementVerifier::VerifyExport(const Statement& statement, const EventClaim& claim,
                                             const Digest& previous) {
  if (!statement.has_export_()) {
    return Invalid(absl::StrCat("a statement of ", base::Shorten(statement.domain()),
                                " does not say what it sent"));
  }
  const ExportClaim& sent = statement.export_();
  const Digest leaf =
      leaves_.Export(SaltOf(statement), claim, DigestsOf(sent), TermsOf(sent.terms()), previous);
  CDGATE_ASSIGN_OR_RETURN(const Digest root, RootFrom(statement, leaf));
  return VerifySigned(statement,
                      ExportText(statement.domain(), sent.receiver(), statement.sign_time_nanos(),
                                 ReadDigest(sent.link()).value_or(Digest{}), root));
}

absl::StatusOr<Digest> StatementVerifier::RootFrom(const Statement& statement, const Digest& leaf) {
  const auto root = RootOf(leaf, statement.index(), statement.path(), hasher_);
  if (root) return *root;
  return Invalid(absl::StrCat("the path of a statement of ", base::Shorten(statement.domain()),
                              " is of no tree"));
}

absl::Status StatementVerifier::VerifySigned(const Statement& statement, absl::string_view text) {
  return VerifySignature(statement.domain(), statement.key_id(), statement.sign_time_nanos(), text,
                         statement.signature());
}

absl::Status StatementVerifier::VerifySignature(absl::string_view domain, absl::string_view key_id,
                                                int64_t sign_time_nanos, absl::string_view text,
                                                absl::string_view signature) {
  CDGATE_ASSIGN_OR_RETURN(const AttestorKey key,
                          keys_.Find(domain, key_id, absl::FromUnixNanos(sign_time_nanos)));
  const Digest known = SignatureKey(domain, key_id, text, signature);
  if (roots_.Knows(known)) return absl::OkStatus();
  if (!key.Fits(text, signature)) {
    return Invalid(absl::StrCat("what came is not what ", base::Shorten(domain), " signed"));
  }
  roots_.Add(known);
  return absl::OkStatus();
}

}  // namespace cdgate::attestation

#include "federation/manager/trust_update.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/revocation_numbers.h"
#include "federation/manager/signed_document.h"
#include "federation/manager/timestamp.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using federation::v1::TrustDocument;
using federation::v1::TrustUpdate;

constexpr char kLabel[] = "cdgate/trust/v1";
// Clocks of two domains may differ by this.
constexpr absl::Duration kMaxAhead = absl::Minutes(5);
// Of a frame, for certificates and signature.
constexpr size_t kRoomForSeal = 32 << 10;

absl::Status Invalid(absl::string_view peer, absl::string_view what) {
  return base::MakeError(
      base::Reason::kBundleInvalid,
      absl::StrCat("what ", peer, " said of its trust ", what, "; what was held of it stays"),
      {{"peer", std::string(peer)}});
}

absl::StatusOr<absl::Time> IssueTimeOf(const TrustDocument& document, absl::string_view peer) {
  constexpr int64_t kYear2200 = 7'258'118'400;
  const auto& time = document.issue_time();
  if (!document.has_issue_time() || time.seconds() < 0 || time.seconds() >= kYear2200 ||
      time.nanos() < 0 || time.nanos() >= 1'000'000'000) {
    return Invalid(peer, "does not say when it was signed");
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Status CheckTime(const TrustDocument& document, const TrustUpdateContext& context) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Time issued, IssueTimeOf(document, context.peer));
  if (issued > context.now + kMaxAhead) {
    return Invalid(context.peer, "was signed in the future: compare the clocks");
  }
  if (absl::ToUnixNanos(issued) < context.held.issue_time_nanos()) {
    return Invalid(context.peer, "is older than what is held");
  }
  return absl::OkStatus();
}

std::vector<std::string> Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

absl::Status CheckNumbers(const TrustDocument& document, const TrustUpdateContext& context) {
  const auto back =
      ListThatGoesBack(Texts(document.revocation_lists()), Texts(context.held.revocation_lists()));
  if (!back.ok()) return Invalid(context.peer, back.status().message());
  if (back->empty()) return absl::OkStatus();
  return Invalid(context.peer, absl::StrCat("has ", *back));
}

absl::Status CheckSigner(const TrustUpdate& received, const TrustDocument& document,
                         const TrustUpdateContext& context) {
  const crypto::TrustStore* held = context.trust.Find(context.peer);
  if (held == nullptr) return Invalid(context.peer, "comes without a bundle held for it");
  const auto next = trust::MakeTrustStore(context.peer, document.bundle_pem(),
                                          Texts(document.revocation_lists()), context.crl_grace);
  if (!next.ok()) return Invalid(context.peer, next.status().message());
  const SealedDocument sealed{kLabel, received.document(), received.signature(),
                              received.certificates()};
  const absl::Status under_held = CheckSeal(sealed, context.peer, *held, context.now);
  if (!under_held.ok()) {
    return Invalid(context.peer,
                   absl::StrCat("is not signed under the bundle held: ", under_held.message()));
  }
  const absl::Status under_next = CheckSeal(sealed, context.peer, **next, context.now);
  if (!under_next.ok()) {
    return Invalid(context.peer,
                   absl::StrCat("would cut its own signer off: ", under_next.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TrustUpdate> MakeTrustUpdate(const credentials::Material& own, absl::Time now,
                                            int* left_out) {
  TrustDocument document;
  document.set_domain(own.info.domain);
  *document.mutable_issue_time() = ToTimestamp(now);
  document.set_bundle_pem(own.info.bundle_pem);
  std::vector<std::string> lists = own.crl_pems;
  std::sort(lists.begin(), lists.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  *left_out = 0;
  for (std::string& list : lists) {
    const size_t size = document.ByteSizeLong() + list.size() + kRoomForSeal;
    if (size <= link::kMaxTrustBytes) {
      document.add_revocation_lists(std::move(list));
    } else {
      ++*left_out;
    }
  }
  TrustUpdate update;
  update.set_document(document.SerializeAsString());
  CDGATE_ASSIGN_OR_RETURN(Seal seal, SignDocument(kLabel, update.document(), own));
  update.set_signature(std::move(seal.signature));
  for (std::string& certificate : seal.certificates) {
    update.add_certificates(std::move(certificate));
  }
  return update;
}

absl::StatusOr<TrustDocument> VerifyTrustUpdate(const TrustUpdate& received,
                                                const TrustUpdateContext& context) {
  TrustDocument document;
  if (!document.ParseFromString(received.document())) {
    return Invalid(context.peer, "does not parse");
  }
  if (document.domain() != context.peer) {
    return Invalid(context.peer,
                   absl::StrCat("is of the domain ", base::Shorten(document.domain())));
  }
  CDGATE_RETURN_IF_ERROR(CheckTime(document, context));
  CDGATE_RETURN_IF_ERROR(CheckNumbers(document, context));
  CDGATE_RETURN_IF_ERROR(CheckSigner(received, document, context));
  return document;
}

}  // namespace cdgate::manager

#include "federation/manager/bundle_by_hand.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/revocation_list.h"
#include "auth/trust/bundle_document.h"
#include "federation/manager/revocation_numbers.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using crypto::Certificate;
using crypto::RevocationList;
using trust::BundleDocument;

absl::Status Refused(const BundleByHand& brought, absl::string_view what) {
  return base::MakeError(
      base::Reason::kBundleRefused,
      absl::StrCat("the bundle for ", brought.peer, " ", what, "; what is held of it stays"),
      {{"peer", std::string(brought.peer)}});
}

std::string Named(const Certificate& root) {
  return absl::StrCat("root ", base::Shorten(root.subject()), " (sha256 ",
                      base::HexEncode(root.FingerprintSha256()), ")");
}

// Each root once, in order.
std::vector<Certificate> WithoutRepetition(std::vector<Certificate> roots) {
  std::vector<Certificate> out;
  std::set<std::string> seen;
  for (Certificate& root : roots) {
    if (seen.insert(root.FingerprintSha256()).second) out.push_back(std::move(root));
  }
  return out;
}

absl::StatusOr<BundleDocument> Read(const BundleByHand& brought) {
  if (brought.text.size() > BundleDocument::kMaxBytes) {
    return Refused(brought, absl::StrCat("is larger than ", BundleDocument::kMaxBytes, " bytes"));
  }
  BundleDocument document;
  if (trust::LooksLikeBundleDocument(brought.text)) {
    auto parsed = BundleDocument::Parse(brought.text);
    if (!parsed.ok()) return Refused(brought, parsed.status().message());
    document = *std::move(parsed);
  } else {
    auto roots = Certificate::ParsePemChain(brought.text);
    if (!roots.ok()) return Refused(brought, roots.status().message());
    document.roots = *std::move(roots);
  }
  document.roots = WithoutRepetition(std::move(document.roots));
  if (document.roots.empty()) return Refused(brought, "has no CA: nobody could be trusted by it");
  return document;
}

bool Contains(const std::vector<Certificate>& roots, const Certificate& root) {
  const std::string fingerprint = root.FingerprintSha256();
  return std::any_of(roots.begin(), roots.end(), [&fingerprint](const Certificate& other) {
    return other.FingerprintSha256() == fingerprint;
  });
}

// A document does not say whose it is: what else tells of another domain.
absl::Status CheckDomain(const BundleByHand& brought, const Certificate& root,
                         const BundleContext& context) {
  if (!root.PermitsUriHost(brought.peer)) {
    return Refused(brought, absl::StrCat("is of another domain: the name constraints of ",
                                         Named(root), " do not permit ", brought.peer));
  }
  for (const auto& [domain, store] : context.trust.stores()) {
    if (domain == brought.peer || !Contains(store->roots(), root)) continue;
    return Refused(brought, absl::StrCat("is of another domain: ", Named(root), " is one of ",
                                         domain, ", and bundles are never pooled"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<RevocationList>> ParseAll(const std::vector<std::string>& pems) {
  std::vector<RevocationList> out;
  for (const std::string& pem : pems) {
    CDGATE_ASSIGN_OR_RETURN(std::vector<RevocationList> lists, RevocationList::ParsePem(pem));
    for (RevocationList& list : lists) out.push_back(std::move(list));
  }
  return out;
}

// One PEM text for each list.
absl::StatusOr<std::vector<std::string>> Apart(const std::vector<std::string>& pems) {
  CDGATE_ASSIGN_OR_RETURN(const auto lists, ParseAll(pems));
  std::vector<std::string> out;
  for (const RevocationList& list : lists) out.push_back(list.ToPem());
  return out;
}

std::vector<std::string> HeldLists(const BundleContext& context) {
  return {context.held.revocation_lists().begin(), context.held.revocation_lists().end()};
}

// Those brought, and of those held the ones of other issuers.
absl::StatusOr<std::vector<std::string>> ListsAfter(const BundleByHand& brought,
                                                    const BundleContext& context) {
  auto given = Apart(brought.revocation_lists);
  if (!given.ok()) return Refused(brought, given.status().message());
  if (!brought.allow_older) {
    const auto back = ListThatGoesBack(*given, HeldLists(context));
    if (!back.ok()) return Refused(brought, back.status().message());
    if (!back->empty()) return Refused(brought, absl::StrCat("comes with ", *back));
  }
  if (brought.forget_lists) return given;
  if (given->empty()) return HeldLists(context);
  std::map<std::pair<std::string, std::string>, std::string> by_issuer;
  auto held = Apart(HeldLists(context));
  if (!held.ok()) held = std::vector<std::string>();  // it was of no use
  for (const auto* const texts : {&*held, &*given}) {
    for (const std::string& text : *texts) {
      const RevocationList list = RevocationList::ParsePem(text)->front();
      by_issuer[{list.issuer(), list.issuer_key_id()}] = text;
    }
  }
  std::vector<std::string> out;
  for (auto& [issuer, text] : by_issuer) out.push_back(std::move(text));
  return out;
}

// Why nothing is accepted under `root`; empty: it can be used.
std::string FaultOf(const BundleByHand& brought, const Certificate& root,
                    const std::vector<RevocationList>& lists, const BundleContext& context) {
  if (context.now >= root.not_after()) return "it has ended";
  if (context.now < root.not_before()) return "it is not valid yet";
  const absl::Status denied =
      context.trust.denied().CheckCertificate("", "", "", {root.FingerprintSha256()});
  if (!denied.ok()) return std::string(denied.message());
  if (lists.empty()) return "";
  for (const RevocationList& list : lists) {
    if (!list.IsIssuedBy(root)) continue;
    if (context.now < list.next_update() + context.crl_grace) return "";
    return "its revocation list is too old; bring the next";
  }
  return absl::StrCat("revocation lists of ", brought.peer,
                      " are in force, and none is of it; bring it, or forget those held");
}

absl::Status SortRoots(const BundleByHand& brought, const std::vector<Certificate>& roots,
                       const BundleContext& context, BundleChange* change) {
  std::vector<Certificate> before;
  if (auto held = Certificate::ParsePemChain(context.held_pem); held.ok()) {
    before = WithoutRepetition(*std::move(held));
  }
  auto lists = ParseAll(change->revocation_lists);
  if (!lists.ok()) return Refused(brought, lists.status().message());
  std::string fault;
  bool usable = false;
  for (const Certificate& root : roots) {
    const bool held = Contains(before, root);
    if (!held) CDGATE_RETURN_IF_ERROR(CheckDomain(brought, root, context));
    (held ? change->kept : change->added)
        .push_back({root, FaultOf(brought, root, *lists, context)});
    const std::string& why = (held ? change->kept : change->added).back().fault;
    usable = usable || why.empty();
    if (!why.empty()) fault = absl::StrCat(Named(root), ": ", why);
  }
  for (const Certificate& root : before) {
    if (!Contains(roots, root)) change->removed.push_back({root, ""});
  }
  if (usable) return absl::OkStatus();
  return Refused(brought, absl::StrCat("has no CA that could be used: ", fault));
}

absl::Status CheckSequence(const BundleByHand& brought, const std::optional<uint64_t>& sequence,
                           const BundleContext& context, const BundleChange& change) {
  if (!sequence || !context.held.has_bundle_sequence() || brought.allow_older) {
    return absl::OkStatus();
  }
  const uint64_t known = context.held.bundle_sequence();
  if (*sequence < known) {
    return Refused(brought, absl::StrCat("has the sequence ", *sequence, ", older than ", known,
                                         ", which was set before"));
  }
  if (*sequence == known && change.digest_before != change.digest_after) {
    return Refused(brought, absl::StrCat("has the sequence ", known,
                                         ", which was set before, and other roots than are held"));
  }
  return absl::OkStatus();
}

std::vector<std::string> WhyWidens(const BundleByHand& brought, const BundleContext& context,
                                   const BundleChange& change) {
  std::vector<std::string> out;
  for (const BundleChange::Root& root : change.added) {
    out.push_back(absl::StrCat("bundle: who has a certificate of ", Named(root.certificate),
                               " may speak for ", brought.peer));
  }
  if (brought.forget_lists && !context.held.revocation_lists().empty()) {
    out.push_back("revocation lists: those held are forgotten, and whom they revoke may be let in");
  } else if (brought.allow_older) {
    const auto back = ListThatGoesBack(change.revocation_lists, HeldLists(context));
    if (back.ok() && !back->empty()) out.push_back(absl::StrCat("revocation lists: ", *back));
  }
  return out;
}

// Of what both sets of lists say, in any order.
bool SameLists(std::vector<std::string> a, std::vector<std::string> b) {
  auto one = Apart(a);
  auto other = Apart(b);
  if (one.ok() && other.ok()) {
    a = *std::move(one);
    b = *std::move(other);
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return a == b;
}

}  // namespace

absl::StatusOr<BundleChange> JudgeBundle(const BundleByHand& brought,
                                         const BundleContext& context) {
  CDGATE_ASSIGN_OR_RETURN(const BundleDocument document, Read(brought));
  BundleChange change;
  change.bundle_pem = crypto::ToPem(document.roots);
  CDGATE_ASSIGN_OR_RETURN(change.revocation_lists, ListsAfter(brought, context));
  const auto store = trust::MakeTrustStore(brought.peer, change.bundle_pem, {}, context.crl_grace);
  if (!store.ok())
    return Refused(brought, absl::StrCat("is of no use: ", store.status().message()));
  CDGATE_ASSIGN_OR_RETURN(change.digest_after, trust::BundleDigest(change.bundle_pem));
  change.digest_before = trust::BundleDigest(context.held_pem).value_or("");
  CDGATE_RETURN_IF_ERROR(SortRoots(brought, document.roots, context, &change));
  CDGATE_RETURN_IF_ERROR(CheckSequence(brought, document.sequence, context, change));
  if (change.digest_before == change.digest_after)
    change.bundle_pem = std::string(context.held_pem);
  if (context.held.has_bundle_sequence()) change.sequence = context.held.bundle_sequence();
  // Going back on purpose, the older one is the measure from then on.
  if (document.sequence) change.sequence = document.sequence;
  change.changes = change.digest_before != change.digest_after ||
                   !SameLists(change.revocation_lists, HeldLists(context)) ||
                   change.sequence.value_or(0) != context.held.bundle_sequence() ||
                   change.sequence.has_value() != context.held.has_bundle_sequence();
  change.widens = WhyWidens(brought, context, change);
  return change;
}

}  // namespace cdgate::manager

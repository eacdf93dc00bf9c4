// cdgate trust set: a peer's bundle by hand.
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/bundle_document.h"
#include "cdgate/admin/v1/trust.grpc.pb.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Trust = admin::v1::TrustService::Stub;
using admin::v1::PeerBundle;
using admin::v1::PeerBundleChange;

struct Flags {
  std::string peer, bundle, fingerprint;
  std::vector<std::string> crls;
  bool allow_older = false;
  bool forget_crls = false;
  bool dry_run = false;
  bool yes = false;
};

absl::StatusOr<PeerBundle> ReadCandidate(const Flags& flags) {
  PeerBundle out;
  CDGATE_ASSIGN_OR_RETURN(*out.mutable_bundle(),
                          base::ReadFile(flags.bundle, trust::BundleDocument::kMaxBytes));
  for (const std::string& path : flags.crls) {
    CDGATE_ASSIGN_OR_RETURN(*out.add_revocation_lists(),
                            base::ReadFile(path, trust::BundleDocument::kMaxBytes));
  }
  out.set_allow_older(flags.allow_older);
  out.set_forget_revocation_lists(flags.forget_crls);
  return out;
}

void PrintRoots(absl::string_view what,
                const google::protobuf::RepeatedPtrField<admin::v1::Authority>& roots,
                std::ostream& out) {
  for (const admin::v1::Authority& root : roots) {
    out << what << "  root " << root.subject() << "\n          until "
        << TimeText(ToTime(root.expire_time())) << ", sha256 " << root.sha256() << "\n";
    if (!root.fault().empty()) out << "          NOT USABLE: " << root.fault() << "\n";
  }
}

void PrintChange(const PeerBundleChange& change, std::ostream& out) {
  out << "bundle of " << change.peer() << "\n"
      << "before    " << (change.fingerprint_before().empty() ? "-" : change.fingerprint_before())
      << "\n"
      << "after     " << change.fingerprint_after() << "\n";
  PrintRoots("comes in", change.added(), out);
  PrintRoots("stays   ", change.kept(), out);
  PrintRoots("dropped ", change.removed(), out);
  if (change.has_sequence()) out << "sequence  " << change.sequence() << "\n";
  if (change.revocation_lists().empty()) {
    out << "revoked   no revocation list: revocation is not checked\n";
  }
  for (const admin::v1::RevocationListStatus& list : change.revocation_lists()) {
    out << "revoked   " << list.entries() << " by " << list.issuer() << ", list " << list.number()
        << "\n";
  }
}

absl::StatusOr<int> Set(const Flags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(PeerBundle candidate, ReadCandidate(flags));
  admin::v1::CheckPeerBundleRequest check;
  check.set_peer(flags.peer);
  *check.mutable_candidate() = candidate;
  CDGATE_ASSIGN_OR_RETURN(const auto checked, run.Call(&Trust::CheckPeerBundle, check));
  const PeerBundleChange& shown = checked.change();
  if (flags.dry_run || !shown.changes()) {
    run.Print(shown, [&] { PrintChange(shown, run.out()); });
    run.Note(shown.changes() ? "nothing was changed" : "it is held like that: nothing to change");
    return kExitDone;
  }
  if (run.table() || !flags.yes) PrintChange(shown, run.err());
  if (!flags.yes) {
    CDGATE_ASSIGN_OR_RETURN(
        const bool sure,
        Confirm(absl::StrCat("Have you compared the fingerprint with the operator of ", flags.peer,
                             ", on another way than the file came? Set it?"),
                run.streams()));
    if (!sure) {
      run.Note("nothing was changed; answer y, or say --yes");
      return kExitNo;
    }
  }
  admin::v1::SetPeerBundleRequest request;
  request.set_peer(flags.peer);
  *request.mutable_candidate() = std::move(candidate);
  // What was shown is what is set, or nothing.
  request.set_fingerprint(flags.fingerprint.empty() ? shown.fingerprint_after()
                                                    : flags.fingerprint);
  request.set_held_fingerprint(shown.fingerprint_before());
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Trust::SetPeerBundle, request));
  const PeerBundleChange& done = answer.change();
  run.Print(done, [&] {
    run.out() << "set the bundle of " << done.peer() << ": " << done.fingerprint_after() << "\n";
    if (!done.removed().empty()) {
      run.Note("connections under what was dropped end within a few seconds");
    }
  });
  return kExitDone;
}

}  // namespace

void AddTrustSetVerb(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* const set = verbs.AddVerb(
      group, "set", "Set a peer's bundle from a file got out of band",
      "cdgate trust set beta.example --bundle beta.pem\n"
      "cdgate trust set beta.example --bundle beta.json --crl beta-crl.pem "
      "--fingerprint 5F:03:… --yes",
      Verbs::kConnects | Verbs::kPrints, [flags](Invocation& run) { return Set(*flags, run); });
  set->add_option("PEER", flags->peer, "The peer's domain")->required();
  set->add_option("--bundle", flags->bundle, "Its roots, all: PEM, or a SPIFFE bundle document")
      ->option_text("FILE")
      ->required();
  set->add_option("--crl", flags->crls, "Its revocation lists, PEM; may be repeated")
      ->option_text("FILE")
      ->expected(1)
      ->take_all();
  set->add_flag("--forget-crls", flags->forget_crls,
                "The revocation lists that are held count no more: its link brings new ones");
  set->add_flag("--allow-older", flags->allow_older,
                "Also a sequence, or a list, that is older than the one held");
  set->add_option("--fingerprint", flags->fingerprint,
                  "Its fingerprint as compared; fails where it differs")
      ->option_text("SHA256");
  set->add_flag("--dry-run", flags->dry_run, "Show what would change, and change nothing");
  set->add_flag("--yes", flags->yes, "Do not ask");
}

}  // namespace cdgate::cli

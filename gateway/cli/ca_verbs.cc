// A small CA for a domain that has none: works on files, without a gateway.
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "auth/ca/folder.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/certificate_files.h"
#include "gateway/cli/passphrase_flags.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

struct InitFlags {
  std::string domain;
  std::string directory = "ca";
  std::string valid = "3650d";
  bool intermediate = false;
  std::string intermediate_valid = "365d";
  crypto::KeyType key_type = crypto::KeyType::kP256;
  std::vector<std::string> dns_suffixes;
  PassphraseFlags passphrase;
};

struct CrlFlags {
  std::string directory = "ca";
  std::string valid = "7d";
  PassphraseFlags passphrase;
};

struct RotateFlags {
  std::string directory = "ca";
  bool switch_over = false;
  bool retire = false;
  bool force = false;
  bool intermediate = false;
  std::string valid = "365d";
  PassphraseFlags passphrase;
};

const std::map<std::string, crypto::KeyType>& KeyTypes() {
  static const auto* const types = new std::map<std::string, crypto::KeyType>{
      {"p256", crypto::KeyType::kP256}, {"ed25519", crypto::KeyType::kEd25519}};
  return *types;
}

absl::StatusOr<int> InitCa(const InitFlags& flags, Invocation& run) {
  if (!trust::ValidTrustDomain(flags.domain)) {
    return UsageError(absl::StrCat("'", base::Shorten(flags.domain),
                                   "' is not a domain: write it like alpha.example"));
  }
  ca::AuthorityOptions options;
  options.domain = flags.domain;
  options.intermediate = flags.intermediate;
  options.key_type = flags.key_type;
  options.dns_suffixes = flags.dns_suffixes;
  CDGATE_ASSIGN_OR_RETURN(options.validity, ParseDurationFlag("--valid", flags.valid));
  CDGATE_ASSIGN_OR_RETURN(options.intermediate_validity,
                          ParseDurationFlag("--intermediate-valid", flags.intermediate_valid));
  CDGATE_ASSIGN_OR_RETURN(const crypto::Passphrase passphrase, flags.passphrase.Read(run));
  CDGATE_RETURN_IF_ERROR(ca::Folder::Init(flags.directory, options, passphrase, absl::Now()));
  const std::string key =
      base::JoinPath(flags.directory, flags.intermediate ? "root.key" : "ca.key");
  run.Note(absl::StrCat(
      "the CA of ", flags.domain, " is in ", flags.directory, ": ",
      flags.intermediate ? absl::StrCat("move ", key, " to a place that is offline, ca.key issues")
                         : absl::StrCat("keep ", key, " secret"),
      "\nnext: cdgate cert issue gateway/gw1 --ca ", flags.directory, " --dns HOST --out DIR"));
  return kExitDone;
}

absl::StatusOr<std::unique_ptr<ca::Folder>> OpenFolder(const std::string& directory,
                                                       const PassphraseFlags& flags,
                                                       const Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(crypto::Passphrase passphrase, flags.Read(run));
  return ca::Folder::Open(directory, std::move(passphrase));
}

absl::StatusOr<int> WriteCrl(const CrlFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration validity, ParseDurationFlag("--valid", flags.valid));
  CDGATE_ASSIGN_OR_RETURN(const auto folder, OpenFolder(flags.directory, flags.passphrase, run));
  CDGATE_ASSIGN_OR_RETURN(const ca::Lists lists, folder->WriteLists(validity, absl::Now()));
  NoteLists(flags.directory, lists, run);
  return kExitDone;
}

absl::StatusOr<int> Rotate(const RotateFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration validity, ParseDurationFlag("--valid", flags.valid));
  CDGATE_ASSIGN_OR_RETURN(const auto folder, OpenFolder(flags.directory, flags.passphrase, run));
  const absl::Time now = absl::Now();
  const std::string bundle = base::JoinPath(flags.directory, "bundle.pem");
  if (flags.intermediate) {
    CDGATE_RETURN_IF_ERROR(folder->RotateIntermediate(validity, now));
    run.Note(
        absl::StrCat("another issuing CA below the same root issues from now on; what the one "
                     "before issued stays in force\nnext: cdgate cert renew DIR for each, "
                     "then cdgate ca rotate --retire --ca ",
                     flags.directory));
  } else if (flags.switch_over) {
    CDGATE_RETURN_IF_ERROR(folder->SwitchToNext(now));
    run.Note(
        absl::StrCat("the next CA issues from now on\nnext: cdgate cert renew DIR for each, "
                     "then cdgate ca rotate --retire --ca ",
                     flags.directory));
  } else if (flags.retire) {
    CDGATE_RETURN_IF_ERROR(folder->Retire(flags.force, now));
    run.Note(absl::StrCat("the CAs before are gone from ", bundle,
                          "\nnext: give that to every gateway, service and peer"));
  } else {
    CDGATE_RETURN_IF_ERROR(folder->PrepareNext(now));
    run.Note(absl::StrCat("the next root is in ", bundle,
                          "; the one before issues still\nnext: give the bundle to every gateway, "
                          "service and peer, then cdgate ca rotate --switch --ca ",
                          flags.directory));
  }
  return kExitDone;
}

void AddInit(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<InitFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "init", "Make the CA of a domain: ca.crt and ca.key, bundle.pem, crl.pem",
      "cdgate ca init alpha.example --ca ca\n"
      "cdgate ca init alpha.example --ca ca --intermediate --passphrase-file ca.passphrase",
      Verbs::kNone, [flags](Invocation& run) { return InitCa(*flags, run); });
  verb->add_option("DOMAIN", flags->domain, "The domain, like alpha.example")->required();
  verb->add_option("--ca", flags->directory, "Folder to write to")->option_text("DIR=ca");
  verb->add_option("--valid,--validity", flags->valid, "How long its root is valid")
      ->option_text("DURATION=3650d");
  verb->add_flag("--intermediate", flags->intermediate,
                 "Issue with a CA below the root, whose key can then be kept elsewhere");
  verb->add_option("--intermediate-valid", flags->intermediate_valid,
                   "How long the CA below the root is valid")
      ->option_text("DURATION=365d");
  verb->add_option("--key-type", flags->key_type, "p256 or ed25519")
      ->transform(CLI::CheckedTransformer(KeyTypes(), CLI::ignore_case))
      ->option_text("TYPE=p256");
  verb->add_option("--dns-suffix", flags->dns_suffixes,
                   "Issue for DNS names that are this or below it only; may be repeated")
      ->option_text("NAME")
      ->expected(1)
      ->take_all();
  flags->passphrase.AddTo(verb, "that encrypts the keys");
}

void AddCrl(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<CrlFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "crl", "Write crl.pem anew: what is revoked, with a higher number",
                    "cdgate ca crl --ca ca --valid 7d", Verbs::kNone,
                    [flags](Invocation& run) { return WriteCrl(*flags, run); });
  verb->add_option("--ca", flags->directory, "Folder of the CA")->option_text("DIR=ca");
  verb->add_option("--valid,--validity", flags->valid, "By when there will be another list")
      ->option_text("DURATION=7d");
  flags->passphrase.AddTo(verb, "of the CA's keys");
}

void AddRotate(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<RotateFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "rotate", "Take another root, in three steps; or another CA below the root",
      "cdgate ca rotate --ca ca             # 1. the next root joins the bundle\n"
      "cdgate ca rotate --ca ca --switch    # 2. when all have the bundle: it issues\n"
      "cdgate ca rotate --ca ca --retire    # 3. when all are renewed: the old one goes",
      Verbs::kNone, [flags](Invocation& run) { return Rotate(*flags, run); });
  verb->add_option("--ca", flags->directory, "Folder of the CA")->option_text("DIR=ca");
  CLI::Option* const switch_over =
      verb->add_flag("--switch", flags->switch_over, "Issue with the next root from now on");
  CLI::Option* const retire =
      verb->add_flag("--retire", flags->retire, "Drop the CAs before, and their roots");
  CLI::Option* const intermediate = verb->add_flag(
      "--intermediate", flags->intermediate, "Another issuing CA; the root's key must be there");
  switch_over->excludes(retire)->excludes(intermediate);
  retire->excludes(intermediate);
  verb->add_flag("--force", flags->force, "Retire also where what they issued is in force")
      ->needs(retire);
  verb->add_option("--valid,--validity", flags->valid, "How long the other issuing CA is valid")
      ->option_text("DURATION=365d")
      ->needs(intermediate);
  flags->passphrase.AddTo(verb, "of the CA's keys");
}

}  // namespace

void NoteLists(const std::string& directory, const ca::Lists& lists, const Invocation& run) {
  run.Note(absl::StrCat("wrote ", base::JoinPath(directory, "crl.pem"), ": list ", lists.number,
                        " with ", Count(lists.revoked, "certificate"), ", valid until ",
                        TimeText(lists.next_update)));
  for (const std::string& remark : lists.remarks) run.Note(remark);
}

void AddCaVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("ca", "A small CA for a domain that has none");
  AddInit(verbs, group);
  AddCrl(verbs, group);
  AddRotate(verbs, group);
}

}  // namespace cdgate::cli

// Certificates from a domain's own CA: works on its folder, without a gateway.
#include <map>
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "auth/ca/folder.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/certificate_authority.h"
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

using base::JoinPath;
using base::MakeError;
using base::Reason;
using crypto::Passphrase;

struct CaFlags {
  std::string directory = "ca";
  PassphraseFlags passphrase;

  void AddTo(CLI::App* verb) {
    verb->add_option("--ca", directory, "Folder of the CA")->option_text("DIR=ca");
    passphrase.AddTo(verb, "of the CA's keys");
  }
  absl::StatusOr<std::unique_ptr<ca::Folder>> Open(const Invocation& run) const {
    CDGATE_ASSIGN_OR_RETURN(Passphrase read, passphrase.Read(run));
    return ca::Folder::Open(directory, std::move(read));
  }
};

// The key of a certificate may be encrypted with a passphrase of its own.
struct KeyFlags {
  std::string passphrase_file;

  void AddTo(CLI::App* verb) {
    verb->add_option("--key-passphrase-file", passphrase_file,
                     "Encrypt the new key with the passphrase in this file")
        ->option_text("FILE");
  }
  absl::StatusOr<Passphrase> Read() const {
    if (passphrase_file.empty()) return Passphrase();
    return Passphrase::FromFile(passphrase_file);
  }
};

struct IssueFlags {
  std::string name;
  CaFlags ca;
  KeyFlags key;
  std::string out = ".";
  std::vector<std::string> dns;
  std::vector<std::string> ips;
  crypto::KeyType key_type = crypto::KeyType::kP256;
  std::string valid;
};

struct RenewFlags {
  std::string path;
  CaFlags ca;
  KeyFlags key;
  std::string valid;
};

struct RevokeFlags {
  std::string what;
  CaFlags ca;
  std::string reason = "unspecified";
  std::string valid = "7d";
};

struct ListFlags {
  std::string directory = "ca";
  bool revoked = false;
  std::string expiring;
};

bool IsKnownKind(absl::string_view kind) {
  return kind == "gateway" || kind == "service" || kind == "user" || kind == "attestor";
}

// "gateway/gw1" or a whole SPIFFE ID, which must be of `domain`.
absl::StatusOr<trust::SpiffeId> IdentityOf(const std::string& name, const std::string& domain) {
  const std::string text =
      absl::StrContains(name, "://") ? name : absl::StrCat("spiffe://", domain, "/", name);
  CDGATE_ASSIGN_OR_RETURN(trust::SpiffeId id, trust::SpiffeId::Parse(text));
  const std::vector<std::string> parts = absl::StrSplit(absl::StripPrefix(id.path(), "/"), '/');
  if (parts.size() != 2 || !IsKnownKind(parts[0]) || id.trust_domain() != domain) {
    return UsageError(absl::StrCat("'", base::Shorten(name), "' is not an identity of ", domain,
                                   ": write gateway/NAME, service/NAME, user/NAME or "
                                   "attestor/NAME"));
  }
  return id;
}

absl::Status WriteIdentity(const std::string& directory, const crypto::IssuedCertificate& issued,
                           const std::string& bundle_pem, const Passphrase& key_passphrase) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory, 0700));
  // First what the others verify against: who reads in between finds a set that fits.
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(JoinPath(directory, "bundle.pem"), bundle_pem));
  return ca::WriteKeyAndCertificate(JoinPath(directory, "tls.key"), issued.key_pem,
                                    JoinPath(directory, "tls.crt"), issued.certificate_pem,
                                    key_passphrase);
}

absl::StatusOr<crypto::LeafRequest> RequestOf(const IssueFlags& flags, const trust::SpiffeId& id) {
  crypto::LeafRequest request{.uri_names = {id.text()},
                              .dns_names = flags.dns,
                              .ip_names = flags.ips,
                              .validity = ca::kLeafValidity,
                              .key_type = flags.key_type,
                              .common_name = std::string(absl::StripPrefix(id.path(), "/"))};
  if (id.is_attestor()) {
    request.validity = ca::kAttestorValidity;
    request.use = crypto::LeafUse::kStatements;
  }
  if (!flags.valid.empty()) {
    CDGATE_ASSIGN_OR_RETURN(request.validity, ParseDurationFlag("--valid", flags.valid));
  }
  return request;
}

absl::StatusOr<int> IssueCertificate(const IssueFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const Passphrase key_passphrase, flags.key.Read());
  CDGATE_ASSIGN_OR_RETURN(const auto folder, flags.ca.Open(run));
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, IdentityOf(flags.name, folder->domain()));
  CDGATE_ASSIGN_OR_RETURN(const crypto::LeafRequest request, RequestOf(flags, id));
  CDGATE_ASSIGN_OR_RETURN(const crypto::IssuedCertificate issued,
                          folder->Issue(request, absl::Now()));
  CDGATE_RETURN_IF_ERROR(WriteIdentity(flags.out, issued, folder->bundle_pem(), key_passphrase));
  run.Note(
      absl::StrCat("issued ", id.text(), " into ", flags.out, ": tls.crt, tls.key, bundle.pem"));
  return kExitDone;
}

// The folder of an identity: PATH itself, or where the certificate of that name lies.
absl::StatusOr<std::string> FolderOf(const std::string& path) {
  if (base::FileExists(JoinPath(path, "tls.crt"))) return path;
  constexpr absl::string_view kName = "tls.crt";
  if (absl::EndsWith(path, kName) && base::FileExists(path)) {
    const std::string folder = path.substr(0, path.size() - kName.size());
    return folder.empty() ? std::string(".") : folder;
  }
  return UsageError(
      absl::StrCat(base::Shorten(path), " is neither a folder with tls.crt nor such a file"));
}

absl::StatusOr<int> RenewCertificate(const RenewFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const std::string directory, FolderOf(flags.path));
  CDGATE_ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(JoinPath(directory, "tls.crt")));
  CDGATE_ASSIGN_OR_RETURN(const auto before, crypto::Certificate::FromPem(pem));
  CDGATE_ASSIGN_OR_RETURN(const std::string key_pem,
                          base::ReadFile(JoinPath(directory, "tls.key")));
  CDGATE_ASSIGN_OR_RETURN(const Passphrase key_passphrase, flags.key.Read());
  if (crypto::PrivateKey::IsEncrypted(key_pem) && key_passphrase.empty()) {
    return UsageError(absl::StrCat(JoinPath(directory, "tls.key"),
                                   " is encrypted, and the new key has to be: give "
                                   "--key-passphrase-file"));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto folder, flags.ca.Open(run));
  crypto::LeafRequest request = ca::RequestLike(before);
  if (!flags.valid.empty()) {
    CDGATE_ASSIGN_OR_RETURN(request.validity, ParseDurationFlag("--valid", flags.valid));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto issued, folder->Renew(before, request, absl::Now()));
  CDGATE_RETURN_IF_ERROR(WriteIdentity(directory, issued, folder->bundle_pem(), key_passphrase));
  CDGATE_ASSIGN_OR_RETURN(const auto after, crypto::Certificate::FromPem(issued.certificate_pem));
  run.Note(absl::StrCat("renewed ", absl::StrJoin(after.uri_names(), ", "), " in ", directory,
                        " until ", TimeText(after.not_after())));
  return kExitDone;
}

// The serials that a command line means: of a file, an id, or a serial itself.
absl::StatusOr<std::vector<std::string>> SerialsOf(const std::string& what, ca::Folder& folder,
                                                   absl::Time now) {
  const std::string in_folder = JoinPath(what, "tls.crt");
  const std::string path = base::FileExists(in_folder) ? in_folder : what;
  if (base::FileExists(path)) {
    CDGATE_ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(path));
    CDGATE_ASSIGN_OR_RETURN(const auto certificate, crypto::Certificate::FromPem(pem));
    CDGATE_RETURN_IF_ERROR(folder.Adopt(certificate));
    return std::vector<std::string>{certificate.serial()};
  }
  if (!absl::StrContains(what, '/')) {
    return std::vector<std::string>{absl::AsciiStrToLower(absl::StrReplaceAll(what, {{":", ""}}))};
  }
  const std::string id =
      absl::StrContains(what, "://") ? what : absl::StrCat("spiffe://", folder.domain(), "/", what);
  std::vector<std::string> serials;
  for (const ca::Entry& entry : folder.issued().entries) {
    if (entry.id == id && entry.not_after > now && !entry.revoked.has_value()) {
      serials.push_back(entry.serial);
    }
  }
  if (!serials.empty()) return serials;
  return MakeError(Reason::kNotFound, absl::StrCat("no certificate of ", base::Shorten(id),
                                                   " is in force; see cdgate cert list"));
}

absl::StatusOr<int> RevokeCertificate(const RevokeFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration validity, ParseDurationFlag("--valid", flags.valid));
  CDGATE_ASSIGN_OR_RETURN(const auto folder, flags.ca.Open(run));
  const absl::Time now = absl::Now();
  CDGATE_ASSIGN_OR_RETURN(const auto serials, SerialsOf(flags.what, *folder, now));
  CDGATE_ASSIGN_OR_RETURN(
      const ca::Lists lists,
      folder->Revoke(serials, *ca::ReasonFromName(flags.reason), validity, now));
  run.Note(absl::StrCat("revoked ", absl::StrJoin(serials, ", ")));
  NoteLists(flags.ca.directory, lists, run);
  run.Note("next: give the list to every gateway of the domain (identity.crls)");
  return kExitDone;
}

std::string StateOf(const ca::Entry& entry, absl::Time now) {
  if (entry.revoked.has_value()) return "revoked";
  return entry.not_after <= now ? "expired" : "valid";
}

Node Texts(const std::vector<std::string>& texts) {
  Node list = Node::List();
  for (const std::string& text : texts) list.Append(Node::Text(text));
  return list;
}

Node Describe(const ca::Entry& entry, absl::Time now) {
  Node node = Node::Object();
  node.Add("serial", Node::Text(entry.serial))
      .Add("spiffe_id", Node::Text(entry.id))
      .Add("state", Node::Text(StateOf(entry, now)))
      .Add("is_ca", Node::Bool(entry.is_ca))
      .Add("key", Node::Text(entry.key))
      .Add("issuer_serial", Node::Text(entry.issuer))
      .Add("not_before", Node::Text(TimeText(entry.not_before)))
      .Add("not_after", Node::Text(TimeText(entry.not_after)))
      .Add("dns_names", Texts(entry.dns_names))
      .Add("ip_names", Texts(entry.ip_names));
  if (entry.revoked.has_value()) {
    node.Add("revoked", Node::Text(TimeText(*entry.revoked)))
        .Add("reason", Node::Text(ca::ReasonName(entry.reason)));
  }
  return node;
}

absl::StatusOr<int> ListCertificates(const ListFlags& flags, Invocation& run) {
  absl::Duration within = absl::InfiniteDuration();
  if (!flags.expiring.empty()) {
    CDGATE_ASSIGN_OR_RETURN(within, ParseDurationFlag("--expiring", flags.expiring));
  }
  CDGATE_ASSIGN_OR_RETURN(const ca::Register issued, ca::Folder::ReadRegister(flags.directory));
  const absl::Time now = absl::Now();
  Node list = Node::List();
  Table table({{"SPIFFE ID", Table::kShrinks}, {"SERIAL"}, {"EXPIRES"}, {"STATE"}});
  for (const ca::Entry& entry : issued.entries) {
    const std::string state = StateOf(entry, now);
    if (flags.revoked && state != "revoked") continue;
    if (!flags.expiring.empty() && (state != "valid" || entry.not_after - now > within)) continue;
    list.Append(Describe(entry, now));
    table.AddRow({entry.id, entry.serial, TimeText(entry.not_after), state});
  }
  run.Print(list, [&] { run.Print(table, "no such certificates"); });
  return kExitDone;
}

void AddIssue(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<IssueFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "issue", "Issue a certificate: a folder with tls.crt, tls.key and bundle.pem",
      "cdgate cert issue gateway/gw1 --ca ca --dns gw.alpha.example --out gw1\n"
      "cdgate cert issue user/admin --ca ca --out admin --valid 30d\n"
      "cdgate cert issue attestor/2026-01 --ca ca --out attestor     # signs statements",
      Verbs::kNone, [flags](Invocation& run) { return IssueCertificate(*flags, run); });
  verb->add_option("NAME", flags->name, "gateway/NAME, service/NAME, user/NAME or attestor/NAME")
      ->required();
  verb->add_option("--out", flags->out, "Folder to write to")->option_text("DIR=.");
  verb->add_option("--dns", flags->dns, "Host name others reach it by; may be repeated")
      ->option_text("NAME")
      ->expected(1)
      ->take_all();
  verb->add_option("--ip", flags->ips, "Address others reach it by; may be repeated")
      ->option_text("ADDRESS")
      ->expected(1)
      ->take_all();
  verb->add_option("--key-type", flags->key_type, "p256 or ed25519")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, crypto::KeyType>{{"p256", crypto::KeyType::kP256},
                                                 {"ed25519", crypto::KeyType::kEd25519}},
          CLI::ignore_case))
      ->option_text("TYPE=p256");
  verb->add_option("--valid,--validity", flags->valid,
                   "How long it is valid; 90 days for an attestor, else 7 days")
      ->option_text("DURATION");
  flags->key.AddTo(verb);
  flags->ca.AddTo(verb);
}

void AddRenew(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<RenewFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "renew", "Issue the certificate in a folder anew: same names, new key, CA's bundle",
      "cdgate cert renew gw1 --ca ca", Verbs::kNone,
      [flags](Invocation& run) { return RenewCertificate(*flags, run); });
  verb->add_option("PATH", flags->path, "Folder with tls.crt and tls.key, or its tls.crt")
      ->required();
  verb->add_option("--valid,--validity", flags->valid,
                   "How long it is valid; as long as the one before unless given")
      ->option_text("DURATION");
  flags->key.AddTo(verb);
  flags->ca.AddTo(verb);
}

void AddRevoke(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<RevokeFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "revoke", "Revoke a certificate, and write crl.pem",
      "cdgate cert revoke 5f03a1c2 --ca ca --reason key_compromise\n"
      "cdgate cert revoke service/jenkins --ca ca     # all of it that are in force\n"
      "cdgate cert revoke gw1/tls.crt --ca ca",
      Verbs::kNone, [flags](Invocation& run) { return RevokeCertificate(*flags, run); });
  verb->add_option("WHAT", flags->what, "Serial, identity, or a file or folder with tls.crt")
      ->required();
  verb->add_option("--reason", flags->reason, absl::StrJoin(ca::ReasonNames(), ", "))
      ->check(CLI::IsMember(ca::ReasonNames()))
      ->option_text("REASON");
  verb->add_option("--valid,--validity", flags->valid, "By when there will be another list")
      ->option_text("DURATION=7d");
  flags->ca.AddTo(verb);
}

void AddList(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<ListFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "list", "List what the CA issued", "cdgate cert list --ca ca --expiring 14d",
      Verbs::kPrints, [flags](Invocation& run) { return ListCertificates(*flags, run); });
  verb->add_option("--ca", flags->directory, "Folder of the CA")->option_text("DIR=ca");
  verb->add_flag("--revoked", flags->revoked, "Those that are revoked");
  verb->add_option("--expiring", flags->expiring, "Those that are valid and end within this time")
      ->option_text("DURATION");
}

}  // namespace

void AddCertificateVerbs(Verbs& verbs) {
  CLI::App* const cert = verbs.AddGroup("cert", "Certificates of gateways, services and people");
  AddIssue(verbs, cert);
  AddRenew(verbs, cert);
  AddRevoke(verbs, cert);
  AddList(verbs, cert);
  AddShowVerb(verbs, cert);
}

}  // namespace cdgate::cli

#include "auth/ca/folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "auth/crypto/verify.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/trust_registry.h"
#include "auth/trust/verify.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::ca {
namespace {

namespace fs = std::filesystem;
using base::JoinPath;
using base::MakeError;
using base::Reason;
using crypto::Certificate;
using crypto::CertificateAuthority;

constexpr mode_t kSecretFolder = 0700;
constexpr absl::Duration kPatience = absl::Seconds(10);
// A root's list, while its key is away.
constexpr absl::Duration kRootListValidity = absl::Hours(24 * 365);
constexpr absl::Duration kRootListWarning = absl::Hours(24 * 30);
// How long what expired is still told of.
constexpr absl::Duration kKeptAfterExpiry = absl::Hours(24 * 90);
// Behind the name of a folder that is being filled.
constexpr char kUnfinished[] = ".new";
constexpr char kNames[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*";

std::string RegisterPath(const std::string& directory) {
  return JoinPath(directory, "issued.jsonl");
}

absl::Status Unwritable(const std::string& path, const std::error_code& error) {
  return MakeError(Reason::kFileUnwritable,
                   absl::StrCat("cannot write ", path, ": ", error.message()), {{"path", path}});
}

// The domain that a CA speaks for: that of its one URI name.
absl::StatusOr<std::string> DomainOf(const Certificate& ca) {
  if (ca.uri_names().size() != 1) {
    return MakeError(Reason::kCertificateMalformed,
                     "the CA's certificate names no domain; issue with the tools of that CA");
  }
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, trust::SpiffeId::Parse(ca.uri_names().front()));
  return std::string(id.trust_domain());
}

absl::StatusOr<Register> RegisterOf(const std::string& directory, const Authority& authority) {
  CDGATE_ASSIGN_OR_RETURN(const std::string domain, DomainOf(authority.issuing()));
  const std::string path = RegisterPath(directory);
  if (!base::FileExists(path)) {
    Register fresh;
    fresh.domain = domain;
    return fresh;
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path));
  absl::StatusOr<Register> read = Register::Parse(text);
  if (!read.ok()) return base::Annotate(read.status(), path);
  if (read->domain == domain) return read;
  return MakeError(Reason::kInvalidConfig,
                   absl::StrCat(path, ": the register is of ", base::Shorten(read->domain),
                                " and the CA of ", domain));
}

absl::Status CheckDnsName(const std::string& name) {
  if (!name.empty() && name.size() <= 253 && name.find_first_not_of(kNames) == std::string::npos) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("\"", base::Shorten(name), "\" is not a DNS name"));
}

// Nobody connects to what signs statements.
absl::Status CheckHasNoHost(const crypto::LeafRequest& request) {
  if (request.use == crypto::LeafUse::kTls ||
      (request.dns_names.empty() && request.ip_names.empty())) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kInvalidArgument,
                   "an attestor signs statements and has no address: leave out DNS names and IP "
                   "addresses");
}

// Each once, the oldest first, whichever issues.
std::string RootsOf(const std::vector<Authority>& authorities) {
  std::map<std::pair<absl::Time, std::string>, std::string> roots;
  for (const Authority& authority : authorities) {
    const Certificate& root = authority.root();
    roots.try_emplace({root.not_before(), root.serial()}, root.ToPem());
  }
  std::string pem;
  for (const auto& [age, root] : roots) pem.append(root);
  return pem;
}

bool InForce(const Entry& entry, absl::Time now) {
  return !entry.is_ca && !entry.revoked.has_value() && entry.not_after > now;
}

}  // namespace

crypto::LeafRequest RequestLike(const Certificate& leaf) {
  crypto::LeafRequest request;
  request.uri_names = leaf.uri_names();
  request.dns_names = leaf.dns_names();
  request.ip_names = leaf.ip_names();
  request.validity = leaf.not_after() - leaf.not_before() - crypto::kBackdated;
  if (leaf.key_description() == "Ed25519") request.key_type = crypto::KeyType::kEd25519;
  if (leaf.uri_names().empty()) return request;
  const auto id = trust::SpiffeId::Parse(leaf.uri_names().front());
  if (!id.ok()) return request;
  request.common_name = std::string(absl::StripPrefix(id->path(), "/"));
  if (id->is_attestor()) request.use = crypto::LeafUse::kStatements;
  return request;
}

std::string Folder::Path(absl::string_view name) const { return JoinPath(directory_, name); }

absl::Status Folder::Init(const std::string& directory, const AuthorityOptions& options,
                          const crypto::Passphrase& passphrase, absl::Time now) {
  for (const std::string& suffix : options.dns_suffixes) {
    CDGATE_RETURN_IF_ERROR(CheckDnsName(suffix));
  }
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory, kSecretFolder));
  {
    CDGATE_ASSIGN_OR_RETURN(const auto lock, FolderLock::Take(directory, kPatience));
    if (Authority::Exists(directory)) {
      const std::string path = JoinPath(directory, "ca.key");
      return MakeError(Reason::kAlreadyExists,
                       absl::StrCat(path, " exists: a CA is not overwritten"), {{"path", path}});
    }
    Register fresh;
    fresh.domain = options.domain;
    fresh.dns_suffixes = options.dns_suffixes;
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(RegisterPath(directory), fresh.ToText()));
    CDGATE_RETURN_IF_ERROR(Authority::Make(directory, options, passphrase, now));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto folder, Open(directory, passphrase));
  CDGATE_RETURN_IF_ERROR(folder->WriteBundle());
  CDGATE_ASSIGN_OR_RETURN(const Authority made, Authority::Read(directory));
  if (made.root_is_apart()) {
    folder->register_.entries.push_back(Entry::Of(made.issuing(), made.root()));
  }
  return folder->WriteLists(kListValidity, now).status();
}

absl::StatusOr<std::unique_ptr<Folder>> Folder::Open(const std::string& directory,
                                                     crypto::Passphrase passphrase) {
  CDGATE_ASSIGN_OR_RETURN(auto lock, FolderLock::Take(directory, kPatience));
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory));
  CDGATE_ASSIGN_OR_RETURN(Register issued, RegisterOf(directory, current));
  std::unique_ptr<Folder> folder(
      new Folder(directory, std::move(passphrase), std::move(lock), std::move(issued)));
  CDGATE_ASSIGN_OR_RETURN(const auto authorities, folder->Authorities());
  folder->bundle_pem_ = RootsOf(authorities);
  return folder;
}

absl::StatusOr<Register> Folder::ReadRegister(const std::string& directory) {
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory));
  return RegisterOf(directory, current);
}

// The one that issues first, then the next, then those before.
absl::StatusOr<std::vector<Authority>> Folder::Authorities() const {
  std::vector<std::string> directories = {directory_};
  if (Authority::Exists(Path("next"))) directories.push_back(Path("next"));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(Path("old"), error)) {
    const std::string path = entry.path().string();
    if (path.ends_with(kUnfinished) || !Authority::Exists(path)) continue;
    directories.push_back(path);
  }
  std::sort(directories.begin() + 1, directories.end());  // "next" before "old/…"
  std::vector<Authority> out;
  for (const std::string& directory : directories) {
    CDGATE_ASSIGN_OR_RETURN(Authority authority, Authority::Read(directory));
    out.push_back(std::move(authority));
  }
  return out;
}

absl::Status Folder::Save() {
  return base::WriteFileAtomically(RegisterPath(directory_), register_.ToText());
}

absl::Status Folder::WriteBundle() {
  CDGATE_ASSIGN_OR_RETURN(const auto authorities, Authorities());
  bundle_pem_ = RootsOf(authorities);
  const std::string path = Path("bundle.pem");
  if (base::FileExists(path)) {
    CDGATE_ASSIGN_OR_RETURN(const std::string before, base::ReadFile(path));
    if (before == bundle_pem_) return absl::OkStatus();
    ++register_.bundle_sequence;
    CDGATE_RETURN_IF_ERROR(Save());
  }
  return base::WriteFileAtomically(path, bundle_pem_);
}

// --- leaves

absl::Status Folder::CheckLeaf(const crypto::IssuedCertificate& leaf, crypto::LeafUse use,
                               absl::Time now) const {
  const auto purpose =
      use == crypto::LeafUse::kStatements ? crypto::Purpose::kStatements : crypto::Purpose::kServer;
  CDGATE_ASSIGN_OR_RETURN(const auto store, trust::MakeTrustStore(domain(), bundle_pem_, {}));
  CDGATE_ASSIGN_OR_RETURN(const auto chain, Certificate::ParsePemChain(leaf.certificate_pem));
  const auto verified = trust::VerifyAgainst(*store, domain(), chain.front().ToPem(),
                                             leaf.certificate_pem, purpose, now);
  if (verified.ok()) return absl::OkStatus();
  return MakeError(Reason::kInvalidArgument, absl::StrCat("nobody would take this certificate: ",
                                                          verified.status().message()));
}

absl::StatusOr<crypto::IssuedCertificate> Folder::Issue(const crypto::LeafRequest& request,
                                                        absl::Time now) {
  for (const std::string& name : request.dns_names) CDGATE_RETURN_IF_ERROR(CheckDnsName(name));
  CDGATE_RETURN_IF_ERROR(CheckHasNoHost(request));
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory_));
  CDGATE_ASSIGN_OR_RETURN(const CertificateAuthority ca, current.Issuing(passphrase_));
  CDGATE_ASSIGN_OR_RETURN(crypto::IssuedCertificate leaf, ca.Issue(request, now));
  CDGATE_RETURN_IF_ERROR(CheckLeaf(leaf, request.use, now));
  CDGATE_ASSIGN_OR_RETURN(const Certificate issued, Certificate::FromPem(leaf.certificate_pem));
  register_.ForgetExpired(now - kKeptAfterExpiry);
  register_.entries.push_back(Entry::Of(issued, ca.certificate()));
  CDGATE_RETURN_IF_ERROR(Save());
  return leaf;
}

absl::StatusOr<crypto::IssuedCertificate> Folder::Renew(const Certificate& before,
                                                        const crypto::LeafRequest& request,
                                                        absl::Time now) {
  CDGATE_RETURN_IF_ERROR(Adopt(before));
  if (register_.Find(before.serial())->revoked.has_value()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("certificate ", before.serial(),
                                  " is revoked and not renewed: where its holder is to have "
                                  "another, use cdgate cert issue"),
                     {{"serial", before.serial()}});
  }
  return Issue(request, now);
}

absl::Status Folder::Adopt(const Certificate& certificate) {
  if (register_.Find(certificate.serial()) != nullptr) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const auto authorities, Authorities());
  for (const Authority& authority : authorities) {
    for (const Certificate* issuer : {&authority.issuing(), &authority.root()}) {
      if (!certificate.IsIssuedBy(*issuer)) continue;
      register_.entries.push_back(Entry::Of(certificate, *issuer));
      return absl::OkStatus();
    }
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("certificate ", base::Shorten(certificate.subject()), ", serial ",
                                certificate.serial(), ", is not of this CA"),
                   {{"serial", certificate.serial()}});
}

// --- lists

absl::StatusOr<Lists> Folder::Revoke(const std::vector<std::string>& serials,
                                     crypto::RevocationReason reason, absl::Duration validity,
                                     absl::Time now) {
  for (const std::string& serial : serials) {
    if (register_.Find(serial) != nullptr) continue;
    return MakeError(Reason::kNotFound,
                     absl::StrCat("this CA has issued no certificate of serial ",
                                  base::Shorten(serial), "; see cdgate cert list"),
                     {{"serial", serial}});
  }
  for (const std::string& serial : serials) {
    Entry& entry = *register_.Find(serial);
    if (entry.revoked.has_value()) continue;
    entry.revoked = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
    entry.reason = reason;
  }
  // In the register first: where a list cannot be made now, the next one has it.
  CDGATE_RETURN_IF_ERROR(Save());
  return WriteLists(validity, now);
}

absl::Status Folder::AddList(const CertificateAuthority& issuer, absl::Duration validity,
                             absl::Time now, std::string* pem, Lists* lists) const {
  std::vector<crypto::RevocationList::Entry> revoked;
  const std::string serial = issuer.certificate().serial();
  for (const Entry& entry : register_.entries) {
    if (entry.issuer != serial || !entry.revoked.has_value()) continue;
    revoked.push_back({entry.serial, *entry.revoked, entry.reason});
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string list,
                          issuer.IssueCrl(revoked, lists->number, validity, now));
  absl::StrAppend(pem, list);
  lists->revoked += revoked.size();
  lists->next_update = std::min(lists->next_update, now + validity);
  return absl::OkStatus();
}

// The one in root.crl.pem where the root's key is away.
absl::Status Folder::AddRootList(const Authority& authority, absl::Time now, std::string* pem,
                                 Lists* lists) const {
  const std::string path = JoinPath(authority.directory(), "root.crl.pem");
  std::string list;
  if (authority.has_root_key()) {
    CDGATE_ASSIGN_OR_RETURN(const CertificateAuthority root, authority.Root(passphrase_));
    CDGATE_RETURN_IF_ERROR(AddList(root, kRootListValidity, now, &list, lists));
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(path, list));
  } else {
    CDGATE_ASSIGN_OR_RETURN(list, base::ReadFile(path));
    CDGATE_ASSIGN_OR_RETURN(const auto parsed, crypto::RevocationList::ParsePem(list));
    const absl::Time end = parsed.front().next_update();
    lists->next_update = std::min(lists->next_update, end);
    lists->revoked += parsed.front().entries().size();
    if (end - now < kRootListWarning) {
      lists->remarks.push_back(absl::StrCat(
          path, " ends ", absl::FormatTime("%Y-%m-%d", end, absl::UTCTimeZone()),
          ": put the root's key into ", authority.directory(), " and run cdgate ca crl"));
    }
  }
  pem->append(list);
  return absl::OkStatus();
}

absl::StatusOr<Lists> Folder::WriteLists(absl::Duration validity, absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const auto authorities, Authorities());
  Lists lists;
  lists.number = register_.crl_number + 1;
  lists.next_update = absl::InfiniteFuture();
  std::string pem;
  std::set<std::string> listed;
  for (const Authority& authority : authorities) {
    CDGATE_ASSIGN_OR_RETURN(const CertificateAuthority ca, authority.Issuing(passphrase_));
    CDGATE_RETURN_IF_ERROR(AddList(ca, validity, now, &pem, &lists));
    listed.insert(ca.certificate().FingerprintSha256());
    if (!listed.insert(authority.root().FingerprintSha256()).second) continue;
    CDGATE_RETURN_IF_ERROR(AddRootList(authority, now, &pem, &lists));
  }
  register_.crl_number = lists.number;
  CDGATE_RETURN_IF_ERROR(Save());  // before the list is out: no number comes twice
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(Path("crl.pem"), pem));
  return lists;
}

// --- rotation

absl::StatusOr<AuthorityOptions> Folder::OptionsOf(const Authority& authority) const {
  AuthorityOptions options;
  options.domain = domain();
  options.validity = authority.root().not_after() - authority.root().not_before();
  options.intermediate = authority.root_is_apart();
  if (options.intermediate) {
    options.intermediate_validity =
        authority.issuing().not_after() - authority.issuing().not_before();
  }
  if (authority.root().key_description() == "Ed25519") {
    options.key_type = crypto::KeyType::kEd25519;
  }
  options.dns_suffixes = register_.dns_suffixes;
  return options;
}

absl::Status Folder::PrepareNext(absl::Time now) {
  if (Authority::Exists(Path("next"))) {
    return MakeError(Reason::kAlreadyExists,
                     absl::StrCat(Path("next"),
                                  " exists: a rotation is under way; go on with cdgate ca rotate "
                                  "--switch"));
  }
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory_));
  CDGATE_ASSIGN_OR_RETURN(AuthorityOptions options, OptionsOf(current));
  options.label = absl::FormatTime("%Y-%m-%d", now, absl::UTCTimeZone());
  // Made elsewhere and renamed, so that half a CA is none.
  const std::string made = absl::StrCat(Path("next"), kUnfinished);
  std::error_code error;
  fs::remove_all(made, error);
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(made, kSecretFolder));
  CDGATE_RETURN_IF_ERROR(Authority::Make(made, options, passphrase_, now));
  CDGATE_ASSIGN_OR_RETURN(const Authority next, Authority::Read(made));
  fs::rename(made, Path("next"), error);
  if (error) return Unwritable(Path("next"), error);
  if (next.root_is_apart()) {
    register_.entries.push_back(Entry::Of(next.issuing(), next.root()));
  }
  CDGATE_RETURN_IF_ERROR(WriteBundle());
  return WriteLists(kListValidity, now).status();
}

// Puts a copy of the current CA among the old ones, once.
absl::Status Folder::KeepCurrent(const Authority& current, bool with_root_key) const {
  const std::string kept = JoinPath(Path("old"), current.issuing().serial());
  if (Authority::Exists(kept)) return absl::OkStatus();
  const std::string made = absl::StrCat(kept, kUnfinished);
  std::error_code error;
  fs::remove_all(made, error);
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(made, kSecretFolder));
  for (const char* name : {"ca.crt", "ca.key", "root.crt", "root.key", "root.crl.pem"}) {
    if (!with_root_key && std::string(name) == "root.key") continue;
    if (!base::FileExists(Path(name))) continue;
    fs::copy_file(Path(name), JoinPath(made, name), error);
    if (error) return Unwritable(JoinPath(made, name), error);
  }
  fs::rename(made, kept, error);
  return error ? Unwritable(kept, error) : absl::OkStatus();
}

absl::Status Folder::SwitchToNext(absl::Time now) {
  if (!Authority::Exists(Path("next"))) {
    return MakeError(Reason::kNotFound,
                     "there is no next CA: make it with cdgate ca rotate, and let everybody have "
                     "the bundle before it issues");
  }
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory_));
  CDGATE_ASSIGN_OR_RETURN(const Authority next, Authority::Read(Path("next")));
  // A repeated step finds the next one's certificate here already.
  if (current.issuing().serial() != next.issuing().serial()) {
    CDGATE_RETURN_IF_ERROR(KeepCurrent(current, true));
  }
  std::error_code error;
  for (const char* name : {"ca.key", "root.key", "root.crt", "root.crl.pem", "ca.crt"}) {
    const std::string from = JoinPath(Path("next"), name);
    if (!base::FileExists(from)) {
      fs::remove(Path(name), error);
      continue;
    }
    CDGATE_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(from));
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(
        Path(name), content, std::string(name).ends_with(".key") ? 0600 : 0644));
  }
  fs::remove_all(Path("next"), error);
  if (error) return Unwritable(Path("next"), error);
  CDGATE_RETURN_IF_ERROR(WriteBundle());
  return WriteLists(kListValidity, now).status();
}

absl::Status Folder::Retire(bool force, absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const auto authorities, Authorities());
  std::set<std::string> old;
  for (const Authority& authority : authorities) {
    if (authority.directory() == directory_ || authority.directory() == Path("next")) continue;
    old.insert(authority.issuing().serial());
  }
  const auto in_force = std::count_if(
      register_.entries.begin(), register_.entries.end(),
      [&](const Entry& entry) { return InForce(entry, now) && old.contains(entry.issuer); });
  if (in_force > 0 && !force) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat(in_force,
                                  " certificates of the CAs before are in force and would be of "
                                  "no use: renew them (cdgate cert list), or say --force"));
  }
  std::error_code error;
  fs::remove_all(Path("old"), error);
  if (error) return Unwritable(Path("old"), error);
  CDGATE_RETURN_IF_ERROR(WriteBundle());
  return WriteLists(kListValidity, now).status();
}

absl::Status Folder::RotateIntermediate(absl::Duration validity, absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(const Authority current, Authority::Read(directory_));
  if (!current.root_is_apart()) {
    return MakeError(Reason::kInvalidArgument,
                     "this CA issues with its root and has no intermediate; rotate the root");
  }
  CDGATE_ASSIGN_OR_RETURN(AuthorityOptions options, OptionsOf(current));
  options.intermediate_validity = validity;
  CDGATE_RETURN_IF_ERROR(current.Root(passphrase_).status());  // before anything is moved
  CDGATE_RETURN_IF_ERROR(KeepCurrent(current, false));
  CDGATE_ASSIGN_OR_RETURN(const Certificate issuing,
                          current.ReplaceIntermediate(options, passphrase_, now));
  register_.entries.push_back(Entry::Of(issuing, current.root()));
  return WriteLists(kListValidity, now).status();
}

}  // namespace cdgate::ca

// A small CA for a domain that has none: works on files, without a gateway.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using base::JoinPath;
using base::MakeError;
using base::Reason;

constexpr char kCaCertificate[] = "ca.crt";
constexpr char kCaKey[] = "ca.key";
constexpr mode_t kSecret = 0600;

struct CaInitFlags {
  std::string domain;
  std::string directory = "ca";
  std::string valid = "3650d";
};

absl::StatusOr<int> InitCa(const CaInitFlags& flags, Invocation& run) {
  if (!trust::ValidTrustDomain(flags.domain)) {
    return UsageError(absl::StrCat("'", base::Shorten(flags.domain),
                                   "' is not a domain: write it like alpha.example"));
  }
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration validity, ParseDurationFlag("--valid", flags.valid));
  const std::string key_path = JoinPath(flags.directory, kCaKey);
  if (base::FileExists(key_path)) {
    return MakeError(Reason::kAlreadyExists,
                     absl::StrCat(key_path, " exists: a CA is not overwritten"),
                     {{"path", key_path}});
  }
  CDGATE_ASSIGN_OR_RETURN(
      const crypto::IssuedCertificate root,
      crypto::CertificateAuthority::InitRoot(flags.domain, {.validity = validity}, absl::Now()));
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(flags.directory, 0700));
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(key_path, root.key_pem, kSecret));
  CDGATE_RETURN_IF_ERROR(
      base::WriteFileAtomically(JoinPath(flags.directory, kCaCertificate), root.certificate_pem));
  run.Note(absl::StrCat("the CA of ", flags.domain, " is in ", flags.directory, ": keep ", key_path,
                        " secret\nnext: cdgate cert issue gateway/gw1 --ca ", flags.directory,
                        " --dns HOST --out DIR"));
  return kExitDone;
}

struct IssueFlags {
  std::string name;
  std::string ca = "ca";
  std::string out = ".";
  std::vector<std::string> dns;
  std::vector<std::string> ips;
  std::string valid = "90d";
};

// The domain that a CA speaks for: that of its one URI name.
absl::StatusOr<std::string> DomainOf(const crypto::Certificate& ca) {
  if (ca.uri_names().size() != 1) {
    return MakeError(Reason::kCertificateMalformed,
                     "the CA's certificate names no domain; issue with the tools of that CA");
  }
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, trust::SpiffeId::Parse(ca.uri_names().front()));
  return std::string(id.trust_domain());
}

// "gateway/gw1" or a whole SPIFFE ID, which must be of `domain`.
absl::StatusOr<trust::SpiffeId> IdentityOf(const std::string& name, const std::string& domain) {
  const std::string text =
      absl::StrContains(name, "://") ? name : absl::StrCat("spiffe://", domain, "/", name);
  CDGATE_ASSIGN_OR_RETURN(trust::SpiffeId id, trust::SpiffeId::Parse(text));
  const std::vector<std::string> parts = absl::StrSplit(absl::StripPrefix(id.path(), "/"), '/');
  const bool known =
      parts.size() == 2 && (parts[0] == "gateway" || parts[0] == "service" || parts[0] == "user");
  if (!known || id.trust_domain() != domain) {
    return UsageError(absl::StrCat("'", base::Shorten(name), "' is not an identity of ", domain,
                                   ": write gateway/NAME, service/NAME or user/NAME"));
  }
  return id;
}

absl::Status WriteIdentity(const std::string& directory, const crypto::IssuedCertificate& issued,
                           const std::string& bundle_pem) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory, 0700));
  CDGATE_RETURN_IF_ERROR(
      base::WriteFileAtomically(JoinPath(directory, "tls.key"), issued.key_pem, kSecret));
  CDGATE_RETURN_IF_ERROR(
      base::WriteFileAtomically(JoinPath(directory, "tls.crt"), issued.certificate_pem));
  return base::WriteFileAtomically(JoinPath(directory, "bundle.pem"), bundle_pem);
}

absl::StatusOr<int> IssueCertificate(const IssueFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const absl::Duration validity, ParseDurationFlag("--valid", flags.valid));
  CDGATE_ASSIGN_OR_RETURN(const std::string ca_pem,
                          base::ReadFile(JoinPath(flags.ca, kCaCertificate)));
  CDGATE_ASSIGN_OR_RETURN(const std::string key_pem, base::ReadFile(JoinPath(flags.ca, kCaKey)));
  CDGATE_ASSIGN_OR_RETURN(const auto ca, crypto::CertificateAuthority::Load(ca_pem, key_pem));
  CDGATE_ASSIGN_OR_RETURN(const std::string domain, DomainOf(ca.certificate()));
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, IdentityOf(flags.name, domain));
  CDGATE_ASSIGN_OR_RETURN(const crypto::IssuedCertificate issued,
                          ca.Issue({.uri_names = {id.text()},
                                    .dns_names = flags.dns,
                                    .ip_names = flags.ips,
                                    .validity = validity,
                                    .common_name = std::string(absl::StripPrefix(id.path(), "/"))},
                                   absl::Now()));
  CDGATE_RETURN_IF_ERROR(WriteIdentity(flags.out, issued, ca_pem));
  run.Note(
      absl::StrCat("issued ", id.text(), " into ", flags.out, ": tls.crt, tls.key, bundle.pem"));
  return kExitDone;
}

std::string Joined(const std::vector<std::string>& names) {
  return names.empty() ? "-" : absl::StrJoin(names, ", ");
}

Node Texts(const std::vector<std::string>& texts) {
  Node list = Node::List();
  for (const std::string& text : texts) list.Append(Node::Text(text));
  return list;
}

Node DescribeCertificate(const crypto::Certificate& certificate) {
  return std::move(
      Node::Object()
          .Add("spiffe_ids", Texts(certificate.uri_names()))
          .Add("subject", Node::Text(certificate.subject()))
          .Add("issuer", Node::Text(certificate.issuer()))
          .Add("serial", Node::Text(certificate.serial()))
          .Add("not_before", Node::Text(TimeText(certificate.not_before())))
          .Add("not_after", Node::Text(TimeText(certificate.not_after())))
          .Add("dns_names", Texts(certificate.dns_names()))
          .Add("ip_names", Texts(certificate.ip_names()))
          .Add("is_ca", Node::Bool(certificate.is_ca()))
          .Add("sha256", Node::Text(base::Fingerprint(certificate.FingerprintSha256()))));
}

void PrintCertificate(const crypto::Certificate& certificate, std::ostream& out) {
  const absl::Duration left = certificate.not_after() - absl::Now();
  out << "spiffe id   " << Joined(certificate.uri_names()) << "\n"
      << "issuer      " << certificate.issuer() << "\n"
      << "serial      " << certificate.serial() << "\n"
      << "valid       " << TimeText(certificate.not_before()) << " to "
      << TimeText(certificate.not_after()) << " ("
      << (left > absl::ZeroDuration() ? absl::StrCat(left / absl::Hours(24), " days left")
                                      : std::string("expired"))
      << ")\n"
      << "dns names   " << Joined(certificate.dns_names()) << "\n"
      << "addresses   " << Joined(certificate.ip_names()) << "\n"
      << "ca          " << (certificate.is_ca() ? "yes" : "no") << "\n"
      << "sha256      " << base::Fingerprint(certificate.FingerprintSha256()) << "\n";
}

absl::StatusOr<int> ShowCertificates(const std::string& path, Invocation& run) {
  const std::string in_folder = JoinPath(path, "tls.crt");
  CDGATE_ASSIGN_OR_RETURN(const std::string pem,
                          base::ReadFile(base::FileExists(in_folder) ? in_folder : path));
  CDGATE_ASSIGN_OR_RETURN(const auto chain, crypto::Certificate::ParsePemChain(pem));
  Node list = Node::List();
  for (const crypto::Certificate& certificate : chain) {
    list.Append(DescribeCertificate(certificate));
  }
  run.Print(list, [&] {
    for (const crypto::Certificate& certificate : chain) {
      if (&certificate != &chain.front()) run.out() << "\n";
      PrintCertificate(certificate, run.out());
    }
  });
  return kExitDone;
}

void AddIssue(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<IssueFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "issue", "Issue a certificate: a folder with tls.crt, tls.key and bundle.pem",
      "cdgate cert issue gateway/gw1 --ca ca --dns gw.alpha.example --out gw1\n"
      "cdgate cert issue user/admin --ca ca --out admin",
      Verbs::kNone, [flags](Invocation& run) { return IssueCertificate(*flags, run); });
  verb->add_option("NAME", flags->name, "gateway/NAME, service/NAME or user/NAME")->required();
  verb->add_option("--ca", flags->ca, "Folder of the CA")->option_text("DIR=ca");
  verb->add_option("--out", flags->out, "Folder to write to")->option_text("DIR=.");
  verb->add_option("--dns", flags->dns, "Host name others reach it by; may be repeated")
      ->option_text("NAME")
      ->expected(1)
      ->take_all();
  verb->add_option("--ip", flags->ips, "Address others reach it by; may be repeated")
      ->option_text("ADDRESS")
      ->expected(1)
      ->take_all();
  verb->add_option("--valid", flags->valid, "How long it is valid")->option_text("DURATION=90d");
}

}  // namespace

void AddCertificateVerbs(Verbs& verbs) {
  CLI::App* const ca = verbs.AddGroup("ca", "A small CA for a domain that has none");
  const auto init = std::make_shared<CaInitFlags>();
  CLI::App* const init_verb =
      verbs.AddVerb(ca, "init", "Make the CA of a domain: ca.crt, its trust bundle, and ca.key",
                    "cdgate ca init alpha.example --ca ca", Verbs::kNone,
                    [init](Invocation& run) { return InitCa(*init, run); });
  init_verb->add_option("DOMAIN", init->domain, "The domain, like alpha.example")->required();
  init_verb->add_option("--ca", init->directory, "Folder to write to")->option_text("DIR=ca");
  init_verb->add_option("--valid", init->valid, "How long it is valid")
      ->option_text("DURATION=3650d");

  CLI::App* const cert = verbs.AddGroup("cert", "Certificates of gateways, services and people");
  AddIssue(verbs, cert);
  const auto path = std::make_shared<std::string>();
  verbs
      .AddVerb(cert, "show", "Show what certificates say", "cdgate cert show gw1", Verbs::kPrints,
               [path](Invocation& run) { return ShowCertificates(*path, run); })
      ->add_option("PATH", *path, "PEM file, or a folder with tls.crt")
      ->required();
}

}  // namespace cdgate::cli

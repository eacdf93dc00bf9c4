// cert show: what is in PEM files of certificates, revocation lists and keys.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "auth/ca/register.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/revocation_list.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/certificate_files.h"
#include "gateway/cli/passphrase_flags.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

struct ShowFlags {
  std::string path;
  PassphraseFlags passphrase;
};

std::string Joined(const std::vector<std::string>& names) {
  return names.empty() ? "-" : absl::StrJoin(names, ", ");
}

Node Texts(const std::vector<std::string>& texts) {
  Node list = Node::List();
  for (const std::string& text : texts) list.Append(Node::Text(text));
  return list;
}

std::string TimeLeft(absl::Time end) {
  const absl::Duration left = end - absl::Now();
  if (left <= absl::ZeroDuration()) return "expired";
  if (left < absl::Hours(48)) {
    return absl::StrCat(absl::FormatDuration(absl::Trunc(left, absl::Minutes(1))), " left");
  }
  return absl::StrCat(left / absl::Hours(24), " days left");
}

absl::string_view UseOf(const crypto::Certificate& certificate) {
  if (certificate.is_ca()) return "issues certificates";
  return certificate.may_be_used_for_tls() ? "connects" : "signs statements";
}

// What was found in one file, and how it is shown.
class Shown {
 public:
  explicit Shown(Invocation& run) : run_(run) {}

  void Add(const crypto::Certificate& certificate) {
    list_.Append(std::move(
        Node::Object()
            .Add("kind", Node::Text("certificate"))
            .Add("spiffe_ids", Texts(certificate.uri_names()))
            .Add("subject", Node::Text(certificate.subject()))
            .Add("issuer", Node::Text(certificate.issuer()))
            .Add("serial", Node::Text(certificate.serial()))
            .Add("not_before", Node::Text(TimeText(certificate.not_before())))
            .Add("not_after", Node::Text(TimeText(certificate.not_after())))
            .Add("dns_names", Texts(certificate.dns_names()))
            .Add("ip_names", Texts(certificate.ip_names()))
            .Add("is_ca", Node::Bool(certificate.is_ca()))
            .Add("use", Node::Text(UseOf(certificate)))
            .Add("key", Node::Text(certificate.key_description()))
            .Add("sha256", Node::Text(base::Fingerprint(certificate.FingerprintSha256())))));
    absl::StrAppend(
        &text_, text_.empty() ? "" : "\n", "spiffe id   ", Joined(certificate.uri_names()),
        "\nissuer      ", certificate.issuer(), "\nserial      ", certificate.serial(),
        "\nvalid       ", TimeText(certificate.not_before()), " to ",
        TimeText(certificate.not_after()), " (", TimeLeft(certificate.not_after()),
        ")\ndns names   ", Joined(certificate.dns_names()), "\naddresses   ",
        Joined(certificate.ip_names()), "\nca          ", certificate.is_ca() ? "yes" : "no",
        "\nuse         ", UseOf(certificate), "\nkey         ", certificate.key_description(),
        "\nsha256      ", base::Fingerprint(certificate.FingerprintSha256()), "\n");
  }

  void Add(const crypto::RevocationList& list) {
    Node revoked = Node::List();
    std::string rows;
    for (const auto& entry : list.entries()) {
      revoked.Append(std::move(Node::Object()
                                   .Add("serial", Node::Text(entry.serial))
                                   .Add("revoked", Node::Text(TimeText(entry.revoked)))
                                   .Add("reason", Node::Text(ca::ReasonName(entry.reason)))));
      absl::StrAppend(&rows, "revoked     ", entry.serial, " at ", TimeText(entry.revoked), ", ",
                      ca::ReasonName(entry.reason), "\n");
    }
    const bool ends = list.next_update() != absl::InfiniteFuture();
    list_.Append(
        std::move(Node::Object()
                      .Add("kind", Node::Text("revocation_list"))
                      .Add("issuer", Node::Text(list.issuer()))
                      .Add("number", Node::Number(list.number()))
                      .Add("this_update", Node::Text(TimeText(list.this_update())))
                      .Add("next_update", ends ? Node::Text(TimeText(list.next_update())) : Node())
                      .Add("revoked", std::move(revoked))));
    absl::StrAppend(
        &text_, text_.empty() ? "" : "\n", "list of     ", list.issuer(), "\nnumber      ",
        list.number(), "\nvalid       ", TimeText(list.this_update()), " to ",
        ends ? absl::StrCat(TimeText(list.next_update()), " (", TimeLeft(list.next_update()), ")")
             : std::string("any time"),
        "\n", rows.empty() ? "revoked     none\n" : rows);
  }

  void AddKey(const std::string& type, bool encrypted) {
    list_.Append(std::move(Node::Object()
                               .Add("kind", Node::Text("private_key"))
                               .Add("key", type.empty() ? Node() : Node::Text(type))
                               .Add("encrypted", Node::Bool(encrypted))));
    absl::StrAppend(&text_, text_.empty() ? "" : "\n", "private key ",
                    type.empty() ? "of a type that its passphrase tells" : type,
                    encrypted ? ", encrypted" : ", not encrypted", "\n");
  }

  bool empty() const { return text_.empty(); }
  void Print() const {
    run_.Print(list_, [this] { run_.out() << text_; });
  }

 private:
  Invocation& run_;
  Node list_ = Node::List();
  std::string text_;
};

absl::Status AddKeyOf(const std::string& pem, const ShowFlags& flags, const Invocation& run,
                      Shown& shown) {
  CDGATE_ASSIGN_OR_RETURN(const crypto::Passphrase passphrase, flags.passphrase.Read(run));
  const bool encrypted = crypto::PrivateKey::IsEncrypted(pem);
  if (encrypted && passphrase.empty()) {
    shown.AddKey("", true);
    return absl::OkStatus();
  }
  CDGATE_ASSIGN_OR_RETURN(const auto key, crypto::PrivateKey::FromPem(pem, passphrase));
  shown.AddKey(key.description(), encrypted);
  return absl::OkStatus();
}

absl::StatusOr<int> Show(const ShowFlags& flags, Invocation& run) {
  const std::string in_folder = base::JoinPath(flags.path, "tls.crt");
  CDGATE_ASSIGN_OR_RETURN(const std::string pem,
                          base::ReadFile(base::FileExists(in_folder) ? in_folder : flags.path));
  Shown shown(run);
  if (absl::StrContains(pem, "-----BEGIN CERTIFICATE-----")) {
    CDGATE_ASSIGN_OR_RETURN(const auto chain, crypto::Certificate::ParsePemChain(pem));
    for (const crypto::Certificate& certificate : chain) shown.Add(certificate);
  }
  if (absl::StrContains(pem, "-----BEGIN X509 CRL-----")) {
    CDGATE_ASSIGN_OR_RETURN(const auto lists, crypto::RevocationList::ParsePem(pem));
    for (const crypto::RevocationList& list : lists) shown.Add(list);
  }
  if (absl::StrContains(pem, "PRIVATE KEY-----")) {
    CDGATE_RETURN_IF_ERROR(AddKeyOf(pem, flags, run, shown));
  }
  if (shown.empty()) {
    return base::MakeError(base::Reason::kCertificateMalformed,
                           absl::StrCat(base::Shorten(flags.path),
                                        " has no certificate, revocation list or key in PEM"));
  }
  shown.Print();
  return kExitDone;
}

}  // namespace

void AddShowVerb(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<ShowFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "show", "Show what certificates, revocation lists and keys say",
                    "cdgate cert show gw1\ncdgate cert show ca/crl.pem -o json", Verbs::kPrints,
                    [flags](Invocation& run) { return Show(*flags, run); });
  verb->add_option("PATH", flags->path, "PEM file, or a folder with tls.crt")->required();
  flags->passphrase.AddTo(verb, "of a key in the file");
}

}  // namespace cdgate::cli

// Whom the gateway trusts, and whom it does not any more.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cdgate/admin/v1/trust.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Trust = admin::v1::TrustService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct DenyFlags {
  admin::v1::Denial denial;
  std::string principal;
  std::string domain;
  std::string serial;
  std::string authority;
};

std::string SubjectText(const admin::v1::Denial& denial) {
  switch (denial.subject_case()) {
    case admin::v1::Denial::kPrincipal: return denial.principal();
    case admin::v1::Denial::kDomain: return absl::StrCat("domain ", denial.domain());
    case admin::v1::Denial::kSerial:
      return absl::StrCat("serial ", denial.serial().serial(), " of ", denial.serial().domain());
    case admin::v1::Denial::kAuthority: return absl::StrCat("authority ", denial.authority());
    case admin::v1::Denial::SUBJECT_NOT_SET: break;
  }
  return "nobody";
}

// --domain alone denies the domain; with --serial it says whose certificate.
absl::StatusOr<admin::v1::Denial> DenialFrom(const DenyFlags& flags) {
  admin::v1::Denial denial = flags.denial;
  const int subjects = int{!flags.principal.empty()} + int{!flags.authority.empty()} +
                       int{!flags.domain.empty() || !flags.serial.empty()};
  if (subjects != 1) {
    return UsageError(
        "say who is denied: one of --principal ID, --domain DOMAIN, --serial SERIAL --domain "
        "DOMAIN, --authority SHA256");
  }
  if (!flags.principal.empty()) {
    denial.set_principal(flags.principal);
  } else if (!flags.authority.empty()) {
    denial.set_authority(flags.authority);
  } else if (flags.serial.empty()) {
    denial.set_domain(flags.domain);
  } else if (flags.domain.empty()) {
    return UsageError("--serial needs --domain DOMAIN: whose certificate it is");
  } else {
    denial.mutable_serial()->set_serial(flags.serial);
    denial.mutable_serial()->set_domain(flags.domain);
  }
  return denial;
}

absl::StatusOr<int> Add(const DenyFlags& flags, Invocation& run) {
  admin::v1::AddDenialRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_denial(), DenialFrom(flags));
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Trust::AddDenial, request));
  run.Print(answer, [&] {
    run.out() << "denied " << SubjectText(answer.denial()) << " as " << answer.denial().name()
              << "\n";
  });
  return kExitDone;
}

absl::StatusOr<int> Remove(const std::string& name, Invocation& run) {
  admin::v1::DeleteDenialRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Trust::DeleteDenial, request));
  run.Print(answer, [&] { run.out() << "removed denial " << name << "\n"; });
  return kExitDone;
}

absl::StatusOr<int> ListDenials(Invocation& run) {
  admin::v1::ListDenialsResponse all;
  admin::v1::ListDenialsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(const auto page, run.Call(&Trust::ListDenials, request));
    request.set_page_token(page.next_page_token());
    all.mutable_denials()->MergeFrom(page.denials());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"NAME"},
                 {"DENIED", Table::kShrinks},
                 {"SINCE"},
                 {"AUTHOR", Table::kShrinks},
                 {"REASON", Table::kShrinks}});
    for (const admin::v1::Denial& denial : all.denials()) {
      table.AddRow({denial.name(), SubjectText(denial), TimeText(ToTime(denial.create_time())),
                    denial.author(), denial.reason()});
    }
    run.Print(table, "nobody is denied");
  });
  return kExitDone;
}

void PrintAuthorities(absl::string_view what,
                      const google::protobuf::RepeatedPtrField<admin::v1::Authority>& authorities,
                      std::ostream& out) {
  for (const admin::v1::Authority& authority : authorities) {
    out << "  " << what << "  " << authority.subject() << "\n          until "
        << TimeText(ToTime(authority.expire_time())) << ", sha256 " << authority.sha256() << "\n";
  }
}

void PrintLists(const admin::v1::DomainTrust& domain, std::ostream& out) {
  if (domain.revocation_lists().empty()) out << "  no revocation list: revocation is not checked\n";
  for (const admin::v1::RevocationListStatus& list : domain.revocation_lists()) {
    out << "  revoked " << list.entries() << " by " << list.issuer() << ", list " << list.number()
        << ", the next due " << TimeText(list.has_next_update_time(), list.next_update_time())
        << "\n";
  }
}

absl::StatusOr<int> ListTrust(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto answer,
                          run.Call(&Trust::ListTrust, admin::v1::ListTrustRequest()));
  run.Print(answer, [&] {
    for (const admin::v1::DomainTrust& domain : answer.domains()) {
      run.out() << domain.domain()
                << (domain.own()               ? " (ours)"
                    : domain.statements_only() ? " (no agreement: statements alone)"
                                               : "")
                << "\n  bundle  " << domain.fingerprint() << "\n";
      if (!domain.set_by().empty()) {
        run.out() << "  by hand " << domain.set_by() << ", " << TimeText(ToTime(domain.set_time()))
                  << "\n";
      }
      PrintAuthorities("root  ", domain.roots(), run.out());
      PrintAuthorities("retired", domain.retired(), run.out());
      PrintLists(domain, run.out());
    }
  });
  return kExitDone;
}

void AddDenyAdd(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<DenyFlags>();
  CLI::App* const add = verbs.AddVerb(
      group, "add", "Deny a principal, a domain, a certificate or a CA, at once",
      "cdgate deny add lost-laptop --principal spiffe://alpha.example/user/erin --reason lost",
      kBoth, [flags](Invocation& run) { return Add(*flags, run); });
  add->add_option("NAME", *flags->denial.mutable_name(), "Name of the entry")->required();
  add->add_option("--principal", flags->principal, "Whoever has this id")->option_text("ID");
  add->add_option("--domain", flags->domain, "Everybody of this trust domain")
      ->option_text("DOMAIN");
  add->add_option("--serial", flags->serial, "One certificate, of --domain")->option_text("SERIAL");
  add->add_option("--authority", flags->authority,
                  "Whatever was issued under the CA certificate with this SHA-256")
      ->option_text("SHA256");
  add->add_option("--reason", *flags->denial.mutable_reason(), "Why, for people")
      ->option_text("TEXT");
}

}  // namespace

void AddTrustVerbs(Verbs& verbs) {
  CLI::App* const trust = verbs.AddGroup("trust", "Bundles and revocation lists in force");
  verbs.AddVerb(trust, "list", "Show whose certificates are taken, and by what",
                "cdgate trust list", kBoth, ListTrust);
  AddTrustSetVerb(verbs, trust);
  CLI::App* const group = verbs.AddGroup("deny", "Who is not let in, whatever a certificate says");
  AddDenyAdd(verbs, group);
  verbs.AddVerb(group, "list", "List who is denied, by whom and why", "cdgate deny list", kBoth,
                ListDenials);
  const auto name = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "remove", "End a denial", "cdgate deny remove lost-laptop", kBoth,
               [name](Invocation& run) { return Remove(*name, run); })
      ->add_option("NAME", *name, "The entry")
      ->required();
}

}  // namespace cdgate::cli

// Whose statements count.
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cdgate/admin/v1/trust.grpc.pb.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using admin::v1::AttestorStatus;
using Trust = admin::v1::TrustService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;
constexpr size_t kShownDigits = 12;

std::string StateText(const AttestorStatus& attestor) {
  switch (attestor.state()) {
    case admin::v1::ATTESTOR_STATE_VALID: return "valid";
    case admin::v1::ATTESTOR_STATE_EARLY: return "not valid yet";
    case admin::v1::ATTESTOR_STATE_ENDED: return "ended";
    case admin::v1::ATTESTOR_STATE_REFUSED:  // "revoked" of CERTIFICATE_REVOKED
      return absl::AsciiStrToLower(absl::StripPrefix(attestor.reason(), "CERTIFICATE_"));
    default: return "unknown";
  }
}

// "attestor/gw1", as it was issued.
std::string NameOf(const AttestorStatus& attestor) {
  const std::string domain = absl::StrCat("spiffe://", attestor.domain(), "/");
  return attestor.spiffe_id().rfind(domain, 0) == 0 ? attestor.spiffe_id().substr(domain.size())
                                                    : attestor.spiffe_id();
}

std::string SenderOf(const AttestorStatus& attestor) {
  return attestor.received_from().empty() ? "ourselves" : attestor.received_from();
}

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListAttestorsResponse all;
  admin::v1::ListAttestorsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(const auto page, run.Call(&Trust::ListAttestors, request));
    request.set_page_token(page.next_page_token());
    all.mutable_attestors()->MergeFrom(page.attestors());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"DOMAIN", Table::kShrinks},
                 {"NAME", Table::kShrinks},
                 {"KEY ID"},
                 {"FROM"},
                 {"TO"},
                 {"FIRST SEEN"},
                 {"STATE"}});
    for (const AttestorStatus& attestor : all.attestors()) {
      table.AddRow({absl::StrCat(attestor.domain(), attestor.own() ? " (ours)" : ""),
                    NameOf(attestor), attestor.key_id().substr(0, kShownDigits),
                    DayText(ToTime(attestor.start_time())), DayText(ToTime(attestor.expire_time())),
                    DayText(ToTime(attestor.first_seen_time())), StateText(attestor)});
    }
    run.Print(table, "no attestors: nothing that was signed can be verified");
  });
  return kExitDone;
}

void ShowOne(const AttestorStatus& attestor, std::ostream& out) {
  out << "key id      " << attestor.key_id() << "\nspiffe id   " << attestor.spiffe_id()
      << "\nserial      " << attestor.serial() << "\nvalid       "
      << TimeText(ToTime(attestor.start_time())) << " to "
      << TimeText(ToTime(attestor.expire_time())) << "\nfirst seen  "
      << TimeText(ToTime(attestor.first_seen_time())) << ", from " << SenderOf(attestor)
      << "\nstate       " << StateText(attestor) << "\n";
  if (!attestor.message().empty()) out << "why         " << attestor.message() << "\n";
  out << attestor.chain_pem();
}

absl::StatusOr<int> Show(const std::string& key_id, Invocation& run) {
  admin::v1::GetAttestorRequest request;
  request.set_key_id(key_id);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Call(&Trust::GetAttestor, request));
  run.Print(answer.attestor(), [&] { ShowOne(answer.attestor(), run.out()); });
  return kExitDone;
}

}  // namespace

void AddAttestorVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("attestor", "Keys that sign statements about events");
  verbs.AddVerb(group, "list", "List whose statements we have, ours and those of others",
                "cdgate attestor list", kBoth, List);
  const auto key_id = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "show", "Show one of them, with its certificates",
               "cdgate attestor show 5f03a1c29b7e", kBoth,
               [key_id](Invocation& run) { return Show(*key_id, run); })
      ->add_option("KEYID", *key_id, "SHA-256 of its certificate, or at least its first 8 digits")
      ->required();
}

}  // namespace cdgate::cli

// Access tokens, for tools that publish over HTTP without a certificate.
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct TokenFlags {
  admin::v1::CreateTokenRequest request;
  std::string expires;
};

absl::StatusOr<int> Create(const TokenFlags& flags, Invocation& run) {
  admin::v1::CreateTokenRequest request = flags.request;
  if (!flags.expires.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const absl::Duration ttl,
                            ParseDurationFlag("--expires", flags.expires));
    *request.mutable_ttl() = ToProto(ttl);
  }
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::CreateToken, request));
  run.Print(answer, [&] {
    run.out() << answer.secret() << "\n";
    run.Note(absl::StrCat("token ", answer.token().name(), " publishes by the grant ",
                          answer.token().grant(), " until ",
                          TimeText(ToTime(answer.token().expire_time())),
                          "; it is shown this once\nnext: give it to the tool as its bearer "
                          "token, Authorization: Bearer cdgate_…"));
  });
  return kExitDone;
}

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListTokensResponse all;
  admin::v1::ListTokensRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListTokens, request));
    request.set_page_token(page.next_page_token());
    all.mutable_tokens()->MergeFrom(page.tokens());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"NAME"},
                 {"GRANT"},
                 {"EXPIRES"},
                 {"AUTHOR", Table::kShrinks},
                 {"DESCRIPTION", Table::kShrinks}});
    for (const admin::v1::Token& token : all.tokens()) {
      table.AddRow({token.name(), token.grant(), TimeText(ToTime(token.expire_time())),
                    token.author(), token.description()});
    }
    run.Print(table, "no tokens; make one with cdgate token create");
  });
  return kExitDone;
}

absl::StatusOr<int> Revoke(const std::string& name, Invocation& run) {
  admin::v1::DeleteTokenRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DeleteToken, request));
  run.Print(answer, [&] { run.out() << "revoked token " << name << "\n"; });
  return kExitDone;
}

}  // namespace

void AddTokenVerbs(Verbs& verbs) {
  CLI::App* const group =
      verbs.AddGroup("token", "Tools that publish over HTTP without a certificate");
  const auto flags = std::make_shared<TokenFlags>();
  CLI::App* const create =
      verbs.AddVerb(group, "create", "Make a token for the HTTP ingress; it is shown once",
                    "cdgate token create jenkins --grant jenkins --expires 30d", kBoth,
                    [flags](Invocation& run) { return Create(*flags, run); });
  create->add_option("NAME", *flags->request.mutable_name(), "Name of the token")->required();
  create
      ->add_option("--grant", *flags->request.mutable_grant(),
                   "The publisher's grant that says what it may publish")
      ->required()
      ->option_text("GRANT");
  create->add_option("--expires", flags->expires, "How long it works; 90 days by default")
      ->option_text("30d");
  create->add_option("--description", *flags->request.mutable_description(), "For people")
      ->option_text("TEXT");
  verbs.AddVerb(group, "list", "List the tokens; never their secrets", "cdgate token list", kBoth,
                List);
  const auto name = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "revoke", "Revoke a token; the next request with it is refused",
               "cdgate token revoke jenkins", kBoth,
               [name](Invocation& run) { return Revoke(*name, run); })
      ->add_option("NAME", *name, "The token")
      ->required();
}

}  // namespace cdgate::cli

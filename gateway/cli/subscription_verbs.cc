#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListSubscriptionsResponse all;
  admin::v1::ListSubscriptionsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListSubscriptions, request));
    request.set_page_token(page.next_page_token());
    all.mutable_subscriptions()->MergeFrom(page.subscriptions());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table(
        {{"NAME"}, {"OWNER", Table::kShrinks}, {"POSITION"}, {"LAG"}, {"FILTER", Table::kShrinks}});
    for (const admin::v1::SubscriptionStatus& status : all.subscriptions()) {
      table.AddRow({status.subscription().name(), status.subscription().owner(),
                    absl::StrCat(status.position()), absl::StrCat(status.lag()),
                    status.subscription().filter()});
    }
    run.Print(table, "no subscriptions; cdgate subscribe --name makes one");
  });
  return kExitDone;
}

absl::StatusOr<int> Delete(const std::string& name, Invocation& run) {
  admin::v1::DeleteSubscriptionRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DeleteSubscription, request));
  run.Print(answer, [&] { run.out() << "deleted subscription " << name << "\n"; });
  return kExitDone;
}

}  // namespace

void AddSubscriptionVerbs(Verbs& verbs) {
  CLI::App* const group =
      verbs.AddGroup("subscription", "Durable subscriptions and their positions");
  verbs.AddVerb(group, "list", "List the subscriptions, their positions and lags",
                "cdgate subscription list", kBoth, List);
  const auto name = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "delete", "Delete a subscription and its position",
               "cdgate subscription delete deployer", kBoth,
               [name](Invocation& run) { return Delete(*name, run); })
      ->add_option("NAME", *name, "The subscription")
      ->required();
}

}  // namespace cdgate::cli

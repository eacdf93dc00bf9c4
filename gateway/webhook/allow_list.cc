#include "gateway/webhook/allow_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::webhook {
namespace {

using base::MakeError;
using base::Reason;

absl::StatusOr<AllowedTarget> Read(const config::v1::WebhookTarget& config) {
  AllowedTarget out;
  out.name = config.name();
  CDGATE_ASSIGN_OR_RETURN(out.url, base::ParseHttpUrl(config.url()));
  for (const std::string& text : config.allow_addresses()) {
    CDGATE_ASSIGN_OR_RETURN(const base::IpRange range, base::ParseIpRange(text));
    out.addresses.push_back(range);
  }
  out.ca_file = config.ca_file();
  out.token_file = config.token_file();
  out.certificate = config.certificate();
  out.key = config.key();
  for (const std::string& pattern : config.principals()) out.principals.emplace_back(pattern);
  out.handshake = !config.without_handshake();
  return out;
}

bool MayUse(const AllowedTarget& target, absl::string_view principal) {
  return target.principals.empty() ||
         std::any_of(target.principals.begin(), target.principals.end(),
                     [&](const authz::Pattern& each) { return each.Matches(principal); });
}

absl::Status NotAllowed(absl::string_view url, absl::string_view why) {
  return MakeError(Reason::kWebhookNotAllowed,
                   absl::StrCat("events may not be pushed to ", base::Shorten(url), ": ", why),
                   {{"field", "subscription.push.url"}, {"url", std::string(url)}});
}

}  // namespace

absl::Status AllowedTarget::MayDial(const base::IpAddress& address) const {
  const char* const use = base::SpecialUseOf(address);
  if (use == nullptr || std::any_of(addresses.begin(), addresses.end(),
                                    [&](const auto& range) { return range.Contains(address); })) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kWebhookAddressRefused,
                   absl::StrCat(url.host, " resolves to ", address.Text(), ", which is ", use,
                                "; the operator can allow its range for webhook target ", name,
                                " by allow_addresses"),
                   {{"address", address.Text()}, {"target", name}});
}

absl::StatusOr<AllowList> AllowList::Make(const config::v1::WebhooksConfig& config,
                                          absl::string_view domain) {
  AllowList out;
  out.origin_ = config.origin().empty() ? std::string(domain) : config.origin();
  for (const config::v1::WebhookTarget& each : config.targets()) {
    auto target = Read(each);
    if (!target.ok()) {
      return MakeError(Reason::kInvalidConfig, absl::StrCat("webhook target ", each.name(), ": ",
                                                            target.status().message()));
    }
    out.targets_.push_back(std::make_shared<const AllowedTarget>(*std::move(target)));
  }
  std::stable_sort(out.targets_.begin(), out.targets_.end(), [](const auto& a, const auto& b) {
    return a->url.path.size() > b->url.path.size();
  });
  return out;
}

absl::StatusOr<AllowedUrl> AllowList::Find(absl::string_view url,
                                           absl::string_view principal) const {
  if (targets_.empty()) {
    return NotAllowed(url,
                      "webhooks are off on this gateway; its operator turns them on by "
                      "webhooks.targets of gateway.yaml");
  }
  CDGATE_ASSIGN_OR_RETURN(base::HttpUrl parsed, base::ParseHttpUrl(url));
  for (const auto& target : targets_) {
    if (!parsed.IsWithin(target->url)) continue;
    if (MayUse(*target, principal)) return AllowedUrl{std::move(parsed), target};
    return NotAllowed(
        url, absl::StrCat("webhook target ", target->name, " is not for ", base::Shorten(principal),
                          "; its operator says for whom by principals"));
  }
  return NotAllowed(url,
                    "it is in none of the webhooks.targets of gateway.yaml; have the operator add "
                    "it, or use an address that is there");
}

}  // namespace cdgate::webhook

// Where subscriptions may push to: webhooks of gateway.yaml, looked up by address and principal.
//
//   CDGATE_ASSIGN_OR_RETURN(const AllowList list, AllowList::Make(config, "alpha.example"));
//   CDGATE_ASSIGN_OR_RETURN(const AllowedUrl allowed, list.Find(push.url(), owner));
//   allowed.target->MayDial(address)
//
// Immutable; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/authz/pattern.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/base/http_url.h"
#include "gateway/base/ip_range.h"

namespace cdgate::webhook {

// One entry of webhooks.targets.
struct AllowedTarget {
  std::string name;
  base::HttpUrl url = {};
  std::vector<base::IpRange> addresses = {};  // of special use, that it may resolve to
  std::string ca_file = {};
  std::string token_file = {};
  std::string certificate = {};
  std::string key = {};
  std::vector<authz::Pattern> principals = {};  // empty: everybody
  bool handshake = true;

  // OK for a public address, and those that the operator allows; else WEBHOOK_ADDRESS_REFUSED.
  absl::Status MayDial(const base::IpAddress& address) const;
};

struct AllowedUrl {
  base::HttpUrl url;
  std::shared_ptr<const AllowedTarget> target;
};

class AllowList {
 public:
  // Nothing is allowed.
  AllowList() = default;
  // `config` as the loader checked it. INVALID_CONFIG naming what is wrong else.
  static absl::StatusOr<AllowList> Make(const config::v1::WebhooksConfig& config,
                                        absl::string_view domain);

  // INVALID_ARGUMENT where `url` is no address; WEBHOOK_NOT_ALLOWED where it is in no target that
  // `principal` may use.
  absl::StatusOr<AllowedUrl> Find(absl::string_view url, absl::string_view principal) const;

  const std::vector<std::shared_ptr<const AllowedTarget>>& targets() const { return targets_; }
  // What WebHook-Request-Origin says.
  const std::string& origin() const { return origin_; }

 private:
  std::string origin_;
  std::vector<std::shared_ptr<const AllowedTarget>> targets_;  // the longest path first
};

}  // namespace cdgate::webhook

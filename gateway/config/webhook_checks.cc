#include "gateway/config/webhook_checks.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/http_url.h"
#include "gateway/base/ip_range.h"
#include "gateway/base/status_macros.h"

namespace cdgate::config {
namespace {

constexpr int kMaxTargets = 64;
constexpr int kMaxEntries = 64;  // of a list of one target
constexpr size_t kMaxOriginBytes = 253;

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
  });
}

bool IsDnsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxOriginBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ||
                  c == '_';
         });
}

// One target; keeps the first error.
class Checker {
 public:
  Checker(const MessageReader& reader, std::string key, const std::filesystem::path& folder,
          v1::WebhookTarget* target)
      : reader_(reader), key_(std::move(key)), folder_(folder), target_(*target) {}

  absl::Status Run() {
    if (!IsName(target_.name())) {
      Fail("name", absl::StrCat("found \"", base::Shorten(target_.name()),
                                "\"; expected 1 to 63 lower-case letters, digits and '-'"));
    }
    Url();
    Addresses();
    Path(target_.mutable_ca_file());
    Path(target_.mutable_token_file());
    Path(target_.mutable_certificate());
    Path(target_.mutable_key());
    Credentials();
    AtMost("principals", target_.principals_size());
    for (const std::string& principal : target_.principals()) {
      if (principal.empty()) Fail("principals", "has an empty entry; expected a SPIFFE ID");
    }
    return status_;
  }

  const base::HttpUrl& url() const { return url_; }

 private:
  void Fail(absl::string_view field, absl::string_view what) {
    if (status_.ok()) status_ = reader_.ErrorAt(absl::StrCat(key_, ".", field), what);
  }

  void AtMost(absl::string_view field, int count) {
    if (count > kMaxEntries) {
      Fail(field, absl::StrCat("has ", count, " entries; expected at most ", kMaxEntries));
    }
  }

  void Url() {
    auto url = base::ParseHttpUrl(target_.url());
    if (!url.ok()) return Fail("url", url.status().message());
    url_ = *std::move(url);
    if (!url_.query.empty()) Fail("url", "has a query; expected scheme, host, port and path alone");
  }

  void Addresses() {
    AtMost("allow_addresses", target_.allow_addresses_size());
    for (const std::string& text : target_.allow_addresses()) {
      const auto range = base::ParseIpRange(text);
      if (!range.ok()) Fail("allow_addresses", range.status().message());
    }
  }

  void Path(std::string* path) {
    if (!path->empty()) *path = (folder_ / *path).lexically_normal().string();
  }

  void Credentials() {
    if (target_.certificate().empty() != target_.key().empty()) {
      Fail(target_.key().empty() ? "key" : "certificate",
           "missing; expected certificate and key, or neither");
    }
    if (url_.tls) return;
    if (!target_.certificate().empty()) {
      Fail("certificate", "is for https; remove it and its key, or give an https url");
    }
    if (!target_.ca_file().empty()) {
      Fail("ca_file", "is for https; remove it, or give an https url");
    }
  }

  const MessageReader& reader_;
  const std::string key_;
  const std::filesystem::path& folder_;
  v1::WebhookTarget& target_;
  base::HttpUrl url_;
  absl::Status status_;
};

absl::Status CheckOrigin(const MessageReader& reader, v1::GatewayConfig* config) {
  v1::WebhooksConfig& webhooks = *config->mutable_webhooks();
  if (webhooks.origin().empty()) webhooks.set_origin(config->domain());
  if (IsDnsName(webhooks.origin())) return absl::OkStatus();
  return reader.ErrorAt(
      "webhooks.origin",
      absl::StrCat("found \"", base::Shorten(webhooks.origin()), "\"; expected a DNS name"));
}

absl::Status CheckCallback(const MessageReader& reader, v1::GatewayConfig* config) {
  std::string& callback = *config->mutable_webhooks()->mutable_callback_url();
  if (callback.empty()) return absl::OkStatus();
  const auto url = base::ParseHttpUrl(callback);
  if (!url.ok()) return reader.ErrorAt("webhooks.callback_url", url.status().message());
  if (!url->query.empty()) {
    return reader.ErrorAt("webhooks.callback_url",
                          "has a query; expected scheme, host, port and path alone");
  }
  if (config->listeners().ingress().empty()) {
    return reader.ErrorAt(
        "webhooks.callback_url",
        "needs the HTTP ingress, at which targets call; expected listeners.ingress "
        "as well");
  }
  callback = url->text;
  while (absl::EndsWith(callback, "/")) callback.pop_back();
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckWebhooks(const MessageReader& reader, const std::filesystem::path& folder,
                           v1::GatewayConfig* config) {
  if (!config->has_webhooks()) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(CheckOrigin(reader, config));
  CDGATE_RETURN_IF_ERROR(CheckCallback(reader, config));
  v1::WebhooksConfig& webhooks = *config->mutable_webhooks();
  if (webhooks.targets_size() > kMaxTargets) {
    return reader.ErrorAt(
        "webhooks.targets",
        absl::StrCat("has ", webhooks.targets_size(), " entries; expected at most ", kMaxTargets));
  }
  std::set<std::string> names;
  std::set<std::string> urls;
  for (int i = 0; i < webhooks.targets_size(); ++i) {
    v1::WebhookTarget& target = *webhooks.mutable_targets(i);
    const std::string key = absl::StrCat("webhooks.targets[", i, "]");
    Checker checker(reader, key, folder, &target);
    CDGATE_RETURN_IF_ERROR(checker.Run());
    if (!names.insert(target.name()).second) {
      return reader.ErrorAt(absl::StrCat(key, ".name"),
                            absl::StrCat("found \"", target.name(), "\" a second time"));
    }
    if (!urls.insert(checker.url().text).second) {
      return reader.ErrorAt(absl::StrCat(key, ".url"),
                            absl::StrCat("found \"", base::Shorten(target.url()),
                                         "\" a second time; an address has one target"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cdgate::config

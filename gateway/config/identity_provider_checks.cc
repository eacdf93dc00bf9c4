#include "gateway/config/identity_provider_checks.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/scalars.h"

namespace cdgate::config {
namespace {

using google::protobuf::Duration;

constexpr int kMaxProviders = 16;
constexpr int kMaxAudiences = 16;
constexpr size_t kMaxTextBytes = 1024;
constexpr absl::string_view kAlgorithms[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                             "PS512", "ES256", "ES384", "ES512"};
constexpr absl::string_view kDefaultAlgorithms[] = {"RS256", "PS256", "ES256"};
constexpr absl::Duration kDay = absl::Hours(24);

bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
  });
}

bool IsText(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxTextBytes &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// One provider; keeps the first error.
class Checker {
 public:
  Checker(const MessageReader& reader, std::string key, const std::filesystem::path& folder,
          v1::IdentityProvider* provider)
      : reader_(reader),
        key_(std::move(key)),
        folder_(folder),
        given_(*provider),
        provider_(*provider) {}

  absl::Status Run() {
    if (!IsName(provider_.name())) {
      Fail("name", absl::StrCat("found \"", base::Shorten(provider_.name()),
                                "\"; expected 1 to 63 lower-case letters, digits and '-'"));
    }
    if (!IsText(provider_.issuer())) {
      Fail("issuer",
           "missing or malformed; expected what its tokens have as iss, such as "
           "https://id.alpha.example");
    }
    Audiences();
    Keys();
    if (provider_.claim().empty()) provider_.set_claim("sub");
    if (!IsText(provider_.claim())) Fail("claim", "malformed; expected the name of a claim");
    Algorithms();
    Times();
    return status_;
  }

 private:
  void Fail(absl::string_view field, absl::string_view what) {
    if (status_.ok()) status_ = reader_.ErrorAt(absl::StrCat(key_, ".", field), what);
  }

  void Audiences() {
    if (provider_.audiences().empty() || provider_.audiences_size() > kMaxAudiences) {
      Fail("audiences", absl::StrCat("has ", provider_.audiences_size(),
                                     " entries; expected 1 to 16, such as cdgate"));
    }
    for (const std::string& audience : provider_.audiences()) {
      if (!IsText(audience)) Fail("audiences", "has an entry that is empty or malformed");
    }
  }

  void Keys() {
    const bool file = !provider_.jwks_file().empty();
    const bool url = !provider_.jwks_url().empty();
    if (file == url) {
      return Fail(file ? "jwks_url" : "jwks_file",
                  "expected either jwks_file or jwks_url, and not both");
    }
    if (file) Path(provider_.mutable_jwks_file());
    if (!provider_.ca_file().empty()) Path(provider_.mutable_ca_file());
    if (url &&
        (!absl::StartsWith(provider_.jwks_url(), "https://") || !IsText(provider_.jwks_url()))) {
      Fail("jwks_url", absl::StrCat("found \"", base::Shorten(provider_.jwks_url()),
                                    "\"; expected https://HOST/PATH"));
    }
    if (!url && !provider_.ca_file().empty()) {
      Fail("ca_file", "is for jwks_url; remove it, or give a jwks_url");
    }
  }

  void Path(std::string* path) { *path = (folder_ / *path).lexically_normal().string(); }

  void Algorithms() {
    if (provider_.algorithms().empty()) {
      for (const absl::string_view one : kDefaultAlgorithms) {
        provider_.add_algorithms(std::string(one));
      }
    }
    for (const std::string& algorithm : provider_.algorithms()) {
      if (std::find(std::begin(kAlgorithms), std::end(kAlgorithms), algorithm) !=
          std::end(kAlgorithms)) {
        continue;
      }
      Fail("algorithms", absl::StrCat("found \"", base::Shorten(algorithm), "\"; expected some of ",
                                      absl::StrJoin(kAlgorithms, ", ")));
    }
  }

  // The duration, or `standard` where it is not given.
  absl::Duration Bounded(absl::string_view field, bool given, Duration* value,
                         absl::Duration standard, absl::Duration least, absl::Duration greatest) {
    if (!given) value->set_seconds(absl::ToInt64Seconds(standard));
    const absl::Duration found =
        absl::Seconds(value->seconds()) + absl::Nanoseconds(value->nanos());
    if (found < least || found > greatest) {
      Fail(field,
           absl::StrCat("found ", config::FormatDuration(found), "; expected ",
                        config::FormatDuration(least), " to ", config::FormatDuration(greatest)));
    }
    return found;
  }

  void Times() {
    Bounded("max_lifetime", given_.has_max_lifetime(), provider_.mutable_max_lifetime(), kDay,
            absl::Minutes(1), 31 * kDay);
    Bounded("clock_skew", given_.has_clock_skew(), provider_.mutable_clock_skew(),
            absl::Seconds(30), absl::ZeroDuration(), absl::Minutes(5));
    const absl::Duration refresh =
        Bounded("refresh", given_.has_refresh(), provider_.mutable_refresh(), absl::Minutes(10),
                absl::Minutes(1), kDay);
    Bounded("max_key_age", given_.has_max_key_age(), provider_.mutable_max_key_age(),
            std::max(kDay, refresh), refresh, 30 * kDay);
  }

  const MessageReader& reader_;
  const std::string key_;
  const std::filesystem::path& folder_;
  const v1::IdentityProvider given_;  // as read, to tell what is set
  v1::IdentityProvider& provider_;
  absl::Status status_;
};

}  // namespace

absl::Status CheckIdentityProviders(const MessageReader& reader,
                                    const std::filesystem::path& folder,
                                    v1::GatewayConfig* config) {
  if (config->identity_providers_size() > kMaxProviders) {
    return reader.ErrorAt("identity_providers",
                          absl::StrCat("has ", config->identity_providers_size(),
                                       " entries; expected at most ", kMaxProviders));
  }
  std::set<std::string> names;
  std::set<std::string> issuers;
  for (int i = 0; i < config->identity_providers_size(); ++i) {
    v1::IdentityProvider& provider = *config->mutable_identity_providers(i);
    const std::string key = absl::StrCat("identity_providers[", i, "]");
    CDGATE_RETURN_IF_ERROR(Checker(reader, key, folder, &provider).Run());
    if (!names.insert(provider.name()).second) {
      return reader.ErrorAt(absl::StrCat(key, ".name"),
                            absl::StrCat("found \"", provider.name(), "\" a second time"));
    }
    if (!issuers.insert(provider.issuer()).second) {
      return reader.ErrorAt(absl::StrCat(key, ".issuer"),
                            absl::StrCat("found \"", base::Shorten(provider.issuer()),
                                         "\" a second time; a token says its issuer alone, so "
                                         "there is one provider for each"));
    }
  }
  return absl::OkStatus();
}

}  // namespace cdgate::config

#include "gateway/app/token_source.h"

#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/logging.h"
#include "gateway/state/resources.h"

namespace cdgate::app {
namespace {

std::vector<admin::v1::Token> TokensOf(const state::ResourceSnapshot& resources) {
  std::vector<admin::v1::Token> tokens;
  for (const state::ResourcePtr& resource : resources.List(state::kTokenKind)) {
    auto token = resource->As<admin::v1::Token>();
    if (!token.ok()) {
      base::LogError(base::LogLevel::kError, "token ignored", token.status(),
                     {{"name", resource->name}});
      continue;
    }
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

}  // namespace

std::shared_ptr<const authz::Tokens> TokenSource::Current() {
  const state::ResourceSnapshotPtr resources = store_.Resources();
  {
    base::MutexLock lock(mu_);
    if (current_ != nullptr && commit_ == resources->commit()) return current_;
  }
  auto compiled = std::make_shared<const authz::Tokens>(domain_, TokensOf(*resources));
  base::MutexLock lock(mu_);
  if (current_ == nullptr || commit_ < resources->commit()) {
    current_ = compiled;
    commit_ = resources->commit();
  }
  return compiled;
}

}  // namespace cdgate::app

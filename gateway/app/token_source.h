// The access tokens as the resources have them at this moment. Not by a watch, which is told
// a little later: a token that was revoked must not pass once that was answered, and one
// that was made must.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "auth/authz/token.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::app {

// Thread-safe.
class TokenSource {
 public:
  // `domain`: our own. `store` outlives it.
  TokenSource(std::string domain, const state::Store& store)
      : domain_(std::move(domain)), store_(store) {}

  // Compiled anew where a resource has changed since; otherwise a lookup.
  std::shared_ptr<const authz::Tokens> Current();

 private:
  const std::string domain_;
  const state::Store& store_;
  base::Mutex mu_;
  uint64_t commit_ CDGATE_GUARDED_BY(mu_) = 0;  // of the resources that it was compiled from
  std::shared_ptr<const authz::Tokens> current_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app

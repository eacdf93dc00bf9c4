// The last connection of each domain that was refused here: for whoever asks why a peer that dials
// us does not come up.
//
//   memory.Note(refusal, clock.Now());
//   if (auto last = memory.LastOf("beta.example")) ...
//
// Only refusals that name a SPIFFE ID can be told apart; anybody can claim any domain, so what is
// kept is what was claimed. Bounded. Thread-safe; does not block.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/observer.h"
#include "gateway/base/mutex.h"

namespace cdgate::app {

class RefusalMemory {
 public:
  // Domains that are remembered at most; beyond, the one refused longest ago is forgotten.
  static constexpr size_t kMostDomains = 256;

  struct Refused {
    absl::Time when;
    base::Reason reason;
    std::string detail;
  };

  void Note(const credentials::Refusal& refusal, absl::Time now);
  // It came through since.
  void Forget(absl::string_view domain);
  std::optional<Refused> LastOf(absl::string_view domain) const;

 private:
  mutable base::Mutex mu_;
  std::map<std::string, Refused, std::less<>> last_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::app

// What gateways tell each other of what they offer and ask for, over their links.
//
//   CatalogueExchange catalogues({.store = store, .given = book, .clock = clock});
//   auto sent = catalogues.For("beta.example");  // the same object while nothing changed
//   catalogues.OnReceived("beta.example", received);
//   catalogues.Upkeep();                         // every few seconds
//   auto told = catalogues.ToldBy("beta.example");
//
// The peer is told what it was given and what a rule names for it, and of nothing else: there is
// no question it could ask whose answer, or whose time, depends on anything else that is here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/manager/given_book.h"
#include "federation/manager/offers.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// Changes of what is offered are told at once that often, and then one a minute.
inline constexpr double kNewsAtOnce = 5;
// Requests that are taken of a peer at once, and then one a minute.
inline constexpr double kRequestsAtOnce = 32;

// All outlive the exchange.
struct CatalogueExchangeDeps {
  state::Store& store;
  const GivenBook& given;
  const base::Clock& clock;
};

// Thread-safe.
class CatalogueExchange {
 public:
  using CataloguePtr = std::shared_ptr<const federation::v1::Catalogue>;
  // What a peer told last, since this gateway started.
  struct Told {
    absl::Time at;
    CataloguePtr catalogue;
  };

  explicit CatalogueExchange(CatalogueExchangeDeps deps) : deps_(deps) {}

  // What `peer` is told. Never null. Does not block; cheap where nothing changed.
  CataloguePtr For(absl::string_view peer);
  // What rules name for `peer` in the policy in force.
  std::vector<NamedOffer> NamedFor(absl::string_view peer) const;

  // Takes what `peer`, authenticated, told: offers can be read at once, requests and answers are
  // looked at by Upkeep(). Does not block.
  void OnReceived(absl::string_view peer, federation::v1::Catalogue catalogue);
  std::optional<Told> ToldBy(absl::string_view peer) const;

  // Brings the requests that are held in step with what peers told, and forgets old ones. What
  // cannot be committed is logged, and tried again with the next call.
  void Upkeep();

 private:
  // So many at once, and then one a minute.
  struct Allowance {
    double left = 0;
    absl::Duration at = absl::ZeroDuration();  // monotonic
    void Refill(absl::Duration now, double most);
  };
  // What For() was made from.
  struct Basis {
    uint64_t requests = 0, policy = 0, given = 0;
    uint32_t day = 0;
    bool operator==(const Basis&) const = default;
  };
  struct Ours {
    Basis basis;
    CataloguePtr catalogue;
    Allowance news = {.left = kNewsAtOnce};
  };
  struct Theirs {
    Told told;
    bool looked_at = false;
    Allowance requests = {.left = kRequestsAtOnce};
  };

  Basis BasisNow(const state::ResourceSnapshot& resources, absl::string_view peer) const;
  void Take(const std::string& peer);
  void ForgetOthers(const state::ResourceSnapshot& resources);

  const CatalogueExchangeDeps deps_;
  mutable base::Mutex mu_;
  std::map<std::string, Ours, std::less<>> ours_ CDGATE_GUARDED_BY(mu_);
  std::map<std::string, Theirs, std::less<>> theirs_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager

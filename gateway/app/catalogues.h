// Catalogues in the running gateway: what peers were given, what they are told, and the API.
//
//   Catalogues catalogues({.data_dir = dir, .store = store, ...});
//   CDGATE_RETURN_IF_ERROR(catalogues.Open());       // before the links
//   CDGATE_RETURN_IF_ERROR(catalogues.Register(router));
//   catalogues.Upkeep();                             // every few seconds
#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "federation/manager/catalogue_exchange.h"
#include "federation/manager/given_book.h"
#include "gateway/api/catalogue_api.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/rpc/router.h"
#include "gateway/state/store.h"

namespace cdgate::app {

// All but the path outlive the Catalogues.
struct CataloguesDeps {
  std::string data_dir;
  state::Store& store;
  const base::Clock& clock;
  base::Random& random;
  base::Executor& pool;
};

// Thread-safe.
class Catalogues {
 public:
  explicit Catalogues(const CataloguesDeps& deps);

  // (disk) Errors of manager::GivenBook::Open().
  absl::Status Open() { return given_.Open(); }
  absl::Status Register(rpc::Router& router) { return api_.Register(router); }

  manager::GivenBook& given() { return given_; }
  manager::CatalogueExchange& exchange() { return exchange_; }

  // (disk) Nothing where it still runs.
  void Upkeep();
  // (disk) When nothing crosses any more, and Upkeep() does not run.
  void Shutdown();

 private:
  manager::GivenBook given_;
  manager::CatalogueExchange exchange_;
  api::CatalogueApi api_;
  std::atomic<bool> busy_{false};  // Upkeep() runs
};

}  // namespace cdgate::app

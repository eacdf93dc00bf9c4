#include "gateway/app/catalogues.h"

#include "gateway/base/file.h"

namespace cdgate::app {

Catalogues::Catalogues(const CataloguesDeps& deps)
    : given_(base::JoinPath(deps.data_dir, "given"), deps.clock),
      exchange_({.store = deps.store, .given = given_, .clock = deps.clock}),
      api_({.store = deps.store,
            .exchange = exchange_,
            .given = given_,
            .clock = deps.clock,
            .random = deps.random,
            .pool = deps.pool}) {}

void Catalogues::Upkeep() {
  if (busy_.exchange(true)) return;
  exchange_.Upkeep();
  given_.Flush();
  busy_ = false;
}

void Catalogues::Shutdown() { given_.Flush(true); }

}  // namespace cdgate::app

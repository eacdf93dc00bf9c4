// What a session does about catalogues: what it is given is told, and what it is told given on.
#include <utility>

#include "federation/session/session.h"

namespace cdgate::session {

void Session::SetCatalogue(federation::v1::Catalogue catalogue) {
  Post([this, change = link::CatalogueChanged{std::move(catalogue)}]() mutable {
    Step(std::move(change));
  });
}

void Session::Do(link::CatalogueReceived received) {
  if (callbacks_.on_catalogue) callbacks_.on_catalogue(received.catalogue);
}

}  // namespace cdgate::session

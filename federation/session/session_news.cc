// What a session does about what peers tell each other beside events: what it is given is told, and
// what it is told given on.
#include <utility>

#include "federation/session/session.h"

namespace cdgate::session {

void Session::SetTrust(federation::v1::TrustUpdate update) {
  Post([this, change = link::TrustChanged{std::move(update)}]() mutable {
    Step(std::move(change));
  });
}

void Session::SetGroups(federation::v1::Groups groups) {
  Post([this, change = link::GroupsChanged{std::move(groups)}]() mutable {
    Step(std::move(change));
  });
}

void Session::SetCatalogue(federation::v1::Catalogue catalogue) {
  Post([this, change = link::CatalogueChanged{std::move(catalogue)}]() mutable {
    Step(std::move(change));
  });
}

void Session::Do(link::TrustReceived received) {
  if (callbacks_.on_trust) callbacks_.on_trust(received.update);
}

void Session::Do(link::GroupsReceived received) {
  if (callbacks_.on_groups) callbacks_.on_groups(received.groups);
}

void Session::Do(link::CatalogueReceived received) {
  if (callbacks_.on_catalogue) callbacks_.on_catalogue(std::move(received.catalogue));
}

}  // namespace cdgate::session

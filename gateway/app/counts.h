// Counts in the running gateway: what peers ask of our events, what we ask of others', and the API.
//
//   Counts counts({.config = config, .storage = storage, ...});
//   Links::Create({.counts = counts, ...});
//   CDGATE_RETURN_IF_ERROR(counts.Register(router));
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/config/v1/config.pb.h"
#include "federation/manager/count_exchange.h"
#include "federation/session/registry_directory.h"
#include "gateway/api/count_api.h"
#include "gateway/app/attestors.h"
#include "gateway/app/storage.h"
#include "gateway/rpc/router.h"

namespace cdgate::app {

// All outlive the Counts. What asks about links is called when there are some.
struct CountsDeps {
  const config::v1::GatewayConfig& config;
  Storage& storage;
  Attestors& attestors;
  const session::PseudonymKeeper& pseudonyms;
  session::LinkFactsOf link_facts;
  std::function<bool(absl::string_view peer, federation::v1::Frame frame)> send;
  std::function<bool(absl::string_view peer)> knows_counts;
  base::Clock& clock;
  base::Random& random;
  base::TimerQueue& timers;
  base::Executor& pool;
  base::Executor& background;  // shut down, and so are the links, before the Counts go
  base::Metrics& metrics;
};

// Thread-safe.
class Counts {
 public:
  explicit Counts(const CountsDeps& deps);

  absl::Status Register(rpc::Router& router) { return api_.Register(router); }
  manager::CountExchange& exchange() { return exchange_; }

 private:
  session::RegistryDirectory directory_;
  manager::CountExchange exchange_;
  api::CountApi api_;
};

}  // namespace cdgate::app

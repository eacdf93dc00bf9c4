#include "gateway/app/counts.h"

namespace cdgate::app {

Counts::Counts(const CountsDeps& deps)
    : directory_(deps.attestors.registry()),
      exchange_({.domain = deps.config.domain(),
                 .store = deps.storage.store(),
                 .log = deps.storage.log(),
                 .keeper = deps.pseudonyms,
                 .link_facts = deps.link_facts,
                 .attestor = deps.attestors.signer(),
                 .attestors = directory_,
                 .take_attestors =
                     [&registry = deps.attestors.registry()](
                         absl::string_view peer, const federation::v1::Attestors& sent) {
                       registry.Take(peer, sent).IgnoreError();  // it is logged there
                     },
                 .send = deps.send,
                 .knows_counts = deps.knows_counts,
                 .background = deps.background,
                 .timers = deps.timers,
                 .clock = deps.clock,
                 .random = deps.random,
                 .metrics = deps.metrics}),
      api_(exchange_, deps.pool) {}

}  // namespace cdgate::app

// The one path for everything that enters: what services publish and what peers relay.
//
//   admission::Admission admission({.domain = "alpha.example", ...});
//   admission.Publish(principal, events, [](std::vector<admission::Result> results) {...});
//
//   std::vector<admission::Imported> in = admission.Import("beta.example", batch);
//
// An event is validated once (event::Admitter), its principal is asked for the right to
// publish its source and type, and it gets what the gateway adds: origin, time, salt,
// commitment, plane, classification. What comes out is ready to be proposed to the
// store; nothing later on this hop validates again.
//
// An event whose schemaUri this gateway has registered is checked against that schema and
// noted as valid or invalid (event/record.h), one whose schema it does not have as unresolved.
// The publisher's grant may have such events refused; relayed ones are only noted.
//
// Thread-safe. Both calls work in the calling thread, about 3 µs for an event of 1 KiB:
// call them on an executor, never in a reactor. Events that must keep their order are
// published from one strand.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/authz/grants.h"
#include "auth/authz/principal.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/base/types.h"
#include "gateway/event/relayed_view.h"
#include "gateway/event/valid_event.h"
#include "gateway/schema/schema_set.h"
#include "gateway/state/store.h"

namespace cdgate::admission {

// Borders an event may cross, whatever its terms say: no path of federated domains is
// longer than this without being a loop.
inline constexpr uint32_t kMaxHops = 32;

// What became of one published event; on disk where `status` is OK.
struct Result {
  base::Sequence sequence;  // the first one's of a duplicate; 0 where refused
  bool duplicate = false;
  absl::Status status;
};

// One event of a peer. Where `status` is OK, `event` is complete but for import_rule, and
// ready to be decided and proposed; otherwise it is not to be used.
struct Imported {
  state::NewEvent event;
  absl::Status status;
};

// How this domain vouches for what is published here (docs/attestation.md).
struct OriginAttestation {
  bool statements = false;  // commits are signed: events get their leaves
  bool fields = false;      // commitments are to fields
};

// All outlive the Admission.
struct AdmissionDeps {
  std::string domain;  // our own
  event::AdmitLimits limits;
  state::Store& store;
  const authz::GrantRegistry& grants;
  const schema::SchemaRegistry& schemas;
  const base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  // Asked for every call; null: neither.
  std::function<OriginAttestation()> attestation = {};
  // Told of each call that publishes, at its beginning; null: nobody.
  std::function<void()> on_publish = {};
};

class Admission {
 public:
  using Done = std::function<void(std::vector<Result>)>;

  explicit Admission(AdmissionDeps deps);
  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Publishes serialised CloudEvents. `done` runs once, with one result for each event in
  // order: in this call where none of them could be proposed, else when they are on disk
  // (state::Store says on which thread). `cloud_events` are read before this returns.
  void Publish(const authz::Principal& principal, absl::Span<const absl::string_view> cloud_events,
               Done done);

  // Validates what `peer` relayed, again and fully: form, identity, commitment and path. One
  // entry for each event in order. Reasons besides those of event::Admitter:
  // ATTESTATION_INVALID (the commitment does not fit the data), PROTOCOL_ERROR (path, hops
  // or a field out of bounds), INVALID_EVENT (accepted in the future). A copy that says what was
  // removed or replaced comes without the salt, and its commitment is taken as it is.
  // `replayed`: they were offered again, and are noted so.
  std::vector<Imported> Import(absl::string_view peer, absl::Span<const event::RelayedView> events,
                               bool replayed = false);

  // The same of our own events that `peer` gives back as it got them from us: the log lost them.
  // Whether they are ours is for the caller to prove. What comes out is an event as it was
  // published, with the time and commitment of then. Reasons as of Import; ATTESTATION_INVALID also
  // of a copy that is not all there.
  std::vector<Imported> Recover(absl::string_view peer,
                                absl::Span<const event::RelayedView> events);

 private:
  struct Worker;
  class WorkerLease;
  struct Pending;

  // The events that are admitted are in what it returns; what is wrong with the others, in
  // `pending`.
  state::Proposal AdmitAll(const authz::Principal& principal,
                           absl::Span<const absl::string_view> cloud_events, Pending& pending);
  // Answers; `outcomes` are those of the proposed events, `all` stands for those that have none.
  void Settle(const absl::Status& all, const std::vector<state::EventResult>& outcomes,
              Pending& pending);

  absl::Status AdmitPublished(const authz::Principal& principal, const authz::Grants& grants,
                              const schema::SchemaSet& schemas,
                              absl::StatusOr<event::ValidEvent>&& event, Worker& worker,
                              state::NewEvent* out) const;
  static crypto::Sha256Digest Commit(const event::ValidEvent& valid, absl::string_view salt,
                                     Worker& worker, uint32_t* notes);
  absl::Status AdmitRelayed(absl::string_view peer, const event::RelayedView& relayed,
                            const schema::SchemaSet& schemas,
                            absl::StatusOr<event::ValidEvent>&& event, bool replayed,
                            Worker& worker, state::NewEvent* out) const;
  using AdmitOne = absl::FunctionRef<absl::Status(const event::RelayedView& relayed,
                                                  absl::StatusOr<event::ValidEvent>&& event,
                                                  Worker& worker, state::NewEvent* out)>;
  std::vector<Imported> AdmitEach(absl::Span<const event::RelayedView> events, AdmitOne admit);
  absl::Status AdmitOwn(absl::string_view peer, const event::RelayedView& relayed,
                        const schema::SchemaSet& schemas, absl::StatusOr<event::ValidEvent>&& event,
                        Worker& worker, state::NewEvent* out) const;
  absl::Status CheckOwn(const event::RelayedView& relayed, absl::Time now) const;
  // Its leaf in the statement over the commit, where commits are signed.
  static void AddLeaf(Worker& worker, state::NewEvent* event);
  absl::Status CheckRelayed(absl::string_view peer, const event::RelayedView& relayed,
                            absl::Time now) const;
  void Count(const absl::Status& status);
  void CountOutcome(const Result& result);

  const AdmissionDeps deps_;
  base::Counter& accepted_;
  base::Counter& duplicates_;
  absl::flat_hash_map<base::Reason, base::Counter*> refused_;  // fixed after construction

  base::Mutex mu_;
  // Idle workers: each has a parser and its memory. At most as many as threads call.
  std::vector<std::unique_ptr<Worker>> idle_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::admission

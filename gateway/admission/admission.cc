#include "gateway/admission/admission.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/trust/spiffe_id.h"
#include "federation/attestation/origin_leaf.h"
#include "gateway/admission/committers.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/unknown_type.h"
#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"
#include "gateway/event/record.h"
#include "gateway/event/recovered.h"
#include "gateway/event/utf8.h"

namespace cdgate::admission {
namespace {

constexpr absl::Duration kMaxClockSkew = absl::Hours(1);
constexpr size_t kMaxLabelBytes = 255;
// Of what senders removed or replaced in one event.
constexpr size_t kMaxPointers = 1000;
constexpr size_t kMaxPointerBytes = 4096;

// Salts from the kernel's generator, many at a time: one system call for 256 events.
class SaltSource {
 public:
  explicit SaltSource(base::Random& random) : random_(random) {}

  absl::string_view Next() {
    if (used_ == buffer_.size()) {
      buffer_ = random_.Bytes(256 * event::kSaltBytes);
      used_ = 0;
    }
    used_ += event::kSaltBytes;
    return absl::string_view(buffer_).substr(used_ - event::kSaltBytes, event::kSaltBytes);
  }

 private:
  base::Random& random_;
  std::string buffer_;
  size_t used_ = 0;
};

// How many events are validated before the first of them is finished: enough to make digests
// side by side, few enough that all of them are still in the processor's cache.
constexpr size_t kGroup = 64;

// Calls f(first, count) for one group of `events` after the other.
template <typename F>
void ForGroups(size_t events, const F& f) {
  for (size_t first = 0; first < events; first += kGroup) {
    f(first, std::min(kGroup, events - first));
  }
}

bool AreTerms(absl::string_view bytes) {
  storage::v1::Terms terms;
  return terms.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// RFC 6901.
bool ArePointers(const std::vector<absl::string_view>& pointers) {
  return pointers.size() <= kMaxPointers &&
         std::all_of(pointers.begin(), pointers.end(), [](absl::string_view pointer) {
           return pointer.size() <= kMaxPointerBytes && absl::StartsWith(pointer, "/") &&
                  event::IsUtf8(pointer);
         });
}

state::NewEvent Finish(event::ValidEvent&& valid, const event::StoredFields& fields,
                       const state::IdentityKey& identity) {
  const auto row = state::IdentityRow::Of(
      fields.accepted_time_nanos, event::AsBytes(valid.content_digest()), fields.commitment);
  return {.stored = std::move(valid).IntoStored(fields),
          .identity = identity,
          .row = row,
          .received = !fields.received_from.empty()};
}

// What the event is noted with by the schema that it names; 0 where it names none.
uint32_t SchemaNote(const event::ValidEvent& valid, const schema::SchemaSet& schemas,
                    std::vector<schema::Fault>* faults) {
  if (valid.schema_uri().empty()) return 0;
  schema::Verdict verdict = schemas.Check(valid.schema_uri(), valid.data());
  *faults = std::move(verdict.faults);
  switch (verdict.result) {
    case schema::Verdict::kUnresolved: return event::kNoteSchemaUnresolved;
    case schema::Verdict::kValid: return event::kNoteSchemaValid;
    case schema::Verdict::kInvalid: break;
  }
  return event::kNoteSchemaInvalid;
}

absl::Status SchemaUnresolved(absl::string_view uri) {
  const std::string which =
      uri.empty()
          ? "the event has no schemaUri"
          : absl::StrCat("the event's schemaUri ", base::Shorten(uri, 200), " is not registered");
  return base::MakeError(base::Reason::kSchemaUnresolved,
                         absl::StrCat(which,
                                      ", and the publisher's grant requires one that is; "
                                      "correct it, or have an operator run cdgate schema "
                                      "add"),
                         {{"schema", base::Shorten(uri, 200)}});
}

absl::Status SchemaInvalid(absl::string_view uri, const std::vector<schema::Fault>& faults) {
  return cdevents::FaultsError(
      base::Reason::kSchemaInvalid,
      absl::StrCat("the event is not valid under ", base::Shorten(uri, 200)), {faults, 0});
}

// Refuses by the grant, else says what is to be noted.
absl::Status CheckSchema(const event::ValidEvent& valid, const schema::SchemaSet& schemas,
                         authz::SchemaCheck check, uint32_t* notes) {
  std::vector<schema::Fault> faults;
  const uint32_t note = SchemaNote(valid, schemas, &faults);
  *notes |= note;
  if (check == authz::SchemaCheck::kAnnotate || note == event::kNoteSchemaValid) {
    return absl::OkStatus();
  }
  if (note == event::kNoteSchemaInvalid) return SchemaInvalid(valid.schema_uri(), faults);
  return check == authz::SchemaCheck::kRequire ? SchemaUnresolved(valid.schema_uri())
                                               : absl::OkStatus();
}

uint32_t RelayedNotes(const event::RelayedView& relayed, bool replayed) {
  // The canonical form no longer shows what the origin saw of the outer attributes.
  uint32_t notes = relayed.notes() & (event::kNoteOuterDisagrees | event::kNoteFieldsCommitted);
  if (!relayed.withheld().empty()) notes |= event::kNoteRedacted;
  if (!relayed.substituted().empty()) notes |= event::kNotePseudonymised;
  return replayed ? notes | event::kNoteReplayed : notes;
}

absl::Status Malformed(absl::string_view what) {
  return base::MakeError(base::Reason::kProtocolError, absl::StrCat("relayed event: ", what));
}

absl::Status CheckLabels(const event::RelayedView& relayed) {
  if (relayed.plane().size() > kMaxLabelBytes || relayed.classification().size() > kMaxLabelBytes) {
    return Malformed("plane or classification is longer than 255 bytes");
  }
  const event::RelayedView::Path& path = relayed.path();
  if (!event::IsUtf8(relayed.plane()) || !event::IsUtf8(relayed.classification()) ||
      !std::all_of(path.begin(), path.end(), event::IsUtf8)) {
    return Malformed("plane, classification or path is not UTF-8");
  }
  return absl::OkStatus();
}

absl::Status CheckAccepted(const event::RelayedView& relayed, absl::Time now) {
  if (absl::FromUnixNanos(relayed.accepted_time_nanos()) <= now + kMaxClockSkew) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kInvalidEvent,
                         "its origin accepted it more than an hour in the future; compare the "
                         "clocks of both domains");
}

}  // namespace

struct Admission::Worker {
  Worker(event::AdmitLimits limits, base::Random& random) : admitter(limits), salts(random) {}
  event::Admitter admitter;
  Committers committers;
  attestation::LeafMaker leaves;
  SaltSource salts;
  absl::Time now;                 // of the call that has it
  OriginAttestation attestation;  // the same
};

// The events of one call.
struct Admission::Pending {
  std::vector<Result> results;
  std::vector<size_t> proposed;  // indexes of those that are in the proposal
  Done done;
};

// A worker for the length of one call.
class Admission::WorkerLease {
 public:
  explicit WorkerLease(Admission& owner) : owner_(owner) {
    {
      base::MutexLock lock(owner_.mu_);
      if (!owner_.idle_.empty()) {
        worker_ = std::move(owner_.idle_.back());
        owner_.idle_.pop_back();
      }
    }
    if (worker_ == nullptr) {
      worker_ = std::make_unique<Worker>(owner_.deps_.limits, owner_.deps_.random);
    }
    worker_->now = owner_.deps_.clock.Now();
    worker_->attestation =
        owner_.deps_.attestation ? owner_.deps_.attestation() : OriginAttestation();
  }
  ~WorkerLease() {
    base::MutexLock lock(owner_.mu_);
    owner_.idle_.push_back(std::move(worker_));
  }
  Worker& operator*() { return *worker_; }

 private:
  Admission& owner_;
  std::unique_ptr<Worker> worker_;
};

Admission::Admission(AdmissionDeps deps)
    : deps_(std::move(deps)),
      accepted_(deps_.metrics.AddCounter("cdgate_published_events_total",
                                         "Published events by outcome.",
                                         {{"outcome", "accepted"}})),
      duplicates_(deps_.metrics.AddCounter("cdgate_published_events_total",
                                           "Published events by outcome.",
                                           {{"outcome", "duplicate"}})) {
  for (const base::ReasonInfo& info : base::AllReasons()) {
    refused_[info.reason] = &deps_.metrics.AddCounter("cdgate_publish_refusals_total",
                                                      "Events refused at publishing, by reason.",
                                                      {{"reason", base::ReasonLabel(info.reason)}});
  }
}

Admission::~Admission() = default;

void Admission::Count(const absl::Status& status) {
  const auto reason = base::ReasonOf(status);
  refused_.at(reason.value_or(base::Reason::kInternal))->Add();
}

void Admission::CountOutcome(const Result& result) {
  if (!result.status.ok()) return Count(result.status);
  (result.duplicate ? duplicates_ : accepted_).Add();
}

absl::Status Admission::AdmitPublished(const authz::Principal& principal,
                                       const authz::Grants& grants,
                                       const schema::SchemaSet& schemas,
                                       absl::StatusOr<event::ValidEvent>&& event, Worker& worker,
                                       state::NewEvent* out) const {
  CDGATE_RETURN_IF_ERROR(event.status());
  event::ValidEvent& valid = *event;
  authz::PublishRight right;
  CDGATE_RETURN_IF_ERROR(grants.MayPublish(principal, valid.source(), valid.type(), &right));
  if ((valid.notes() & event::kNoteUnknownType) != 0 && !right.accept_unknown) {
    return cdevents::UnknownTypeError(valid.type(), absl::StrCat("in grant ", right.grant));
  }
  event::StoredFields fields;
  CDGATE_RETURN_IF_ERROR(CheckSchema(valid, schemas, right.schema_check, &fields.notes));

  const absl::string_view salt = worker.salts.Next();
  const crypto::Sha256Digest commitment = Commit(valid, salt, worker, &fields.notes);
  fields.origin = deps_.domain;
  fields.accepted_time_nanos = absl::ToUnixNanos(worker.now);
  fields.salt = salt;
  fields.commitment = event::AsBytes(commitment);
  fields.plane = right.plane;
  fields.classification = valid.classification();
  fields.publisher = principal.id;
  const auto identity = deps_.store.identities().Of(deps_.domain, valid.source(), valid.id());
  *out = Finish(std::move(valid), fields, identity);
  AddLeaf(worker, out);
  return absl::OkStatus();
}

void Admission::AddLeaf(Worker& worker, state::NewEvent* event) {
  if (!worker.attestation.statements) return;
  const event::StoredView stored = state::ViewOf(*event);
  event::CloudEventView view;
  view.AssignStored(stored.cloud_event());
  event->leaf = attestation::OriginLeafOf(stored, view, worker.leaves);
}

// To the fields where that was asked for, and the event does not have too many.
crypto::Sha256Digest Admission::Commit(const event::ValidEvent& valid, absl::string_view salt,
                                       Worker& worker, uint32_t* notes) {
  if (worker.attestation.fields) {
    event::CloudEventView view;
    view.AssignStored(valid.cloud_event());
    if (const auto commitment = worker.committers.fields.Commit(salt, view)) {
      *notes |= event::kNoteFieldsCommitted;
      return *commitment;
    }
  }
  return event::Commitment(salt, valid.content_digest(), worker.committers.hasher);
}

state::Proposal Admission::AdmitAll(const authz::Principal& principal,
                                    absl::Span<const absl::string_view> cloud_events,
                                    Pending& pending) {
  state::Proposal proposal;
  pending.results.resize(cloud_events.size());
  proposal.events.reserve(cloud_events.size());
  pending.proposed.reserve(cloud_events.size());
  const std::shared_ptr<const authz::Grants> grants = deps_.grants.Current();
  const std::shared_ptr<const schema::SchemaSet> schemas = deps_.schemas.Current();
  WorkerLease worker(*this);
  ForGroups(cloud_events.size(), [&](size_t first, size_t count) {
    auto valid = (*worker).admitter.AdmitAll(cloud_events.subspan(first, count));
    for (size_t k = 0; k < count; ++k) {
      absl::Status& status = pending.results[first + k].status;
      status = AdmitPublished(principal, *grants, *schemas, std::move(valid[k]), *worker,
                              &proposal.events.emplace_back());
      if (status.ok()) {
        pending.proposed.push_back(first + k);
      } else {
        proposal.events.pop_back();
      }
    }
  });
  return proposal;
}

void Admission::Settle(const absl::Status& all, const std::vector<state::EventResult>& outcomes,
                       Pending& pending) {
  for (size_t k = 0; k < pending.proposed.size(); ++k) {
    Result& result = pending.results[pending.proposed[k]];
    result.status = k < outcomes.size() ? outcomes[k].status : all;
    if (!result.status.ok()) continue;
    result.sequence = outcomes[k].sequence;
    result.duplicate = outcomes[k].duplicate;
  }
  for (const Result& result : pending.results) CountOutcome(result);
  pending.done(std::move(pending.results));
}

void Admission::Publish(const authz::Principal& principal,
                        absl::Span<const absl::string_view> cloud_events, Done done) {
  if (deps_.on_publish) deps_.on_publish();
  // Shared, because the store drops its callback where it refuses the proposal.
  const auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  state::Proposal proposal = AdmitAll(principal, cloud_events, *pending);
  if (proposal.events.empty()) return Settle(absl::OkStatus(), {}, *pending);
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [this, pending](state::Outcome outcome) {
        if (outcome.status.ok()) return Settle(absl::OkStatus(), outcome.events, *pending);
        Settle(outcome.status, {}, *pending);
      });
  if (!queued.ok()) Settle(queued, {}, *pending);
}

absl::Status Admission::CheckRelayed(absl::string_view peer, const event::RelayedView& relayed,
                                     absl::Time now) const {
  if (!trust::ValidTrustDomain(relayed.origin())) return Malformed("origin is not a domain");
  const event::RelayedView::Path& path = relayed.path();
  const size_t hops = path.size();
  if (hops == 0 || relayed.hops() != hops || relayed.hops() > kMaxHops) {
    return Malformed(absl::StrCat("hops ", relayed.hops(), " with a path of ", hops,
                                  "; they must agree and be at most ", kMaxHops));
  }
  if (path.front() != relayed.origin() || path.back() != peer) {
    return Malformed("its path does not lead from its origin to the sender");
  }
  if (std::find(path.begin(), path.end(), deps_.domain) != path.end()) {
    return Malformed("its path leads through this domain already");
  }
  CDGATE_RETURN_IF_ERROR(CheckLabels(relayed));
  if (relayed.has_terms() && !AreTerms(relayed.terms())) return Malformed("its terms are none");
  if (!ArePointers(relayed.withheld()) || !ArePointers(relayed.substituted())) {
    return Malformed("what it says was removed or replaced are no JSON Pointers, or too many");
  }
  return CheckAccepted(relayed, now);
}

absl::Status Admission::AdmitRelayed(absl::string_view peer, const event::RelayedView& relayed,
                                     const schema::SchemaSet& schemas,
                                     absl::StatusOr<event::ValidEvent>&& event, bool replayed,
                                     Worker& worker, state::NewEvent* out) const {
  CDGATE_RETURN_IF_ERROR(event.status());
  event::ValidEvent& valid = *event;
  CDGATE_RETURN_IF_ERROR(CheckRelayed(peer, relayed, worker.now));
  CDGATE_RETURN_IF_ERROR(CheckCommitment(relayed, valid, worker.committers));
  const auto identity = deps_.store.identities().Of(relayed.origin(), valid.source(), valid.id());
  event::StoredFields fields;
  fields.origin = relayed.origin();
  fields.accepted_time_nanos = relayed.accepted_time_nanos();
  fields.salt = relayed.salt();
  fields.commitment = relayed.commitment();
  fields.plane = relayed.plane();
  fields.classification = relayed.classification();
  fields.hops = relayed.hops();
  fields.path = relayed.path();
  fields.has_terms = relayed.has_terms();
  fields.terms = relayed.terms();
  fields.statements = relayed.statements();
  fields.received_from = peer;
  fields.withheld = relayed.withheld();
  fields.substituted = relayed.substituted();
  fields.field_proof = relayed.field_proof();
  fields.notes = RelayedNotes(relayed, replayed);
  // What other gateways noted of the schema says nothing of ours.
  std::vector<schema::Fault> faults;
  fields.notes |= SchemaNote(valid, schemas, &faults);
  *out = Finish(std::move(valid), fields, identity);
  return absl::OkStatus();
}

// As we sent it: of what else it says of its way nothing is taken.
absl::Status Admission::CheckOwn(const event::RelayedView& relayed, absl::Time now) const {
  const bool direct = relayed.path().size() == 1 && relayed.path().front() == deps_.domain;
  if (relayed.origin() != deps_.domain || !direct) return Malformed("it did not come from us");
  if (relayed.salt().size() != event::kSaltBytes) {
    return base::MakeError(base::Reason::kAttestationInvalid,
                           "relayed event: it is not all there, as it was altered before it left");
  }
  CDGATE_RETURN_IF_ERROR(CheckLabels(relayed));
  return CheckAccepted(relayed, now);
}

absl::Status Admission::AdmitOwn(absl::string_view peer, const event::RelayedView& relayed,
                                 const schema::SchemaSet& schemas,
                                 absl::StatusOr<event::ValidEvent>&& event, Worker& worker,
                                 state::NewEvent* out) const {
  CDGATE_RETURN_IF_ERROR(event.status());
  event::ValidEvent& valid = *event;
  CDGATE_RETURN_IF_ERROR(CheckOwn(relayed, worker.now));
  CDGATE_RETURN_IF_ERROR(CheckCommitment(relayed, valid, worker.committers));
  const auto identity = deps_.store.identities().Of(deps_.domain, valid.source(), valid.id());
  const std::string publisher = event::RecoveredFrom(peer);
  event::StoredFields fields;
  fields.origin = relayed.origin();
  fields.accepted_time_nanos = relayed.accepted_time_nanos();
  fields.salt = relayed.salt();
  fields.commitment = relayed.commitment();
  fields.plane = relayed.plane();
  fields.classification = relayed.classification();
  fields.publisher = publisher;
  fields.notes = RelayedNotes(relayed, /*replayed=*/false);
  std::vector<schema::Fault> faults;
  fields.notes |= SchemaNote(valid, schemas, &faults);
  *out = Finish(std::move(valid), fields, identity);
  AddLeaf(worker, out);
  return absl::OkStatus();
}

std::vector<Imported> Admission::AdmitEach(absl::Span<const event::RelayedView> events,
                                           AdmitOne admit) {
  std::vector<Imported> imported(events.size());
  WorkerLease worker(*this);
  ForGroups(events.size(), [&](size_t first, size_t count) {
    std::vector<absl::string_view> cloud_events;
    cloud_events.reserve(count);
    for (size_t k = 0; k < count; ++k) cloud_events.push_back(events[first + k].cloud_event());
    auto valid = (*worker).admitter.AdmitAll(cloud_events);
    for (size_t k = 0; k < count; ++k) {
      Imported& in = imported[first + k];
      in.status = admit(events[first + k], std::move(valid[k]), *worker, &in.event);
    }
  });
  return imported;
}

std::vector<Imported> Admission::Import(absl::string_view peer,
                                        absl::Span<const event::RelayedView> events,
                                        bool replayed) {
  const std::shared_ptr<const schema::SchemaSet> schemas = deps_.schemas.Current();
  return AdmitEach(events, [&](const event::RelayedView& relayed, auto&& event, Worker& worker,
                               state::NewEvent* out) {
    return AdmitRelayed(peer, relayed, *schemas, std::move(event), replayed, worker, out);
  });
}

std::vector<Imported> Admission::Recover(absl::string_view peer,
                                         absl::Span<const event::RelayedView> events) {
  const std::shared_ptr<const schema::SchemaSet> schemas = deps_.schemas.Current();
  return AdmitEach(events, [&](const event::RelayedView& relayed, auto&& event, Worker& worker,
                               state::NewEvent* out) {
    return AdmitOwn(peer, relayed, *schemas, std::move(event), worker, out);
  });
}

}  // namespace cdgate::admission

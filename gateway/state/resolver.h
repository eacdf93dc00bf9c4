// Decides proposals against the fold and against each other, and makes one commit record
// of what is taken.
//
//   Resolver resolver(fold, options);
//   CDGATE_RETURN_IF_ERROR(resolver.Resolve(batch, {.head = head, .now = now}));
//   if (!resolver.empty()) Commit(resolver.TakeRecord(), resolver.events());
//
// For one thread. No I/O but lookups in the fold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/crypto/digest.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/fold.h"
#include "gateway/state/identity.h"
#include "gateway/state/pending.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

struct ResolverOptions {
  absl::Duration dedup_horizon;
  // False: other bytes of a published event are another event.
  bool can_compare = false;
};

struct ResolveContext {
  eventlog::Head head = {};
  absl::Time now = {};
  bool disk_full = false;
};

class Resolver {
 public:
  Resolver(const Fold& fold, ResolverOptions options) : fold_(fold), options_(options) {}

  // Fills the outcome of every proposal, except of those that get something to_compare.
  // Forgets the batch before. An error is the fold's: nothing was decided.
  absl::Status Resolve(absl::Span<const PendingPtr> batch, const ResolveContext& context);

  // True where nothing has to be committed.
  bool empty() const;
  // What was taken: everything but the events, and these, as long as the batch.
  storage::v1::CommitRecord TakeRecord() { return std::move(record_); }
  std::vector<event::CommitEvent> events() const;
  // Of the events published here, in order; empty where one of them has none.
  absl::Span<const crypto::Sha256Digest> leaves() const {
    return leaves_.size() == published_ ? absl::MakeConstSpan(leaves_)
                                        : absl::Span<const crypto::Sha256Digest>();
  }
  // What the index keeps of the events.
  const std::vector<IdentityEntry>& identities() const { return identities_; }

 private:
  struct Version {
    uint64_t number = 0;
    bool exists = false;
  };
  using Rows = absl::Span<const std::optional<IdentityRow>>;

  void Begin(const ResolveContext& context);
  absl::Status FindIdentities(absl::Span<const PendingPtr> batch);
  void ResolveOne(Rows rows, Pending* pending);
  absl::Status CheckPreconditions(const Proposal& proposal);
  Version VersionOf(const std::string& kind, const std::string& name) const;
  uint64_t PositionOf(const std::string& reader) const;

  void DecideEvents(Rows rows, Pending* pending);
  EventResult DecideEvent(size_t index, const std::optional<IdentityRow>& stored, Pending* pending);
  EventResult DecideAgain(size_t index, const IdentityRow& first, Pending* pending);
  Comparison ComparisonWith(const IdentityRow& first, size_t index) const;
  void UndoEvents(const Pending& pending);

  void Take(Pending* pending);
  void TakeEvents(Pending* pending);
  void TakeEvent(base::Sequence sequence, const event::Record* read, NewEvent* event);
  void QuarantineReceived(const event::StoredView& stored, const absl::Status& why);
  void TakeCursors(Pending* pending);
  void TakeResources(Pending* pending);

  const Fold& fold_;
  const ResolverOptions options_;

  ResolveContext context_;
  base::Sequence next_ = {};
  // Of the proposal that is being decided: its first sequence, and which event has it and
  // each one after it.
  base::Sequence own_first_ = {};
  std::vector<size_t> own_events_;
  storage::v1::CommitRecord record_;
  std::vector<event::OwnedBytes> events_;   // serialised StoredEvents
  std::vector<const event::Record*> read_;  // what was read of each; null: nothing
  std::vector<IdentityEntry> identities_;
  size_t published_ = 0;
  std::vector<crypto::Sha256Digest> leaves_;
  std::vector<IdentityKey> keys_;                 // of the batch's events, in order
  std::vector<std::optional<IdentityRow>> rows_;  // theirs in the fold
  // What the batch has taken so far.
  absl::flat_hash_map<IdentityKey, IdentityRow> new_identities_;
  absl::flat_hash_map<std::string, Version> new_versions_;
  absl::flat_hash_map<std::string, uint64_t> new_positions_;
};

}  // namespace cdgate::state

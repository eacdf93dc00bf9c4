// What a link is made of: the bounds of the protocol and one link's configuration.
// docs/link_protocol.md explains them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/link/batch_signer.h"
#include "federation/link/token.h"
#include "gateway/base/errors.h"
#include "gateway/base/types.h"

namespace cdgate::link {

inline constexpr uint32_t kProtocolVersion = 1;
// Every gateway takes frames of this size.
inline constexpr uint32_t kLeastMaxFrameBytes = 64 * 1024;
// Batches of several events aim at this where the receiver takes it, or at so many events: what a
// frame and its signature cost is spread over them, a heartbeat never waits long behind one, and
// the tree over them has no leaves that stand for none.
inline constexpr uint32_t kFullFrameBytes = 768 * 1024;
inline constexpr uint64_t kFullBatchEvents = 512;
// What a Batch frame holds besides its events, at most.
inline constexpr size_t kBatchOverheadBytes = 512;
inline constexpr size_t kMaxBatchEvents = 4096;
// Heartbeats have this size, always.
inline constexpr size_t kHeartbeatFrameBytes = 512;
inline constexpr int kMissedHeartbeats = 3;
inline constexpr absl::Duration kLeastHeartbeat = absl::Seconds(1);
inline constexpr absl::Duration kGreatestHeartbeat = absl::Seconds(60);
inline constexpr uint64_t kHorizonStep = 4096;
inline constexpr size_t kMaxTokenBytes = 256;
inline constexpr size_t kMaxLinkEpochBytes = 64;
inline constexpr size_t kMaxNameBytes = 255;
inline constexpr int kMaxCapabilities = 64;
// Events on disk that an Ack is sent for at once, also where more are about to be.
inline constexpr uint64_t kMostUnacknowledged = 64;
// An Ack names at most as many refusals as fit in this.
inline constexpr size_t kMaxAckBytes = 48 * 1024;
// How long a GoAway may take to leave before the stream is cut.
inline constexpr absl::Duration kCloseGrace = absl::Milliseconds(500);
// How long a draining link waits for what is on its way.
inline constexpr absl::Duration kLinger = absl::Seconds(2);
// A token that only counts withheld events is committed this often.
inline constexpr absl::Duration kTokenCommitInterval = absl::Seconds(60);
// Bounds of a Groups frame; a receiver that takes smaller frames gets fewer groups.
inline constexpr int kMaxGroups = 64;
inline constexpr size_t kMaxGroupsBytes = 256 * 1024;
// Bounds of an Attestors frame; what does not fit goes into the next.
inline constexpr int kMaxAttestors = 64;
inline constexpr size_t kMaxAttestorsBytes = 64 * 1024 - 64;
// Bounds of a Catalogue frame; a receiver that takes smaller frames is told of fewer offers, and of
// all requests and answers.
inline constexpr size_t kMaxCatalogueBytes = 1 << 20;
inline constexpr int kMaxOffers = 10'000;
inline constexpr int kMaxAccessRequests = 32;
// Bound of CountRequest and CountAnswer frames, and how many of each wait to be sent: what is more
// is left out, and whoever asked asks again.
inline constexpr size_t kMaxCountBytes = 64 * 1024;
inline constexpr size_t kMaxCountsWaiting = 16;
// Bound of a TrustUpdate frame; one that the peer does not take is not sent.
inline constexpr size_t kMaxTrustBytes = 256 * 1024;

// Capabilities: what is sent only where both Hellos name it.
inline constexpr char kGroupsCapability[] = "groups";        // Groups frames
inline constexpr char kTrustCapability[] = "trust";          // TrustUpdate frames
inline constexpr char kReplayCapability[] = "replay";        // Batch.replay
inline constexpr char kCatalogueCapability[] = "catalogue";  // Catalogue frames
inline constexpr char kCountsCapability[] = "counts";        // CountRequest and CountAnswer frames
// Attestors frames, Batch.export_statement, Resume.digest and Heartbeat.receipt
inline constexpr char kStatementsCapability[] = "statements";

// Events a second on average, and at once. 0 a second: no limit; 0 at once: as many
// as in one second.
struct Rate {
  uint32_t events_per_second = 0;
  uint32_t burst = 0;

  bool operator==(const Rate&) const = default;
};

// Why a stream is refused before anything is said on it.
struct Refuse {
  base::Reason reason = base::Reason::kNoAgreement;
  std::string message;
  absl::Duration retry_after;  // zero: by the other side's own backoff
};

// Where we stand as the receiver; all empty: nowhere yet.
struct ImportCursor {
  base::Position position = {};
  std::string token = {};
  std::string link_epoch = {};
  std::string digest = {};  // rolling, of what the sender signed; empty: nothing

  bool operator==(const ImportCursor&) const = default;
};

// Past events that are offered again, behind newer ones.
struct ReplayJob {
  uint64_t number = 0;  // not 0; a greater one for each later job of the peer
  base::Sequence first;
  base::Sequence last;
  // Where not empty: just these of the range, ascending.
  std::vector<base::Sequence> sequences;
};

struct Paces;

// A life of our log that is over, and its last sequence that our log has; 0: none.
struct EarlierEpoch {
  base::Epoch epoch;
  base::Sequence last;
};

struct LinkConfig {
  // --- who we are and whom we talk to
  std::string domain;
  std::string instance;
  std::string software;
  std::string peer;  // the authenticated domain at the other end
  std::string agreement_id;
  std::vector<std::string> capabilities;
  uint32_t min_version = kProtocolVersion;
  uint32_t max_version = kProtocolVersion;
  // Largest frame we take; at least kLeastMaxFrameBytes.
  uint32_t max_frame_bytes = 1 << 20;
  absl::Duration heartbeat = absl::Seconds(5);
  // Set: the link says this and ends.
  std::optional<Refuse> refuse;
  // What the peer is asked to wait for where the link ends by its own fault (offence.h); zero: it
  // is not.
  absl::Duration retry_after_offence;
  // What is left of both rates; goes over from one link with the peer to the next. Not owned;
  // outlives the link, and no other uses it meanwhile. Null: each link begins with a burst.
  Paces* paces = nullptr;

  // --- our log, for what we send
  base::Epoch log_epoch;
  // The newest first.
  std::vector<EarlierEpoch> earlier_epochs;
  // The newest sequence when the link was made; moves with HeadMoved.
  base::Sequence head;
  // First sequence that the agreement covers: nothing older is sent.
  base::Sequence agreed_sequence;
  // Through which sequence the ledger on disk says that events may have been sent.
  base::Sequence horizon;
  // What the ledger on disk says decided what was sent last, and from which sequence on; none:
  // nothing was sent.
  std::optional<storage::v1::PolicyEpoch> sent_epoch;
  base::Sequence sent_epoch_first;
  // Through which sequence the ledger on disk holds acknowledged rows. Nothing at or before
  // it is recorded again, whatever the receiver asks for again: the first outcome stands.
  base::Sequence acknowledged;
  // Names the positions of a receiver that begins from nothing; random, never reused.
  std::string fresh_link_epoch;
  // Not owned; outlives the link.
  const TokenSealer* sealer = nullptr;
  // Not owned; outlives the link. Null: nothing is signed.
  BatchSigner* signer = nullptr;
  // The last receipt of the peer on disk; none: there is none.
  std::optional<federation::v1::Receipt> receipt;
  std::string receipt_epoch;  // the link epoch that its position counts in
  storage::v1::PolicyEpoch policy_epoch;
  Rate export_rate;
  // Nothing is sent for now: see ExportsHeld.
  bool exports_held = false;
  // What is to be offered again, and through which of its sequences the ledger on disk
  // accounts for it; 0: nothing yet.
  std::optional<ReplayJob> replay;
  base::Sequence replay_through;
  // Bounds what the link remembers of events sent and not acknowledged, whatever credit
  // the receiver gives.
  uint64_t max_unacknowledged = 1 << 16;

  // --- what we receive
  ImportCursor import_cursor;
  federation::v1::Interest interest;
  Rate import_rate;
  // What may be on its way or waiting to be committed here. Not 0.
  uint64_t window_events = 16384;
  uint64_t window_bytes = 8 << 20;
};

}  // namespace cdgate::link

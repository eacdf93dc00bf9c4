// The protocol between two gateways, as a pure state machine: inputs in, outputs out, no
// I/O, clock, thread or randomness inside. The same inputs give the same outputs.
// docs/link_protocol.md has the states, the order of frames and examples.
//
//   link::Link link(config);
//   for (link::Output& o : link.Step(link::StreamOpened{}, now)) Do(std::move(o));
//   for (link::Output& o : link.Step(link::FrameReceived{frame, bytes}, now)) ...
//
// One Link is one established stream, either way dialled; a reconnect makes a new one
// from what is on disk: the import cursor, the ledger's horizon and acknowledged
// sequence. So nothing that a link remembers needs to survive it.
//
// It holds two halves, Exporter (our events to the peer) and Importer (the peer's to
// us), and keeps between them what both share: the handshake, the order of frames,
// heartbeats, the one frame being written, and the end.
//
// Invariants, whatever comes in:
// - Memory is bounded by the configuration: three undispatched blocks of at most
//   one frame each, max_unacknowledged sequences, one window of received events.
// - Exactly one CloseStream, with a registered reason; nothing after it.
// - At most one SendFrame without its Written, one current NeedEvents without its Decided,
//   one current NeedReplay without its ReplayDecided.
// - No Batch before the horizon row that covers it; no Ack before the commit it reports.
//
// Not thread-safe; movable. `now` never decreases from call to call: drive it from a
// monotonic clock (its absolute value has no meaning here).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "federation/link/config.h"
#include "federation/link/exporter.h"
#include "federation/link/handshake.h"
#include "federation/link/importer.h"
#include "federation/link/messages.h"

namespace cdgate::link {

class Link {
 public:
  explicit Link(LinkConfig config);

  Outputs Step(Input input, absl::Time now);

  State state() const { return state_; }
  // A frame is being written, and its Written is for now: something else is to be sent or done
  // then. Otherwise it may come as late as right before the next input.
  bool awaits_written() const { return awaits_written_; }
  // What the Hellos agreed on; empty before.
  const Agreed& agreed() const { return agreed_; }
  bool BothKnow(absl::string_view capability) const;
  // For status and metrics.
  const Exporter& exporter() const { return exporter_; }
  const Importer& importer() const { return importer_; }

 private:
  // One for each input.
  void On(StreamOpened);
  void On(FrameReceived received);
  void On(FrameMalformed);
  void On(StreamClosed closed);
  void On(Written);
  void On(Tick) {}
  void On(HeadMoved head) { exporter_.OnHeadMoved(head); }
  void On(Decided decided) { exporter_.OnDecided(std::move(decided)); }
  void On(ReplayDecided decided) { exporter_.OnReplayDecided(std::move(decided)); }
  void On(PlaceChecked checked);
  void On(HorizonWritten written) { exporter_.OnHorizonWritten(written.through); }
  void On(Committed committed) { importer_.OnCommitted(std::move(committed)); }
  void On(PolicyChanged change) { exporter_.OnPolicyChanged(change); }
  void On(ExportsHeld change);
  void On(ReplayChanged change) { exporter_.OnReplayChanged(change); }
  void On(GroupsChanged change);
  void On(TrustChanged change);
  void On(CatalogueChanged change) { catalogue_ = std::move(change.catalogue); }
  void On(SendCount send);
  void On(InterestChanged change);
  void On(Drain drain);
  void On(End end);

  absl::Status OnFrame(FrameReceived received);
  absl::Status OnBatch(FrameReceived received);
  absl::Status OnGroups(const federation::v1::Groups& groups, size_t wire_bytes);
  absl::Status OnTrust(const federation::v1::TrustUpdate& update, size_t wire_bytes);
  absl::Status OnCatalogue(federation::v1::Catalogue catalogue, size_t wire_bytes);
  absl::Status OnCount(const federation::v1::Frame& frame, size_t wire_bytes);
  absl::Status OnAttestors(const federation::v1::Attestors& attestors, size_t wire_bytes);
  bool AttestorsDue();
  bool TrustDue() const;
  federation::v1::Attestors TakeAttestors();
  absl::Status OnHeartbeat(const federation::v1::Heartbeat& heartbeat);
  absl::Status OnHello(const federation::v1::Hello& hello);
  void OnGoAway(const federation::v1::GoAway& go_away);

  void SetState(State to);
  void CheckTimes();
  void CheckEstablished();
  void CheckDrained();
  void SendNext();
  bool FrameDue();
  bool NextControlFrame(federation::v1::Frame* frame);
  bool HeartbeatDue() const;
  void Send(SendFrame send);
  void ArmTimer();
  void StartDraining();
  // Says why in a GoAway, if it still can, and ends.
  void Fail(const absl::Status& why);
  void Finish(CloseStream close);
  bool alive() const { return state_ > State::kIdle && state_ < State::kClosing; }
  bool greeted() const { return state_ > State::kHandshake && state_ < State::kClosing; }

  LinkConfig config_;
  Exporter exporter_;
  Importer importer_;
  Agreed agreed_;
  State state_ = State::kIdle;
  absl::Time now_ = absl::InfinitePast();
  Outputs* out_ = nullptr;  // during Step()

  bool writing_ = false;  // a SendFrame waits for its Written
  bool awaits_written_ = false;
  bool hello_due_ = false;
  bool interest_due_ = false;
  std::optional<federation::v1::Groups> groups_;        // not sent yet
  std::optional<federation::v1::TrustUpdate> trust_;    // the same
  std::optional<federation::v1::Catalogue> catalogue_;  // the same
  federation::v1::Attestors attestors_;                 // the same
  std::deque<federation::v1::Frame> counts_;            // the same, in order
  bool resume_due_ = false;
  bool go_away_due_ = false;
  bool go_away_writing_ = false;
  bool peer_exports_stopped_ = false;
  CloseStream end_;  // what the GoAway says, then CloseStream

  absl::Time opened_at_, heard_at_, heartbeat_at_, deadline_ = absl::InfiniteFuture();
  absl::Time armed_ = absl::InfiniteFuture();
};

// "up"
absl::string_view StateName(State state);

}  // namespace cdgate::link

// One link in operation: drives link::Link over a stream, either way dialled.
//
//   auto session = Session::Start(deps, options, stream, {.on_up = ..., .on_done = ...});
//   session->RefreshPolicy();              // it may have changed
//   session->End(Reason::kFrozen, "frozen by an operator");
//
// Everything of a session runs on one strand, off the reactors: reading the log,
// deciding, admitting, proposing. The state machine says what to do; the session does it
// and reports back. At most one frame is being written and kReadAhead are taken from the
// stream before they are worked on; beyond, the transport holds the peer back.
//
// Thread-safe. Hold it by shared_ptr until on_done has run: then nothing of it is on its
// way to disk any more, and the peer's next session may begin. A thread of the stream may hold
// it for a moment longer: what SessionDeps names must live until SessionOptions::lease is
// given back.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/link/link.h"
#include "federation/session/export_reader.h"
#include "federation/session/import_writer.h"
#include "federation/session/ledger_writer.h"
#include "federation/session/peer_metrics.h"
#include "federation/session/policy_watch.h"
#include "federation/session/replay_decider.h"
#include "federation/session/replay_queue.h"
#include "federation/session/replay_reader.h"
#include "federation/session/session_types.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/frame_stream.h"
#include "gateway/rpc/frame_write.h"

namespace cdgate::session {

// Frames taken from the stream and not worked on yet, at most.
inline constexpr int kReadAhead = 4;
// How long a stream that was closed may stay before it is cut.
inline constexpr absl::Duration kCutAfter = absl::Milliseconds(400);

struct SessionOptions {
  // The agreement. Its state was judged by whoever starts the session.
  admin::v1::Peer peer;
  bool dialled = false;
  // Set: the stream is refused with this (pending, frozen, expired, draining).
  std::optional<link::Refuse> refuse;
  // The peer did not take our last token: begin from nothing.
  bool begin_anew = false;
  // As LinkConfig has them.
  absl::Duration retry_after_offence;
  std::shared_ptr<link::Paces> paces;
  absl::Duration heartbeat = absl::Seconds(5);
  uint32_t max_frame_bytes = 2 << 20;
  // Given back when the session is no more, on whichever thread had it last. May be null.
  std::shared_ptr<void> lease;
};

// Through which sequence of our log the peer has everything, as it is on disk: for peers
// without a session. Not before what the agreement begins behind.
base::Sequence AcknowledgedThrough(const state::Store& store, const admin::v1::Peer& peer);

// Where a session is.
struct SessionStatus {
  link::State state = link::State::kIdle;
  base::Position sent{}, acknowledged{}, received{}, committed{};
  base::Sequence sent_through{}, acknowledged_through{};
  absl::Time peer_caught_up = absl::InfinitePast();
  absl::Duration heard_at{};  // Clock::Monotonic() of the last frame
  bool paused_by_peer = false;
  bool exports_held = false;          // by our own operator
  bool peer_exports_stopped = false;  // the peer says so of its own
  absl::Status import_stall;          // why imports wait; OK: they do not
  bool counts = false;                // both sides know of counts
  InterestPtr interest;               // what the peer showed; null: nothing
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  struct Callbacks {
    // The link carries events. At most once.
    std::function<void()> on_up;
    // The peer told which groups we are members of; nothing of it is verified. Empty: nobody
    // wants to know. On the session's strand, before on_end.
    std::function<void(const federation::v1::Groups&)> on_groups = {};
    // The peer told how its domain is to be trusted; nothing of it is verified. Empty: nobody
    // listens.
    std::function<void(const federation::v1::TrustUpdate&)> on_trust = {};
    // The peer sent certificates of attestors; nothing of them is verified. Empty: they are not
    // taken. On the session's strand, before what they signed is looked at.
    std::function<void(const federation::v1::Attestors&)> on_attestors = {};
    // The peer told what it offers and asks for; nothing of it is judged. Empty: nobody listens.
    std::function<void(federation::v1::Catalogue)> on_catalogue = {};
    // The peer asks for a count, or answers; nothing of it is verified. Empty: the peer is told
    // that we know nothing of counts.
    std::function<void(const federation::v1::CountRequest&)> on_count_request = {};
    std::function<void(const federation::v1::CountAnswer&)> on_count_answer = {};
    // The link is over; nothing crosses any more. Once, before on_done.
    std::function<void(const link::CloseStream&)> on_end;
    // The session is over, nothing of it is left anywhere. Once, last.
    std::function<void()> on_done;
  };

  // Reads where the peer is from the store and starts the stream. Callbacks run on the
  // session's strand, or, where the executor refuses work, on the thread that found out.
  static std::shared_ptr<Session> Start(const SessionDeps& deps, SessionOptions options,
                                        const PeerMetrics& metrics, rpc::FrameStreamPtr stream,
                                        Callbacks callbacks);
  ~Session();

  // Our policy for the peer, the jobs that offer it past events, or the switch of all exports may
  // have changed. Each event is
  // decided by the one in force in any case; this makes a change take effect on what is decided and
  // not sent, and on what the peer is shown.
  void RefreshPolicy();
  // The groups of our domain that the peer is a member of; replaces those before. It is told
  // where it knows of groups: at most link::kMaxGroups, as many as one frame holds.
  void SetGroups(federation::v1::Groups groups);
  // How our domain is to be trusted; replaces what was given before. The peer is told where it
  // knows of that and takes a frame of that size.
  void SetTrust(federation::v1::TrustUpdate update);
  // What we offer the peer and ask of it; replaces what was given before. The peer is told where
  // it knows of catalogues.
  void SetCatalogue(federation::v1::Catalogue catalogue);
  // Tells the peer this, a count_request or a count_answer, where it knows of counts and not more
  // than link::kMaxCountsWaiting wait.
  void SendCount(federation::v1::Frame frame);
  // Ends in order: what is on its way arrives, at most link::kLinger.
  void Drain(std::string message = link::Drain{}.message);
  // Ends at once, saying why: nothing more crosses.
  void End(base::Reason reason, std::string message,
           absl::Duration retry_after = absl::ZeroDuration());

  SessionStatus status() const;

 private:
  Session(const SessionDeps& deps, SessionOptions options, const PeerMetrics& metrics,
          rpc::FrameStreamPtr stream, Callbacks callbacks);

  void Begin();
  void MakeParts();
  void MakeReplayParts(const Poster& post, const Failed& failed);
  void StartStream();
  link::LinkConfig MakeConfig();
  void ConfigureExports(link::LinkConfig* config);
  void ConfigureLedger(link::LinkConfig* config) const;
  void ConfigureImports(link::LinkConfig* config) const;
  std::vector<link::EarlierEpoch> EarlierEpochs() const;
  // Brings all parts in step with the policy in force; true where that is another.
  bool TakePolicy();
  void TakeJobs();
  void TakeExportStop();

  // Runs `task` on the strand; Abandon() where there is none any more.
  void Post(base::Task task);
  void Abandon();

  void OnMessage(grpc::ByteBuffer bytes);
  void Receive(const grpc::ByteBuffer& bytes);
  void OnClosed(const absl::Status& why);

  // Steps the link with `input` and with all that follows from it.
  void Step(link::Input input) {
    inputs_.push_back(std::move(input));
    StepAll();
  }
  void StepAll();
  std::optional<link::Input> NextInput();
  absl::Time LinkTime() const;
  link::HeadMoved HeadNow() const;

  void Do(link::SendFrame send);
  void Do(link::NeedEvents need) { exporter_->Ask(need); }
  void Do(link::NeedReplay need) { replayer_->Ask(need); }
  void Do(link::CheckPlace check);
  void Do(link::PeerIsAhead ahead);
  void Do(link::WriteHorizon write) { ledger_->WriteHorizon(std::move(write.row)); }
  void Do(link::CommitImport import) { importer_->Import(std::move(import)); }
  void Do(link::MoveCursor move) { importer_->MoveCursor(std::move(move.cursor)); }
  void Do(link::RecordLedger record);
  void Do(link::RecordReplay record);
  void Do(link::ReplayDone done);
  void Do(link::GroupsReceived received);
  void Do(link::TrustReceived received);
  void Do(link::AttestorsReceived received);
  void Do(link::CatalogueReceived received);
  void Do(link::CountAsked asked);
  void Do(link::CountAnswered answered);
  void Do(link::ReceiptReceived received);
  void Do(link::HistoryDisputed disputed);
  void AddReceipt(federation::v1::Frame* frame);
  void Do(link::InterestReceived received);
  void Do(link::PeerCaughtUp caught_up) { peer_caught_up_ = caught_up.as_of; }
  void Do(link::PeerExports exports);
  void Do(link::SetTimer timer);
  void Do(link::StateChanged changed);
  void Do(link::CloseStream close);

  void CountRefusals(const std::vector<storage::v1::LedgerRow>& rows) const;
  void Fail(const absl::Status& why);
  void PublishStatus();
  void FinishIfDone();

  const SessionDeps& deps_;
  const SessionOptions options_;
  const std::string peer_;
  const PeerMetrics metrics_;
  const rpc::FrameStreamPtr stream_;
  const std::shared_ptr<base::Strand> strand_;
  std::atomic<int> reading_{0};  // frames between on_message and Receive()
  std::atomic<bool> abandoned_{false};

  // --- on the strand
  Callbacks callbacks_;
  PolicyWatch policy_;
  const link::ImportCursor cursor_;    // as on disk at the beginning
  const base::Sequence acknowledged_;  // as in the ledger at the beginning
  // Made by Begin(), in this order.
  std::optional<ExportSigner> signer_;
  std::optional<LedgerWriter> ledger_;
  GivenNotes given_;     // by what is new
  GivenNotes replayed_;  // by what is offered again
  std::optional<ExportReader> exporter_;
  std::optional<ImportWriter> importer_;
  std::optional<ReplayQueue> jobs_;
  std::optional<ReplayDecider> decider_;
  std::optional<ReplayReader> replayer_;
  std::optional<link::Link> link_;
  rpc::FrameWrite write_;
  std::deque<link::Input> inputs_;  // while stepping_
  bool stepping_ = false;
  bool ended_ = false;  // CloseStream was given out
  bool stream_closed_ = false;
  bool done_ = false;
  absl::Time peer_caught_up_ = absl::InfinitePast();
  bool peer_exports_stopped_ = false;
  absl::Duration heard_at_;
  InterestPtr interest_;
  base::TimerQueue::Id timer_ = 0;
  base::TimerQueue::Id cut_timer_ = 0;
  base::Position receipt_given_{};

  mutable base::Mutex mu_;
  SessionStatus status_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::session

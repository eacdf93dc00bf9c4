// What goes into a Link and what comes out of it. Each input and output says who owes
// what to whom; together they are the contract between the state machine and whoever
// drives it (federation/session, or a test).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/link/batch_signer.h"
#include "federation/link/config.h"
#include "gateway/base/errors.h"
#include "gateway/base/types.h"
#include "gateway/event/relayed_view.h"

namespace cdgate::link {

// ---------------------------------------------------------------- inputs

// The stream to the peer is open and authenticated. First, once.
struct StreamOpened {};

// Events of a Batch as they came, and the memory that they are in.
struct RelayedEvents {
  std::vector<event::RelayedView> views;
  std::shared_ptr<const void> memory;

  size_t size() const { return views.size(); }
};

// One frame came; codec.h makes it. A Batch has its events beside it, not in it.
struct FrameReceived {
  federation::v1::Frame frame;
  RelayedEvents events;
  size_t wire_bytes = 0;  // its size as it travelled
};

// Bytes came that are no frame.
struct FrameMalformed {};

// The stream is over. At most once; the link ends with it.
struct StreamClosed {
  absl::Status why;
};

// The frame last given out by SendFrame is with the transport. Exactly one for each, at the latest
// before the next input, and at once where Link::awaits_written() says so.
struct Written {};

// Time passed. Also harmless at any other time than SetTimer asked for.
struct Tick {};

// The newest sequence of our log at wall time `as_of`. Before each Resume is stepped and
// with each Tick.
struct HeadMoved {
  base::Sequence head;
  absl::Time as_of;
};

// Answers NeedEvents: the log from `first` to `last` was read and decided.
struct Decided {
  uint64_t request = 0;  // NeedEvents::request
  // First and last sequence scanned. `first` is what was asked for, or later where the
  // log was trimmed in between. Where that is behind NeedEvents::through nothing was
  // scanned: `last` is before `first`.
  base::Sequence first;
  base::Sequence last;
  uint64_t last_mark = 0;  // Place::mark of `last`
  // The allowed events as serialised `events` fields of a Batch, one after another, and
  // their sequences, ascending. At most NeedEvents::max_events; may be none.
  std::string events;
  std::vector<base::Sequence> sequences;
  // What they were decided under; the same for all.
  storage::v1::PolicyEpoch policy_epoch;
  // Events in the range whose outcome is not as the policy epoch decides, ascending.
  std::vector<storage::v1::LedgerException> exceptions;
  // Outcomes of the scanned events that are not in `sequences`: "denied" and "not_wanted" by
  // the reason of the decision, exceptions by their own state and reason. Where the request
  // was account_only also "acknowledged_undisclosed", what would have been sent.
  std::vector<storage::v1::OutcomeCount> counts;
  // Of a replay: the outcomes that the events in `sequences` and `exceptions` had before.
  std::vector<storage::v1::OutcomeCount> revised;
  // Over the allowed events, in order, where the sender vouches for what it sends.
  BatchTree tree;
};

// Answers NeedReplay. Here `counts` are of those events whose outcome the job changed; what
// keeps the outcome it had is in none. `last_mark` is not used. What was trimmed has the
// outcome it had.
struct ReplayDecided {
  Decided range;
};

// Answers CheckPlace. `same`: our log has that record at that sequence, or no longer
// knows (trimmed).
struct PlaceChecked {
  bool same = true;
};

// Answers WriteHorizon: the horizon row is on disk.
struct HorizonWritten {
  base::Sequence through;
};

// Answers CommitImport, in order; one input may answer several. Everything up to
// `position` is on disk. `refused`: those of it that were not taken, ascending, with
// what the peer may know of the reason.
struct Committed {
  base::Position position{};
  std::vector<federation::v1::Refusal> refused;
};

// Our export policy for the peer changed: what is not yet sent is decided anew.
struct PolicyChanged {
  storage::v1::PolicyEpoch policy_epoch;
  Rate export_rate;
};

// Our operator stopped all exports, or lets them go on. While held nothing is decided or sent,
// the peer is told why, and what it has is still acknowledged; then it goes on from there.
struct ExportsHeld {
  bool held = false;
};

// Another job is to be offered again, or none any more. `through`: as
// LinkConfig::replay_through. The job that is running is not begun anew.
struct ReplayChanged {
  std::optional<ReplayJob> job;
  base::Sequence through;
};

// The groups that the peer is a member of; replaces those before. The peer is told where it
// knows of groups, also when there are none (any more).
struct GroupsChanged {
  federation::v1::Groups groups;
};

// How our domain is to be trusted has changed. The peer is told where it knows of that and takes
// frames of that size.
struct TrustChanged {
  federation::v1::TrustUpdate update;
};

// What we offer the peer and ask of it; replaces what was before. The peer is told where it knows
// of catalogues.
struct CatalogueChanged {
  federation::v1::Catalogue catalogue;
};

// Tell the peer this, a count_request or a count_answer, where it knows of counts. It is left out
// where kMaxCountsWaiting are waiting.
struct SendCount {
  federation::v1::Frame frame;
};

// Our import rules or limits changed, or we want the direction stopped or started.
struct InterestChanged {
  federation::v1::Interest interest;
  Rate import_rate;
};

// We are shutting down: say so, finish what is on its way, end.
struct Drain {
  std::string message = "the gateway is shutting down";  // for the peer
};

// End now, nothing more crosses: frozen, removed, replaced.
struct End {
  base::Reason reason = base::Reason::kLinkDown;
  std::string message;
  absl::Duration retry_after{};
};

using Input = std::variant<StreamOpened, FrameReceived, FrameMalformed, StreamClosed, Written, Tick,
                           HeadMoved, Decided, ReplayDecided, PlaceChecked, HorizonWritten,
                           Committed, PolicyChanged, ExportsHeld, ReplayChanged, GroupsChanged,
                           TrustChanged, CatalogueChanged, SendCount, InterestChanged, Drain, End>;

// --------------------------------------------------------------- outputs

// Send this (EncodeHead, then the events) and answer Written. None follows before that.
struct SendFrame {
  federation::v1::Frame frame;
  // For a Batch: its serialised `events` fields, which `frame` lacks.
  std::string events;
};

// Read our log from `from`, decide, answer Decided with the same `request`. One at a
// time; a later one with another number supersedes it. Where there is nothing to read,
// the answer waits until there is. Never answered is allowed only at the end.
struct NeedEvents {
  uint64_t request = 0;
  base::Sequence from;
  // Stop behind this sequence; 0: anywhere.
  base::Sequence through{};
  // Stop at this many allowed events,
  size_t max_events = 0;
  // or before the allowed ones together exceed this many bytes as `events` fields, where
  // there is at least one.
  size_t max_bytes = 0;
  // An event of more bytes than this, as an `events` field, is not sent at all: an
  // exception, too_large.
  size_t max_event_bytes = 0;
  // The peer has what is allowed of the range; which of it, it told us in acks that are
  // lost. Nothing is sent: what would be is counted, and is too old at no age.
  bool account_only = false;
};

// Read past events of our log again, from `from` through `through` at most, decide them, and
// answer ReplayDecided with the same `request`. The rest is as in NeedEvents. One at a time,
// beside a NeedEvents.
struct NeedReplay {
  uint64_t request = 0;
  uint64_t number = 0;  // of the job
  base::Sequence from;
  base::Sequence through;
  size_t max_events = 0;
  size_t max_bytes = 0;
  size_t max_event_bytes = 0;
};

// Compare the record at `sequence` with the mark, answer PlaceChecked.
struct CheckPlace {
  base::Sequence sequence{};
  uint64_t mark = 0;
};

// The peer was sent events of ours, `first` to `last` of an earlier life of our log, that our log
// has lost. It goes on behind them; no answer. `position`: events that it committed by then.
struct PeerIsAhead {
  base::Epoch epoch;
  base::Sequence first;
  base::Sequence last;
  std::string link_epoch;
  base::Position position{};
};

// Commit a horizon row, answer HorizonWritten. Batches wait for it, so: at once.
struct WriteHorizon {
  storage::v1::LedgerRow row;
};

// Import these events and commit them with the cursor in one commit record, or refuse
// each with a reason; answer Committed. They come in order and may overlap.
struct CommitImport {
  base::Position first_position;
  RelayedEvents events;
  // After the last of them.
  ImportCursor cursor;
  // They are past ones, offered again: most may be here.
  bool replay = false;
  // What the peer signed of them; none: nothing.
  std::optional<storage::v1::TreeSignature> statement;
};

// Commit the cursor alone, when convenient; superseded by a later CommitImport or
// MoveCursor. No answer.
struct MoveCursor {
  ImportCursor cursor;
};

// Commit these rows and how far the peer is, soon: several may share one commit. Rows are
// in order of sequence. No answer; losing the last ones in a crash is allowed.
struct RecordLedger {
  std::vector<storage::v1::LedgerRow> rows;
  base::Position acknowledged_position;
  base::Sequence acknowledged_sequence;
  std::string link_epoch;
};

// Commit these rows of a job and how far it is accounted for, in one commit record, soon. As
// RecordLedger otherwise: what is lost in a crash is offered once more.
struct RecordReplay {
  uint64_t number = 0;
  base::Sequence through;
  std::vector<storage::v1::LedgerRow> rows;
};

// The job is over, all of it was given out to be recorded. Begun again behind its end it is
// over again.
struct ReplayDone {
  uint64_t number = 0;
};

// The peer told which groups we are members of; replaces what it told before on this link.
// Nothing of it is verified.
struct GroupsReceived {
  federation::v1::Groups groups;
};

// The peer told how its domain is to be trusted. Nothing of it is verified.
struct TrustReceived {
  federation::v1::TrustUpdate update;
};

// The peer told what it offers and asks for. Nothing of it is judged but its size.
struct CatalogueReceived {
  federation::v1::Catalogue catalogue;
};

// The peer asks for a count, or passes on who does. Nothing of it is judged but its size.
struct CountAsked {
  federation::v1::CountRequest request;
};

// The peer answers, or passes on an answer. Nothing of it is verified.
struct CountAnswered {
  federation::v1::CountAnswer answer;
};

// The peer sent certificates of attestors. Nothing of them is verified.
struct AttestorsReceived {
  federation::v1::Attestors attestors;
};

// The peer signed for what it has, and that is what it was sent. The signature is not verified.
struct ReceiptReceived {
  federation::v1::Receipt receipt;
  std::string link_epoch;
};

// The peer says that it was sent something else than it was, up to that position.
struct HistoryDisputed {
  base::Position position{};
};

// The peer showed its import rules, or stopped the direction. What is decided from now
// on is decided with them; what was asked for before is superseded.
struct InterestReceived {
  federation::v1::Interest interest;
};

// The peer says that everything it accepted before this is sent or withheld.
struct PeerCaughtUp {
  absl::Time as_of;
};

// The peer stopped all its exports, or lets them go on. Given out where it changes.
struct PeerExports {
  bool stopped = false;
};

// Wake the link with a Tick at this time; replaces the time before.
struct SetTimer {
  absl::Time at;
};

enum class State {
  kIdle,          // the stream is not open
  kHandshake,     // waiting for the peer's Hello
  kEstablishing,  // waiting for its Resume
  kUp,            // carries events
  kDraining,      // nothing new is sent; what is on its way ends
  kClosing,       // only the GoAway is left to be sent
  kClosed,        // over; every input is ignored
};

struct StateChanged {
  State from = State::kIdle;
  State to = State::kIdle;
};

// The link is over: close the stream, if it is not. Last output, exactly once.
struct CloseStream {
  base::Reason reason = base::Reason::kLinkDown;
  std::string message;
  // True: the peer said so in a GoAway.
  bool by_peer = false;
  // When the peer wants to be dialled again; zero: it did not say.
  absl::Duration retry_after{};
};

using Output =
    std::variant<SendFrame, NeedEvents, NeedReplay, CheckPlace, PeerIsAhead, WriteHorizon,
                 CommitImport, MoveCursor, RecordLedger, RecordReplay, ReplayDone, GroupsReceived,
                 TrustReceived, CatalogueReceived, CountAsked, CountAnswered, AttestorsReceived,
                 ReceiptReceived, HistoryDisputed, InterestReceived, PeerCaughtUp, PeerExports,
                 SetTimer, StateChanged, CloseStream>;
using Outputs = std::vector<Output>;

}  // namespace cdgate::link

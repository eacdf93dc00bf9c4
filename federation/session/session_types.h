// What the parts of a session share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/attestor.h"
#include "federation/attestation/attestor_directory.h"
#include "federation/link/token.h"
#include "federation/policy/policy.h"
#include "federation/policy/shared_decisions.h"
#include "federation/session/given_notes.h"
#include "federation/session/pseudonym_keeper.h"
#include "federation/session/statement_source.h"
#include "gateway/admission/admission.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/random.h"
#include "gateway/base/timer_queue.h"
#include "gateway/eventlog/feed.h"
#include "gateway/state/store.h"

namespace cdgate::session {

class CatchupShare;

// What a gateway's sessions run on. All outlive them.
struct SessionDeps {
  std::string domain;
  std::string instance;
  std::string software;
  state::Store& store;
  eventlog::Feed& feed;
  admission::Admission& admission;
  const link::TokenSealer& sealer;
  // Signs what we send; null: nobody does.
  const credentials::StatementSigner* attestor = nullptr;
  // Keys of statements, ours and others'; null: none can be verified, so what is signed is not
  // taken, and peers are told that we know nothing of statements.
  attestation::AttestorDirectory* attestors = nullptr;
  // Of our own events that were committed without a statement; empty: nobody signs.
  StatementSource::SignOrigin sign_origin = {};
  const PseudonymKeeper& pseudonyms;
  policy::SharedDecisions& shared;  // of all sessions of the gateway
  CatchupShare* catchup = nullptr;  // the same; null: backlogs wait for nothing
  // Remembers what peers were given; null: nobody does, and peers are told of no catalogue.
  GivenSink* given = nullptr;
  base::Executor& executor;
  base::TimerQueue& timers;
  const base::Clock& clock;
  base::Random& random;
};

using PolicyPtr = std::shared_ptr<const policy::CompiledPolicy>;

// Our policy for a peer as a session needs it. Without one nothing crosses: nothing is
// exported, and the peer is asked not to send, so that it can later send what a policy
// then allows.
struct PeerPolicy {
  PolicyPtr compiled;                 // null: none is in force
  federation::v1::Interest interest;  // what the peer is shown of the import rules
  policy::EnvironmentPtr environment = policy::Environment::BuiltIn();
  policy::KeyringPtr keys;  // null: no event can be pseudonymised
};
PeerPolicy NoPolicy();
using InterestPtr = std::shared_ptr<const policy::CompiledInterest>;

// Runs a task on the session's strand, after what is there; drops it where the session is
// over. Thread-safe.
using Poster = std::function<void(base::Task)>;
// The session cannot go on.
using Failed = std::function<void(const absl::Status&)>;

// Names of the cursors of a link.
inline std::string ImportCursorName(absl::string_view peer) {
  return absl::StrCat("link/", peer, "/import");
}
inline std::string ExportCursorName(absl::string_view peer) {
  return absl::StrCat("link/", peer, "/export");
}

// How far jobs that offer past events again are accounted for: position is the number of the
// job, the token a sequence.
inline std::string ReplayCursorName(absl::string_view peer) {
  return absl::StrCat("link/", peer, "/replay");
}

// The last receipt of the peer for what it was sent.
inline std::string ReceiptCursorName(absl::string_view peer) {
  return absl::StrCat("link/", peer, "/receipt");
}

// Whether a proposal that failed with `status` may succeed later, unchanged.
bool IsRetryable(const absl::Status& status);
// How long to wait before.
absl::Duration RetryDelay(const absl::Status& status);

}  // namespace cdgate::session

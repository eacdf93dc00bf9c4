// The event log of one domain: commit records in one total order, durable.
//
//   log.Append(commit, [](absl::Status s) { ... });          // one writer: state::Store
//   CDGATE_ASSIGN_OR_RETURN(auto commits, log.Read({.sequence = next}, limits));
//
// The unit is the commit record (storage.v1.CommitRecord): it becomes true as a whole or
// not at all. Commits are numbered without a gap from 1, events without a gap from 1; a
// commit without events carries the sequence that the next event gets. Every life of a
// log (its epoch) begins with such a commit, so head().commit is never 0.
//
// Nothing here assumes that appends are local: what is in the log, and in which order,
// is what Read and the observers say. Backends: memory/, segments/. They share one
// contract suite, tests/gateway/eventlog/event_log_contract.h.
//
// All functions are thread-safe, except that one thread at a time appends. Append may
// block as long as the disk needs; Read and Trim block and belong on an executor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"

namespace cdgate::eventlog {

// The newest end. What a writer has to continue.
struct Head {
  base::Epoch epoch = {};
  uint64_t commit = 0;           // number of the newest commit
  base::Sequence sequence = {};  // of the newest event ever; 0 where there was none
  absl::Time commit_time = {};   // of the newest commit
};

// The oldest end.
struct First {
  uint64_t commit = 0;           // number of the oldest commit kept
  base::Sequence sequence = {};  // of the oldest event kept; head's + 1 where none is
};

// Where a read begins: at the commit that contains `sequence`, or, where `commit` is
// not 0, exactly at that commit, whose first_sequence is `sequence`.
struct ReadFrom {
  base::Sequence sequence = {};
  uint64_t commit = 0;
};

// A read ends before the commit that would exceed either, but gives at least one.
struct ReadLimits {
  size_t max_events = 1000;
  size_t max_bytes = 1 << 20;
};

struct Stats {
  uint64_t bytes = 0;  // on disk, or in memory for a log that lives there
};

// Gets every commit once it is durable, in order, one call at a time, before the append's
// own callback. OnCommit must be short, must not block, and must not call Append or
// RemoveObserver. The commit that is being appended while an observer is added may come
// although it is not after head() any more.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  // `commit` is about to be written: what can be worked out about it meanwhile may be. Nobody may
  // be told of it: it is true once OnCommit has got the same object, and never where the write
  // fails. As OnCommit otherwise, and even shorter, as the write waits for it.
  virtual void OnAppend(const event::CommitPtr& /*commit*/) {}
  virtual void OnCommit(const event::CommitPtr& commit) = 0;
};

class EventLog {
 public:
  using Appended = std::function<void(absl::Status)>;

  virtual ~EventLog() = default;

  // Makes `commit` durable and then calls `done`, once: maybe before Append returns,
  // maybe later on another thread; where several appends are out, maybe in another
  // order. Append N + 1 may be called before N is done; it fails where N fails.
  //
  // `commit` continues the log: its epoch is the head's, its number and first_sequence
  // are the next ones. NOT_LEADER where it does not, or where another instance writes:
  // nothing was appended; read what is new and try again. LOG_WRITE_FAILED: whether it
  // was appended is unknown until the log is opened again; this object appends nothing
  // any more, and the process has to end.
  virtual void Append(event::CommitPtr commit, Appended done) = 0;

  // Commits in order, at most up to the head; none where `from` is just behind it.
  // TRIMMED where `from` is older than first(); EPOCH_REGRESSED where it is beyond what
  // is next; LOG_CORRUPT where what is stored is damaged (the message names the commit).
  virtual absl::StatusOr<std::vector<event::CommitPtr>> Read(ReadFrom from,
                                                             ReadLimits limits) const = 0;

  virtual Head head() const = 0;
  virtual First first() const = 0;

  // Removes commits all of whose events are older than `keep_from`: as many as can be
  // removed cheaply, maybe none, never the newest commit. first() tells what is left.
  virtual absl::Status Trim(base::Sequence keep_from) = 0;

  // `observer` gets every commit after the head at this moment, until it is removed.
  // RemoveObserver returns when no OnCommit of it runs any more.
  virtual void AddObserver(CommitObserver* observer) = 0;
  virtual void RemoveObserver(CommitObserver* observer) = 0;

  virtual Stats stats() const = 0;
};

}  // namespace cdgate::eventlog

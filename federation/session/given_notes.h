// Which kinds of events a peer was given, noted while they are: what the catalogue for it is
// made from.
//
//   GivenNotes notes(sink, "beta.example", clock);
//   notes.Note(record);               // it is in a block that will be sent
//   notes.Drop(from);                 // what is not sent is decided anew
//   notes.Acknowledged(through);      // the peer has it: the sink is told
//
// An event of a kind that was told today costs one hash. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "gateway/base/clock.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"

namespace cdgate::session {

// Kinds of events that are remembered of one peer, at most.
inline constexpr size_t kMaxGivenKinds = 10'000;

struct GivenKind {
  std::string type;
  std::string source;
  std::string plane;

  bool operator==(const GivenKind&) const = default;
  auto operator<=>(const GivenKind&) const = default;
};

// Remembers what peers were given. Thread-safe; must not block.
class GivenSink {
 public:
  virtual ~GivenSink() = default;
  // `peer` acknowledged an event of that kind today.
  virtual void Given(absl::string_view peer, const GivenKind& kind) = 0;
};

class GivenNotes {
 public:
  // `sink` may be null: nobody wants to know. What is not null outlives the notes.
  GivenNotes(GivenSink* sink, std::string peer, const base::Clock& clock)
      : sink_(sink), peer_(std::move(peer)), clock_(clock) {}

  void Note(const event::Record& record);
  // Nothing at or after `from` has been sent.
  void Drop(base::Sequence from);
  // The peer has everything that was sent of the log up to `through`.
  void Acknowledged(base::Sequence through);

 private:
  struct Pending {
    base::Sequence sequence;  // the first one
    GivenKind kind;
  };

  GivenSink* const sink_;
  const std::string peer_;
  const base::Clock& clock_;
  int64_t day_ = 0;
  absl::flat_hash_set<uint64_t> told_;  // on that day
  absl::flat_hash_map<uint64_t, Pending> pending_;
};

}  // namespace cdgate::session

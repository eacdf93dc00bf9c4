// What an origin says it gave away for a destination, signed, and what of it is here
// (docs/attestation.md).
//
//   CommitmentWindow window(from, until);                    // at the origin
//   for (...) window.Add(accepted_time_nanos, commitment);
//   CountedEvents counted = window.Close();
//   OriginCount count = CountOf(question, counted);
//   Sign(OriginCountText(count));
//   ...at the destination:
//   CDGATE_RETURN_IF_ERROR(CheckOriginCount(count, question));
//   CDGATE_RETURN_IF_ERROR(verifier.VerifySignature(..., OriginCountText(count), ...));
//   CountComparison result = Compare(counted.commitments, here, refused);
//
// Times are nanoseconds since the Unix epoch, UTC. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "federation/attestation/merkle.h"

namespace cdgate::attestation {

// Events of one count.
inline constexpr size_t kMaxCounted = 100'000;
// What is remembered of a while with more events than that, until it is cut.
inline constexpr size_t kMaxCollected = 400'000;
// The longest while of one count.
inline constexpr int64_t kMaxCountNanos = int64_t{24} * 3600 * 1'000'000'000;
// Commitments of one page.
inline constexpr size_t kCommitmentsOfPage = 1920;
inline constexpr size_t kCountIdBytes = 16;

// Events of a while, ascending by commitment.
struct CountedEvents {
  int64_t from_nanos = 0;
  int64_t until_nanos = 0;  // of events accepted before this all are there
  std::vector<Digest> commitments;

  // 32 bytes each, from the (page * kCommitmentsOfPage)th on; empty behind the last.
  std::string Page(size_t page) const;
};

// Collects the events of a while, in any order. Where there are more than kMaxCounted, the while
// is cut to the first of them. Not thread-safe.
class CommitmentWindow {
 public:
  // The end is at most kMaxCountNanos behind `from_nanos`, earlier than asked for if need be.
  CommitmentWindow(int64_t from_nanos, int64_t until_nanos);

  bool Covers(int64_t accepted_nanos) const {
    return accepted_nanos >= from_nanos_ && accepted_nanos < until_nanos_;
  }
  // Nothing where it does not cover the time. `commitment`: 32 bytes, else nothing.
  void Add(int64_t accepted_nanos, absl::string_view commitment);
  // Not everything from this time on was seen.
  void EndAt(int64_t until_nanos);
  int64_t until_nanos() const { return until_nanos_; }

  // What was collected. Once.
  CountedEvents Close();

 private:
  void Cut();

  const int64_t from_nanos_;
  int64_t until_nanos_;
  std::vector<std::pair<int64_t, Digest>> events_;
};

// Of a list that is sorted.
Digest CommitmentsDigest(const std::vector<Digest>& commitments);
// The list in pages one behind the other; INVALID where it is not ascending: every commitment once.
absl::StatusOr<std::vector<Digest>> ReadCommitments(absl::string_view bytes);

// What was asked.
struct CountQuestion {
  std::string origin;
  std::string destination;
  std::string through;  // who asked for the destination; empty: itself
  std::string id;       // kCountIdBytes
  int64_t from_nanos = 0;
  int64_t until_nanos = 0;
};

// Without its signature.
federation::v1::OriginCount CountOf(const CountQuestion& question, const CountedEvents& counted);
// What is signed of it.
std::string OriginCountText(const federation::v1::OriginCount& count);
// ATTESTATION_INVALID where `count` is out of its bounds or answers another question. Its while may
// be shorter than asked for. The signature is not looked at.
absl::Status CheckOriginCount(const federation::v1::OriginCount& count,
                              const CountQuestion& question);

// What is here of the events that an origin counted.
struct CountComparison {
  uint64_t held = 0;
  uint64_t refused = 0;         // by our own import
  uint64_t uncounted = 0;       // here, and not counted
  std::vector<Digest> missing;  // ascending
};
// All sorted, every commitment once.
CountComparison Compare(const std::vector<Digest>& counted, const std::vector<Digest>& here,
                        const std::vector<Digest>& refused);

// Sorts them and leaves each once.
void SortCommitments(std::vector<Digest>* commitments);

}  // namespace cdgate::attestation

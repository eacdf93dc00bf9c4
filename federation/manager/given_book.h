// What each peer was given in the last 30 days, over restarts: one file for each peer.
//
//   GivenBook book("/var/lib/cdgate/given", clock);
//   CDGATE_RETURN_IF_ERROR(book.Open());
//   book.Given("beta.example", {type, source, plane});       // from a session
//   book.Flush();                                            // every few seconds
//   const auto given = book.Of("beta.example");
//   for (const auto& row : given->rows()) ...
//
// A kind that is new is on disk a few seconds later, that one was given again today a minute
// later; what a crash takes is noted again with the next event of the kind.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/storage/v1/given.pb.h"
#include "federation/session/given_notes.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

// How long what was given is remembered.
inline constexpr int kGivenDays = 30;

// Days since 1970-01-01, UTC.
uint32_t DayOf(absl::Time time);

// Thread-safe.
class GivenBook : public session::GivenSink {
 public:
  // `clock` outlives the book.
  GivenBook(std::string folder, const base::Clock& clock)
      : folder_(std::move(folder)), clock_(clock) {}

  // (disk) Makes the folder, and reads what is there. A file that is damaged is logged and
  // counts for nothing; errors of the folder itself.
  absl::Status Open();

  // Beyond session::kMaxGivenKinds what was given longest ago makes room; where all was given
  // today it is not remembered, and the rows are marked as truncated.
  void Given(absl::string_view peer, const session::GivenKind& kind) override;

  // Sorted; of the last kGivenDays days.
  std::shared_ptr<const storage::v1::GivenEvents> Of(absl::string_view peer) const;
  // Changes with what Of() says; 0: nothing was ever given.
  uint64_t VersionOf(absl::string_view peer) const;

  // (disk) Writes what waited long enough; `all`: everything. What cannot be written is logged,
  // and tried again with the next call. One call at a time.
  void Flush(bool all = false);

 private:
  struct Peer {
    std::map<session::GivenKind, uint32_t> days;  // when last
    bool truncated = false;
    uint32_t full_on = 0;  // the day whose kinds left no room; 0: none
    uint64_t version = 0;
    absl::Time write_at = absl::InfiniteFuture();
  };
  storage::v1::GivenEvents RowsOf(const Peer& peer) const;
  std::string PathOf(absl::string_view peer) const;
  void Read(const std::string& peer);
  bool MakeRoom(Peer& peer, uint32_t today) const;

  const std::string folder_;
  const base::Clock& clock_;
  mutable base::Mutex mu_;
  std::map<std::string, Peer, std::less<>> peers_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::manager

// Whether entries follow each other as they were written: the check behind `cdgate audit
// verify`, line by line and without a file.
//
//   ChainVerifier chain({.bundle_pem = bundle});
//   for (each line of each file, in order)
//     if (auto fault = chain.Add(line, {file, number_of_line})) return Say(*fault);
//   if (auto fault = chain.Finish()) return Say(*fault);
//   ... chain.summary()
//
// Stop at the first fault: what comes behind it says nothing. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "auth/audit/line.h"

namespace cdgate::audit {

// Where a line stands.
struct Place {
  std::string file;   // its name, without the folder
  uint64_t line = 0;  // from 1
};

// The first thing that is wrong.
struct Fault {
  enum class Kind {
    kAltered,     // the bytes are not those that were hashed
    kMissing,     // numbers are left out
    kOutOfOrder,  // an entry stands where another one belongs
    kReplaced,    // it fits by itself, and not to the entry before it
    kUnsigned,    // a checkpoint does not verify, or none is where one must be
    kCut,         // what is known from elsewhere is not there any more
  };
  Kind kind;
  uint64_t number = 0;    // of the first entry concerned
  std::string time = {};  // of it, as far as it can be read
  Place place = {};
  std::string message = {};  // one sentence for people, lower case
};
// "altered", "missing", "out_of_order", "replaced", "unsigned", "cut"
absl::string_view FaultName(Fault::Kind kind);

// An entry that is known from elsewhere: a line of the journal, a note, a copy.
struct KnownEntry {
  uint64_t number = 0;
  std::string hash;  // 64 hex digits
};

struct ChainOptions {
  // PEM roots of the gateway's domain, old ones too. Empty: signatures are checked against
  // the certificates beside them, and nobody vouches for those.
  std::string bundle_pem = {};
  std::vector<KnownEntry> known = {};
};

struct ChainSummary {
  uint64_t entries = 0;
  uint64_t first_number = 0;
  uint64_t last_number = 0;
  std::string first_time;
  std::string last_time;
  std::string last_hash;
  uint64_t checkpoints = 0;           // signed ones
  uint64_t unsigned_checkpoints = 0;  // of a gateway whose key cannot sign
  uint64_t last_checkpoint = 0;       // number of the last signed one
  std::string last_checkpoint_time;
  std::map<std::string, uint64_t> signers;  // SPIFFE ID to number of checkpoints
  uint64_t state_commit = 0;                // of the last checkpoint
  uint64_t removed_to = 0;                  // retention removed the entries up to this one
  bool closed = false;                      // the last entry is the checkpoint of a stop
};

class ChainVerifier {
 public:
  explicit ChainVerifier(ChainOptions options) : options_(std::move(options)) {}

  // One line, without its line feed.
  std::optional<Fault> Add(absl::string_view line, const Place& place);
  // After the last line.
  std::optional<Fault> Finish() const;

  const ChainSummary& summary() const { return summary_; }
  // Not OK: the bundle is none, so that nothing can be said of signatures.
  const absl::Status& status() const { return status_; }
  uint64_t expected_number() const;

 private:
  std::optional<Fault> CheckOrder(const Line& line, const Place& place) const;
  std::optional<Fault> CheckKnown(const Line& line, const Place& place) const;
  std::optional<Fault> CheckSigned(absl::string_view text, const Line& line, const Place& place);
  Fault AlteredAt(const absl::Status& why, const Place& place) const;
  void Count(absl::string_view text, const Line& line);

  const ChainOptions options_;
  ChainSummary summary_;
  Place last_place_;
  absl::Status status_;
};

}  // namespace cdgate::audit

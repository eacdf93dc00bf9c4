#include "auth/audit/chain.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "auth/audit/checkpoint.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::audit {
namespace {

// A checkpoint may come a batch late; twice the distance leaves no room to doubt.
constexpr uint64_t kMostUnsigned = 2 * kEntriesPerCheckpoint;

Fault Make(Fault::Kind kind, uint64_t number, absl::string_view time, const Place& place,
           std::string message) {
  return {.kind = kind,
          .number = number,
          .time = std::string(time),
          .place = place,
          .message = std::move(message)};
}

}  // namespace

absl::string_view FaultName(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kAltered: return "altered";
    case Fault::Kind::kMissing: return "missing";
    case Fault::Kind::kOutOfOrder: return "out_of_order";
    case Fault::Kind::kReplaced: return "replaced";
    case Fault::Kind::kUnsigned: return "unsigned";
    case Fault::Kind::kCut: return "cut";
  }
  return "unknown";
}

uint64_t ChainVerifier::expected_number() const {
  return summary_.entries == 0 ? 1 : summary_.last_number + 1;
}

std::optional<Fault> ChainVerifier::Add(absl::string_view text, const Place& place) {
  const auto line = ReadLine(text);
  if (!line.ok()) return AlteredAt(line.status(), place);
  if (auto fault = CheckOrder(*line, place)) return fault;
  if (auto fault = CheckKnown(*line, place)) return fault;
  if (auto fault = CheckSigned(text, *line, place)) return fault;
  Count(text, *line);
  last_place_ = place;
  return std::nullopt;
}

Fault ChainVerifier::AlteredAt(const absl::Status& why, const Place& place) const {
  const uint64_t number = expected_number();
  return Make(Fault::Kind::kAltered, number, "", place,
              absl::StrCat("entry ", number, " was altered: ", why.message()));
}

std::optional<Fault> ChainVerifier::CheckOrder(const Line& line, const Place& place) const {
  const bool first = summary_.entries == 0;
  // The first kept file begins where retention left it; Finish asks for the proof of that.
  if (first && line.number > 1) return std::nullopt;
  const uint64_t expected = expected_number();
  if (line.number > expected) {
    const uint64_t last = line.number - 1;
    return Make(Fault::Kind::kMissing, expected, "", place,
                expected == last
                    ? absl::StrCat("entry ", expected, " is missing: entry ", line.number,
                                   " stands behind entry ", expected - 1)
                    : absl::StrCat("entries ", expected, " to ", last, " are missing: entry ",
                                   line.number, " stands behind entry ", expected - 1));
  }
  if (line.number < expected) {
    return Make(Fault::Kind::kOutOfOrder, line.number, line.time, place,
                absl::StrCat("entry ", line.number, " is out of order: it stands behind entry ",
                             expected - 1));
  }
  if (line.previous == (first ? NoHash() : summary_.last_hash)) return std::nullopt;
  return Make(Fault::Kind::kReplaced, expected - (first ? 0 : 1),
              first ? line.time : absl::string_view(summary_.last_time),
              first ? place : last_place_,
              first ? "entry 1 was replaced: it follows another entry"
                    : absl::StrCat("entry ", expected - 1, " or ", expected,
                                   " was replaced: their hashes were made anew and do not fit "
                                   "each other"));
}

std::optional<Fault> ChainVerifier::CheckKnown(const Line& line, const Place& place) const {
  for (const KnownEntry& known : options_.known) {
    if (known.number != line.number || known.hash == line.hash) continue;
    return Make(Fault::Kind::kReplaced, line.number, line.time, place,
                absl::StrCat("entry ", line.number,
                             " was replaced: its hash is not the one known from elsewhere"));
  }
  return std::nullopt;
}

std::optional<Fault> ChainVerifier::CheckSigned(absl::string_view text, const Line& line,
                                                const Place& place) {
  const auto unsigned_fault = [&](absl::string_view why) {
    return Make(Fault::Kind::kUnsigned, line.number, line.time, place, std::string(why));
  };
  if (place.line == 1 && line.kind != kCheckpoint) {
    return unsigned_fault(absl::StrCat("the file does not begin with a checkpoint; entry ",
                                       line.number, " does not belong there"));
  }
  if (line.kind != kCheckpoint) {
    const uint64_t since =
        summary_.last_checkpoint == 0 ? summary_.first_number : summary_.last_checkpoint;
    if (summary_.unsigned_checkpoints > 0 || line.number - since <= kMostUnsigned) {
      return std::nullopt;
    }
    return unsigned_fault(absl::StrCat("there is no checkpoint in the ", kMostUnsigned,
                                       " entries before entry ", line.number));
  }
  if (!IsSigned(text) && options_.bundle_pem.empty()) {
    ++summary_.unsigned_checkpoints;
    return std::nullopt;
  }
  const auto signer = VerifyCheckpoint(text, options_.bundle_pem);
  if (!signer.ok()) {
    if (base::ReasonOf(signer.status()) != base::Reason::kAuditDamaged) status_ = signer.status();
    return unsigned_fault(absl::StrCat("the checkpoint that is entry ", line.number,
                                       " does not verify: ", signer.status().message()));
  }
  ++summary_.signers[*signer];
  ++summary_.checkpoints;
  summary_.last_checkpoint = line.number;
  summary_.last_checkpoint_time = std::string(line.time);
  return std::nullopt;
}

void ChainVerifier::Count(absl::string_view text, const Line& line) {
  if (summary_.entries++ == 0) {
    summary_.first_number = line.number;
    summary_.first_time = std::string(line.time);
  }
  summary_.last_number = line.number;
  summary_.last_time = std::string(line.time);
  summary_.last_hash = std::string(line.hash);
  const bool checkpoint = line.kind == kCheckpoint;
  if (checkpoint) summary_.state_commit = NumberMember(text, "state_commit");
  summary_.closed = checkpoint && TextMember(text, "reason") == "stop";
  if (line.kind == kRemoved) summary_.removed_to = NumberMember(text, "last");
}

std::optional<Fault> ChainVerifier::Finish() const {
  for (const KnownEntry& known : options_.known) {
    if (known.number <= summary_.last_number) continue;
    return Make(Fault::Kind::kCut, summary_.last_number + 1, "", last_place_,
                absl::StrCat("the end was cut off: entry ", known.number,
                             " is known from elsewhere, and the last one here is entry ",
                             summary_.last_number));
  }
  if (summary_.first_number <= 1 || summary_.removed_to + 1 >= summary_.first_number) {
    return std::nullopt;
  }
  return Make(Fault::Kind::kMissing, summary_.removed_to + 1, "", {},
              absl::StrCat("entries ", summary_.removed_to + 1, " to ", summary_.first_number - 1,
                           " are missing, and no entry says that retention removed them"));
}

}  // namespace cdgate::audit

#include "federation/attestation/origin_count.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "auth/crypto/signature.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/event/digests.h"
#include "gateway/event/event_fields.h"

namespace cdgate::attestation {
namespace {

using event::AppendBigEndian64;
using event::AppendWithLength;
using event::AsBytes;
using federation::v1::OriginCount;

// The zero byte behind each is part of it.
constexpr char kCountLabel[] = "cdgate/origin-count/v1";
constexpr char kListLabel[] = "cdgate/commitments/v1";
constexpr size_t kMaxDomainBytes = 255;

absl::Status Invalid(absl::string_view what) {
  return base::MakeError(base::Reason::kAttestationInvalid, what);
}

bool IsDigest(absl::string_view bytes) { return bytes.size() == crypto::kSha256Bytes; }

void AppendTime(int64_t nanos, std::string* out) {
  AppendBigEndian64(static_cast<uint64_t>(nanos), out);
}

// The part that is out of its bounds; empty: none.
absl::string_view FaultOf(const OriginCount& count) {
  if (count.origin().empty() || count.origin().size() > kMaxDomainBytes) return "origin";
  if (!IsDigest(count.digest())) return "digest";
  if (!IsDigest(count.key_id())) return "key";
  if (count.signature().empty() || count.signature().size() > crypto::kMaxSignatureBytes) {
    return "signature";
  }
  if (count.count() > kMaxCounted) return "number of events";
  if (count.until_nanos() < count.from_nanos()) return "time";
  return "";
}

bool Answers(const OriginCount& count, const CountQuestion& question) {
  return count.origin() == question.origin && count.destination() == question.destination &&
         count.through() == question.through && count.request_id() == question.id &&
         count.from_nanos() >= question.from_nanos && count.until_nanos() <= question.until_nanos;
}

bool Holds(const std::vector<Digest>& sorted, const Digest& digest) {
  return std::binary_search(sorted.begin(), sorted.end(), digest);
}

}  // namespace

std::string CountedEvents::Page(size_t page) const {
  std::string out;
  const size_t begin = std::min(page * kCommitmentsOfPage, commitments.size());
  const size_t end = std::min(begin + kCommitmentsOfPage, commitments.size());
  out.reserve((end - begin) * crypto::kSha256Bytes);
  for (size_t i = begin; i < end; ++i) absl::StrAppend(&out, AsBytes(commitments[i]));
  return out;
}

CommitmentWindow::CommitmentWindow(int64_t from_nanos, int64_t until_nanos)
    : from_nanos_(from_nanos),
      until_nanos_(until_nanos - from_nanos > kMaxCountNanos ? from_nanos + kMaxCountNanos
                                                             : std::max(from_nanos, until_nanos)) {}

void CommitmentWindow::Add(int64_t accepted_nanos, absl::string_view commitment) {
  const auto digest = ReadDigest(commitment);
  if (!Covers(accepted_nanos) || !digest) return;
  events_.emplace_back(accepted_nanos, *digest);
  if (events_.size() >= kMaxCollected) Cut();
}

void CommitmentWindow::EndAt(int64_t until_nanos) {
  until_nanos_ = std::clamp(until_nanos, from_nanos_, until_nanos_);
  std::erase_if(events_, [this](const auto& event) { return event.first >= until_nanos_; });
}

// So that all that were accepted before the end are there, at most kMaxCounted. None, where more
// than that were accepted in the first instant.
void CommitmentWindow::Cut() {
  if (events_.size() <= kMaxCounted) return;
  const auto at = events_.begin() + kMaxCounted;
  std::nth_element(events_.begin(), at, events_.end());
  EndAt(at->first);
}

CountedEvents CommitmentWindow::Close() {
  Cut();
  CountedEvents out{from_nanos_, until_nanos_, {}};
  out.commitments.reserve(events_.size());
  for (const auto& [accepted, commitment] : events_) out.commitments.push_back(commitment);
  events_.clear();
  SortCommitments(&out.commitments);
  return out;
}

Digest CommitmentsDigest(const std::vector<Digest>& commitments) {
  crypto::Sha256Hasher hasher;
  hasher.Update(absl::string_view(kListLabel, sizeof(kListLabel)));
  for (const Digest& commitment : commitments) hasher.Update(AsBytes(commitment));
  return hasher.FinalTo();
}

absl::StatusOr<std::vector<Digest>> ReadCommitments(absl::string_view bytes) {
  std::vector<Digest> out;
  out.reserve(bytes.size() / crypto::kSha256Bytes);
  for (size_t at = 0; at < bytes.size(); at += crypto::kSha256Bytes) {
    const auto digest = ReadDigest(bytes.substr(at, crypto::kSha256Bytes));
    if (!digest || (!out.empty() && !(out.back() < *digest))) {
      return Invalid("the commitments of a count are not sorted, or cut");
    }
    out.push_back(*digest);
  }
  return out;
}

OriginCount CountOf(const CountQuestion& question, const CountedEvents& counted) {
  OriginCount count;
  count.set_origin(question.origin);
  count.set_destination(question.destination);
  count.set_through(question.through);
  count.set_request_id(question.id);
  count.set_from_nanos(counted.from_nanos);
  count.set_until_nanos(counted.until_nanos);
  count.set_count(counted.commitments.size());
  count.set_digest(std::string(AsBytes(CommitmentsDigest(counted.commitments))));
  return count;
}

std::string OriginCountText(const OriginCount& count) {
  std::string text(kCountLabel, sizeof(kCountLabel));
  AppendWithLength(count.origin(), &text);
  AppendWithLength(count.destination(), &text);
  AppendWithLength(count.through(), &text);
  AppendWithLength(count.request_id(), &text);
  AppendTime(count.from_nanos(), &text);
  AppendTime(count.until_nanos(), &text);
  AppendBigEndian64(count.count(), &text);
  text.append(count.digest());
  AppendTime(count.sign_time_nanos(), &text);
  return text;
}

absl::Status CheckOriginCount(const OriginCount& count, const CountQuestion& question) {
  const absl::string_view fault = FaultOf(count);
  if (!fault.empty()) {
    return Invalid(absl::StrCat("the ", fault, " of a count of ", base::Shorten(question.origin),
                                " is missing or out of bounds"));
  }
  if (Answers(count, question)) return absl::OkStatus();
  return Invalid(absl::StrCat("a count of ", base::Shorten(count.origin()), " for ",
                              base::Shorten(count.destination()), " answers another question"));
}

CountComparison Compare(const std::vector<Digest>& counted, const std::vector<Digest>& here,
                        const std::vector<Digest>& refused) {
  CountComparison out;
  for (const Digest& commitment : counted) {
    if (Holds(here, commitment)) {
      ++out.held;
    } else if (Holds(refused, commitment)) {
      ++out.refused;
    } else {
      out.missing.push_back(commitment);
    }
  }
  out.uncounted = here.size() - out.held;
  return out;
}

void SortCommitments(std::vector<Digest>* commitments) {
  std::sort(commitments->begin(), commitments->end());
  commitments->erase(std::unique(commitments->begin(), commitments->end()), commitments->end());
}

}  // namespace cdgate::attestation

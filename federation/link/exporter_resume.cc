// Where the sending half begins: what the peer's Resume names, held against our log.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/exporter.h"
#include "federation/link/protocol_error.h"
#include "gateway/base/status_macros.h"

namespace cdgate::link {
namespace {

using base::Reason;
using base::Sequence;

absl::Status InvalidToken(absl::string_view why) {
  return base::MakeError(Reason::kTokenInvalid, absl::StrCat("the resume token ", why));
}

Sequence Before(Sequence s) { return Sequence(s.value() == 0 ? 0 : s.value() - 1); }

}  // namespace

absl::Status Exporter::BeginFromNothing(const federation::v1::Resume& resume) {
  if (resume.position() != 0 || !resume.link_epoch().empty()) {
    return ProtocolError("Resume has a position or an epoch, but no token");
  }
  Begin({.sequence = Before(agreed_)}, fresh_link_epoch_);
  PlaceIsKnown();
  return absl::OkStatus();
}

absl::Status Exporter::BeginAfter(const federation::v1::Resume& resume, Outputs* out) {
  if (resume.token().size() > kMaxTokenBytes || resume.link_epoch().empty() ||
      resume.link_epoch().size() > kMaxLinkEpochBytes) {
    return InvalidToken("or its epoch has an impossible size");
  }
  auto place = sealer_->Open(resume.token(), Scope(log_epoch_, resume.link_epoch()));
  if (!place.ok()) place = OpenEarlier(resume, out);
  if (!place.ok()) return InvalidToken("is not one of ours for this agreement and log");
  if (place->position.value() != resume.position()) return InvalidToken("is of another position");
  if (place->sequence.Next() < agreed_) return InvalidToken("is from before the agreement");
  if (place->sequence > head_.head) {
    return base::MakeError(Reason::kEpochRegressed,
                           "the resume token is beyond the head of the sender's log, which was "
                           "rolled back");
  }
  Begin(*place, resume.link_epoch());
  if (place->mark == 0) {
    PlaceIsKnown();
  } else {
    out->push_back(CheckPlace{place->sequence, place->mark});
  }
  return absl::OkStatus();
}

// A place in an earlier life of our log is one in this log, as far as that life is part of it. What
// the peer was sent of what was lost behind that, it has, and the log will not give it again: the
// peer goes on where the life that followed begins.
absl::StatusOr<Place> Exporter::OpenEarlier(const federation::v1::Resume& resume, Outputs* out) {
  for (const EarlierEpoch& earlier : earlier_epochs_) {
    auto place = sealer_->Open(resume.token(), Scope(earlier.epoch, resume.link_epoch()));
    if (!place.ok()) continue;
    if (place->position.value() != resume.position() || place->sequence <= earlier.last) {
      return place;
    }
    out->push_back(PeerIsAhead{.epoch = earlier.epoch,
                               .first = earlier.last.Next(),
                               .last = place->sequence,
                               .link_epoch = resume.link_epoch(),
                               .position = place->position});
    place->sequence = earlier.last;
    place->mark = 0;
    return place;
  }
  return InvalidToken("is of no life of this log");
}

void Exporter::Begin(const Place& place, std::string link_epoch) {
  link_epoch_ = std::move(link_epoch);
  sent_ = acknowledged_ = place.position;
  sent_place_ = place;
  acknowledged_through_ = place.sequence;
  next_ = place.sequence.Next();
}

void Exporter::PlaceIsKnown() {
  place_known_ = true;
  // The receiver stands behind what our ledger knows it to have: the acks in between
  // were lost with a crash of ours, and with them what it refused.
  const Sequence first = std::max(recorded_.Next(), agreed_);
  if (sent_place_.sequence < first) return;
  account_next_ = first;
  account_through_ = sent_place_.sequence;
  acknowledged_through_ = Before(first);
}

absl::Status Exporter::OnPlaceChecked(bool same) {
  if (!resume_seen_ || place_known_) return absl::OkStatus();
  if (!same) {
    return base::MakeError(Reason::kEpochRegressed,
                           "the sender's log has another event at the resume token's place: it "
                           "was rolled back");
  }
  PlaceIsKnown();
  return absl::OkStatus();
}

}  // namespace cdgate::link

#include "tests/federation/link/describe.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/fake_signer.h"

namespace cdgate::test {
namespace {

using federation::v1::Frame;
using storage::v1::LedgerRow;

std::string At(absl::Time time) {
  return absl::StrCat("t+", absl::FormatDuration(time - ScriptEpoch()));
}

std::string Epoch(const storage::v1::PolicyEpoch& epoch) {
  return absl::StrCat("policy=", epoch.policy_version(), "/", epoch.interest_version());
}

std::string Refusals(const google::protobuf::RepeatedPtrField<federation::v1::Refusal>& refusals) {
  std::string out;
  for (const auto& r : refusals) {
    absl::StrAppend(&out, " refused=", r.position(), ":", r.reason(), ":", r.rule());
  }
  return out;
}

std::string DescribeRow(const LedgerRow& row) {
  std::string out = absl::StrCat(row.horizon() ? "horizon " : "", row.first_sequence(), "..",
                                 row.last_sequence());
  if (row.has_policy_epoch()) absl::StrAppend(&out, " ", Epoch(row.policy_epoch()));
  if (row.replay() != 0) absl::StrAppend(&out, " replay=", row.replay());
  if (!row.state().empty()) absl::StrAppend(&out, " all:", row.state(), ":", row.reason());
  for (const auto& e : row.exceptions()) {
    absl::StrAppend(&out, " ", e.sequence(), ":", e.state(), ":", e.reason(), ":", e.rule());
  }
  for (const auto& c : row.counts()) {
    absl::StrAppend(&out, " +", c.count(), ":", c.state(), ":", c.reason());
  }
  return out;
}

std::string DescribeRows(const std::vector<LedgerRow>& rows) {
  return absl::StrJoin(
      rows, " | ", [](std::string* out, const LedgerRow& row) { out->append(DescribeRow(row)); });
}

std::string DescribeCount(const federation::v1::CountRequest& request) {
  return absl::StrCat("count request ", request.id(), " about ", request.origin());
}

std::string DescribeCount(const federation::v1::CountAnswer& answer) {
  return absl::StrCat("count answer ", answer.id(), " of ", answer.commitments().size(), " bytes");
}

std::string DescribeCatalogue(const federation::v1::Catalogue& catalogue) {
  std::string out = absl::StrCat("catalogue of ", catalogue.offers_size(), " offers");
  if (catalogue.truncated()) out += ", cut";
  for (const auto& request : catalogue.requests()) absl::StrAppend(&out, ", asks ", request.id());
  for (const auto& answer : catalogue.answers()) absl::StrAppend(&out, ", answers ", answer.id());
  return out;
}

std::string DescribeGroups(const federation::v1::Groups& groups) {
  std::string out = absl::StrCat("groups ", groups.groups_size());
  for (const auto& group : groups.groups()) absl::StrAppend(&out, " ", group.list());
  return out;
}

std::string DescribeInterest(const federation::v1::Interest& interest) {
  return absl::StrCat("interest version=", interest.version(), " rules=", interest.rules_size(),
                      interest.paused() ? " paused" : "");
}

std::string DescribeCursor(const link::ImportCursor& cursor) {
  return absl::StrCat("position=", cursor.position.value(), " epoch=", cursor.link_epoch,
                      " token=", cursor.token);
}

std::string DescribeAttestors(const federation::v1::Attestors& attestors) {
  std::string out = "attestors";
  for (const auto& attestor : attestors.attestors()) {
    absl::StrAppend(&out, " ", attestor.certificates(0));
  }
  return out;
}

std::string DescribeReceipt(const federation::v1::Receipt& receipt) {
  return absl::StrCat("receipt position=", receipt.position(),
                      " digest=", ReadDigest(receipt.digest()));
}

struct Describer {
  std::string operator()(const link::SendFrame& o) const {
    Frame frame;
    if (!frame.ParseFromString(link::EncodeHead(o) + o.events)) return "send: does not parse";
    return absl::StrCat("send ", DescribeFrame(frame));
  }
  std::string operator()(const link::NeedEvents& o) const {
    std::string out = absl::StrCat("need events from=", o.from.value());
    if (o.through > base::Sequence(0)) absl::StrAppend(&out, " through=", o.through.value());
    return absl::StrCat(out, " max=", o.max_events, o.account_only ? " account only" : "");
  }
  std::string operator()(const link::NeedReplay& o) const {
    return absl::StrCat("need replay ", o.number, " from=", o.from.value(),
                        " through=", o.through.value(), " max=", o.max_events);
  }
  std::string operator()(const link::CheckPlace& o) const {
    return absl::StrCat("check place ", o.sequence.value(), " mark=", o.mark);
  }
  std::string operator()(const link::WriteHorizon& o) const {
    return absl::StrCat("write ", DescribeRow(o.row));
  }
  std::string operator()(const link::CommitImport& o) const {
    return absl::StrCat("commit ", o.events.size(), o.replay ? " past" : "", " events from ",
                        o.first_position.value(), o.statement ? ", signed" : "", ", cursor ",
                        DescribeCursor(o.cursor));
  }
  std::string operator()(const link::MoveCursor& o) const {
    return absl::StrCat("move cursor ", DescribeCursor(o.cursor));
  }
  std::string operator()(const link::RecordLedger& o) const {
    return absl::StrCat("record ", DescribeRows(o.rows),
                        ", acknowledged position=", o.acknowledged_position.value(),
                        " sequence=", o.acknowledged_sequence.value());
  }
  std::string operator()(const link::RecordReplay& o) const {
    return absl::StrCat("record ", DescribeRows(o.rows), ", replay ", o.number,
                        " through=", o.through.value());
  }
  std::string operator()(const link::ReplayDone& o) const {
    return absl::StrCat("replay ", o.number, " is done");
  }
  std::string operator()(const link::GroupsReceived& o) const {
    return absl::StrCat("received ", DescribeGroups(o.groups));
  }
  std::string operator()(const link::CatalogueReceived& o) const {
    return absl::StrCat("received ", DescribeCatalogue(o.catalogue));
  }
  std::string operator()(const link::CountAsked& o) const {
    return absl::StrCat("received ", DescribeCount(o.request));
  }
  std::string operator()(const link::CountAnswered& o) const {
    return absl::StrCat("received ", DescribeCount(o.answer));
  }
  std::string operator()(const link::TrustReceived& o) const {
    return absl::StrCat("received trust ", o.update.document());
  }
  std::string operator()(const link::AttestorsReceived& o) const {
    return absl::StrCat("received ", DescribeAttestors(o.attestors));
  }
  std::string operator()(const link::ReceiptReceived& o) const {
    return absl::StrCat("received ", DescribeReceipt(o.receipt), " of ", o.link_epoch);
  }
  std::string operator()(const link::PeerIsAhead& o) const {
    return absl::StrCat("peer is ahead ", o.first.value(), "..", o.last.value(), " of ",
                        o.epoch.value(), " at ", o.position.value());
  }
  std::string operator()(const link::HistoryDisputed& o) const {
    return absl::StrCat("the peer disputes what it was sent up to ", o.position.value());
  }
  std::string operator()(const link::InterestReceived& o) const {
    return absl::StrCat("received ", DescribeInterest(o.interest));
  }
  std::string operator()(const link::PeerCaughtUp& o) const {
    return absl::StrCat("peer caught up as of ", At(o.as_of));
  }
  std::string operator()(const link::PeerExports& o) const {
    return o.stopped ? "peer stopped its exports" : "peer resumed its exports";
  }
  std::string operator()(const link::SetTimer& o) const { return absl::StrCat("timer ", At(o.at)); }
  std::string operator()(const link::StateChanged& o) const {
    return absl::StrCat("state ", link::StateName(o.from), " -> ", link::StateName(o.to));
  }
  std::string operator()(const link::CloseStream& o) const {
    std::string out = absl::StrCat("close ", base::ReasonText(o.reason),
                                   o.by_peer ? " by peer" : "", ": ", o.message);
    if (o.retry_after > absl::ZeroDuration()) {
      absl::StrAppend(&out, " (again in ", absl::FormatDuration(o.retry_after), ")");
    }
    return out;
  }
};

std::string DescribeHello(const federation::v1::Hello& h) {
  return absl::StrCat(
      "hello versions=", h.min_version(), "-", h.max_version(), " domain=", h.domain(),
      " agreement=", h.agreement_id(), " capabilities=", absl::StrJoin(h.capabilities(), ","),
      " frame=", h.max_frame_bytes(), " heartbeat=", h.heartbeat_interval().seconds(), "s");
}

}  // namespace

std::string DescribeFrame(const Frame& frame) {
  switch (frame.frame_case()) {
    case Frame::kHello: return DescribeHello(frame.hello());
    case Frame::kInterest: return DescribeInterest(frame.interest());
    case Frame::kResume:
      return absl::StrCat("resume position=", frame.resume().position(),
                          " epoch=", frame.resume().link_epoch(), " token=", frame.resume().token(),
                          frame.resume().digest().empty()
                              ? ""
                              : absl::StrCat(" digest=", ReadDigest(frame.resume().digest())));
    case Frame::kCredit:
      return absl::StrCat("credit events=", frame.credit().events(),
                          " bytes=", frame.credit().bytes());
    case Frame::kBatch: {
      std::vector<std::string> ids;
      for (const auto& e : frame.batch().events()) ids.push_back(e.cloud_event());
      return absl::StrCat(
          "batch first=", frame.batch().first_position(), " events=[", absl::StrJoin(ids, " "), "]",
          frame.batch().replay() ? " replay" : "", " epoch=", frame.batch().link_epoch(),
          " token=", frame.batch().token(),
          frame.batch().has_export_statement()
              ? absl::StrCat(" signed ", frame.batch().export_statement().signature())
              : "");
    }
    case Frame::kAck:
      return absl::StrCat("ack position=", frame.ack().position(),
                          Refusals(frame.ack().refusals()));
    case Frame::kCatalogue: return DescribeCatalogue(frame.catalogue());
    case Frame::kCountRequest: return DescribeCount(frame.count_request());
    case Frame::kCountAnswer: return DescribeCount(frame.count_answer());
    case Frame::kHeartbeat: {
      const auto& h = frame.heartbeat();
      return absl::StrCat(
          "heartbeat last=", h.last_position(), " as_of=",
          h.has_caught_up_as_of() ? At(absl::FromUnixSeconds(h.caught_up_as_of().seconds()))
                                  : "none",
          " epoch=", h.link_epoch(), " token=", h.token(),
          h.exports_stopped() ? " exports stopped" : "", " size=", frame.ByteSizeLong());
    }
    case Frame::kGroups: return DescribeGroups(frame.groups());
    case Frame::kAttestors: return DescribeAttestors(frame.attestors());
    case Frame::kTrust: return absl::StrCat("trust ", frame.trust().document());
    case Frame::kGoAway:
      return absl::StrCat("goaway ", frame.go_away().reason(), ": ", frame.go_away().message());
    default: return "nothing";
  }
}

std::string Describe(const link::Output& output) { return std::visit(Describer{}, output); }

}  // namespace cdgate::test

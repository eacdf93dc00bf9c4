// A link against a peer that says anything, and a driver that answers in any order. The
// input is a list of steps; each begins with a byte that says what it is. Whatever
// happens, the link keeps its promises (link.h) and ends with one reason.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "federation/link/blocks.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/describe.h"
#include "tests/federation/link/fake_sealer.h"
#include "tests/federation/link/received.h"

namespace cdgate {
namespace {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  bool empty() const { return at_ == end_; }
  uint8_t Byte() { return empty() ? 0 : *at_++; }
  std::string Bytes(size_t n) {
    n = std::min<size_t>(n, static_cast<size_t>(end_ - at_));
    std::string out(reinterpret_cast<const char*>(at_), n);
    at_ += n;
    return out;
  }

 private:
  const uint8_t* at_;
  const uint8_t* end_;
};

// Frames that get far, with small numbers from the input.
federation::v1::Frame MakeFrame(Input& in) {
  federation::v1::Frame frame;
  switch (in.Byte() % 10) {
    case 0:
      frame.mutable_hello()->set_min_version(1);
      frame.mutable_hello()->set_max_version(in.Byte() % 3);
      frame.mutable_hello()->set_domain("b");
      frame.mutable_hello()->set_instance("i");
      frame.mutable_hello()->set_agreement_id("ag");
      frame.mutable_hello()->set_max_frame_bytes(1 << 20);
      frame.mutable_hello()->add_capabilities(in.Byte() % 4 == 0 ? "other" : "replay");
      frame.mutable_hello()->add_capabilities(in.Byte() % 4 == 0 ? "trust" : "groups");
      frame.mutable_hello()->add_capabilities("catalogue");
      frame.mutable_hello()->add_capabilities("counts");
      frame.mutable_hello()->mutable_heartbeat_interval()->set_seconds(in.Byte() % 8);
      break;
    case 1:
      frame.mutable_interest()->set_version(in.Byte());
      frame.mutable_interest()->set_paused(in.Byte() % 4 == 0);
      break;
    case 2: {
      const uint8_t position = in.Byte();
      if (position % 2 == 0) {
        frame.mutable_resume();
        break;
      }
      frame.mutable_resume()->set_position(position);
      frame.mutable_resume()->set_link_epoch("E");
      frame.mutable_resume()->set_token(
          test::FakeSealer().Seal({base::Sequence(in.Byte()), base::Position(position), in.Byte()},
                                  {"b", "ag", base::Epoch("L"), "E"}));
      break;
    }
    case 3:
      frame.mutable_credit()->set_events(in.Byte());
      frame.mutable_credit()->set_bytes(in.Byte() * 16u);
      break;
    case 4:
      frame.mutable_batch()->set_first_position(in.Byte());
      for (int n = in.Byte() % 4; n > 0; --n) frame.mutable_batch()->add_events();
      frame.mutable_batch()->set_token(in.Bytes(in.Byte() % 4));
      frame.mutable_batch()->set_link_epoch(in.Byte() % 8 == 0 ? "" : "E");
      frame.mutable_batch()->set_replay(in.Byte() % 2 == 0);
      break;
    case 5:
      frame.mutable_ack()->set_position(in.Byte());
      for (int n = in.Byte() % 3; n > 0; --n) {
        frame.mutable_ack()->add_refusals()->set_position(in.Byte());
      }
      break;
    case 6:
      frame.mutable_heartbeat()->set_last_position(in.Byte());
      frame.mutable_heartbeat()->set_token("t");
      frame.mutable_heartbeat()->set_link_epoch(in.Byte() % 4 == 0 ? "" : "E");
      frame.mutable_heartbeat()->mutable_caught_up_as_of()->set_seconds(
          static_cast<int64_t>(in.Byte()) << (in.Byte() % 60));
      break;
    case 7:
      frame.mutable_go_away()->set_reason(in.Byte() % 2 == 0 ? "DRAINING" : in.Bytes(4));
      frame.mutable_go_away()->mutable_retry_after()->set_seconds(static_cast<int64_t>(in.Byte())
                                                                  << (in.Byte() % 60));
      break;
    case 8:
      for (int n = in.Byte() % 80, odd = n % 2; n > 0; --n) {
        if (odd == 0) frame.mutable_groups()->add_groups();
        if (odd == 1) frame.mutable_catalogue()->add_requests();
        if (n == 7) frame.mutable_count_request()->set_page(7);
        if (n == 8) frame.mutable_count_answer()->set_reason("NOT_FOUND");
      }
      break;
    default: {
      const std::string bytes = in.Bytes(in.Byte());
      if (!frame.ParseFromString(bytes)) frame.Clear();
    }
  }
  return frame;
}

class Driver {
 public:
  Driver() : link_(Config()) {}

  void Step(link::Input input) {
    for (link::Output& output : link_.Step(std::move(input), now_)) {
      if (closed_) abort();
      if (std::get_if<link::SendFrame>(&output) != nullptr) {
        if (writing_) abort();
        writing_ = true;
      }
      if (auto* need = std::get_if<link::NeedEvents>(&output)) {
        if (need->max_events == 0 || need->max_events > link::kMaxBatchEvents) abort();
        need_ = *need;
      }
      if (auto* need = std::get_if<link::NeedReplay>(&output)) {
        if (need->max_events == 0 || need->max_events > link::kMaxBatchEvents) abort();
        if (need->number != number_ || need->through < need->from) abort();
        replay_ = *need;
      }
      if (auto* ledger = std::get_if<link::RecordLedger>(&output)) CheckRows(ledger->rows);
      if (auto* done = std::get_if<link::ReplayDone>(&output)) {
        if (done->number != number_) abort();
      }
      if (auto* import = std::get_if<link::CommitImport>(&output)) {
        received_ = import->cursor.position;
      }
      if (std::get_if<link::CloseStream>(&output) != nullptr) closed_ = true;
      if (test::Describe(output).empty()) abort();
    }
    if (link_.exporter().unacknowledged() > 64) abort();
  }

  void Run(Input& in) {
    switch (in.Byte() % 20) {
      case 0: now_ += absl::Milliseconds(in.Byte() * 50); return Step(link::Tick{});
      case 1: head_ += in.Byte(); return Step(link::HeadMoved{base::Sequence(head_), now_});
      case 2: return Decide(in);
      case 3: return Step(link::Committed{received_, {}});
      case 4: return Step(link::HorizonWritten{base::Sequence(in.Byte() * 64u)});
      case 5: return Step(link::PlaceChecked{in.Byte() % 4 != 0});
      case 6: return Step(link::PolicyChanged{});
      case 7: return Step(link::InterestChanged{});
      case 8:
        if (in.Byte() == 0) Step(link::Drain{});
        return;
      case 9:
        if (in.Byte() == 0) Step(link::FrameMalformed{});
        return;
      case 12: return DecideReplay(in);
      case 13: return ChangeJob(in);
      case 14: {
        link::GroupsChanged change;
        for (int n = in.Byte() % 80; n > 0; --n) change.groups.add_groups();
        Step(std::move(change));
        link::TrustChanged trust;
        trust.update.set_document(in.Bytes(in.Byte()));
        return Step(std::move(trust));
      }
      case 10:
      case 11:
        if (std::exchange(writing_, false)) Step(link::Written{});
        return;
      default: {
        const auto frame = MakeFrame(in);
        return Step(test::Received(frame, in.Byte() * 4u));
      }
    }
  }

  void End() {
    Step(link::StreamClosed{absl::OkStatus()});
    if (!closed_ || link_.state() != link::State::kClosed) abort();
  }

 private:
  link::LinkConfig Config() const {
    link::LinkConfig config;
    config.domain = "a";
    config.instance = "i";
    config.peer = "b";
    config.agreement_id = "ag";
    config.capabilities = {"catalogue", "counts", "groups", "replay", "trust"};
    config.acknowledged = base::Sequence(kRecorded);
    config.log_epoch = base::Epoch("L");
    config.head = base::Sequence(100);
    config.fresh_link_epoch = "E";
    config.sealer = &sealer_;
    config.max_unacknowledged = 64;
    config.window_events = 16;
    config.window_bytes = 4096;
    return config;
  }

  void Decide(Input& in) {
    link::Decided decided;
    decided.request = need_.request - (in.Byte() % 8 == 0 ? 1 : 0);
    Scan(in, need_.from, need_.through, need_.account_only ? 0 : need_.max_events, &decided);
    Step(std::move(decided));
  }

  void DecideReplay(Input& in) {
    link::Decided decided;
    decided.request = replay_.request - (in.Byte() % 8 == 0 ? 1 : 0);
    Scan(in, replay_.from, replay_.through, replay_.max_events, &decided);
    Step(link::ReplayDecided{std::move(decided)});
  }

  // Some of what was asked for, or nothing where all of it is gone.
  static void Scan(Input& in, base::Sequence from, base::Sequence through, size_t max_events,
                   link::Decided* decided) {
    decided->first = from.Plus(in.Byte() % 8 == 0 ? 3 : 0);
    decided->last = decided->first.Plus(in.Byte() % 8);
    if (through > base::Sequence(0)) decided->last = std::min(decided->last, through);
    for (base::Sequence s = decided->first; s <= decided->last; s = s.Next()) {
      if (in.Byte() % 2 == 0 || decided->sequences.size() >= max_events) {
        link::AddCount("denied", "no_rule", 1, &decided->counts);
        continue;
      }
      link::AppendRelayedEvent("e", "", &decided->events);
      decided->sequences.push_back(s);
    }
  }

  void ChangeJob(Input& in) {
    link::ReplayChanged change;
    if (in.Byte() % 4 != 0) {
      link::ReplayJob& job = change.job.emplace();
      job.number = ++number_;
      job.first = base::Sequence(in.Byte());
      job.last = job.first.Plus(in.Byte());
      for (int n = in.Byte() % 4; n > 0 && job.first > base::Sequence(0); --n) {
        const base::Sequence next = job.first.Plus(in.Byte());
        if (next > job.last || (!job.sequences.empty() && next <= job.sequences.back())) break;
        job.sequences.push_back(next);
      }
      change.through = base::Sequence(in.Byte() % 4 == 0 ? in.Byte() : 0);
    }
    Step(std::move(change));
  }

  // In order, each sequence once, and every one counted.
  void CheckRows(const std::vector<storage::v1::LedgerRow>& rows) {
    for (const auto& row : rows) {
      if (row.first_sequence() <= recorded_ || row.last_sequence() < row.first_sequence()) abort();
      uint64_t counted = 0;
      for (const auto& count : row.counts()) counted += count.count();
      if (counted != row.last_sequence() - row.first_sequence() + 1) abort();
      recorded_ = row.last_sequence();
    }
  }

  static constexpr uint64_t kRecorded = 8;

  test::FakeSealer sealer_;
  link::Link link_;
  absl::Time now_ = test::ScriptEpoch();
  link::NeedEvents need_;
  link::NeedReplay replay_;
  uint64_t number_ = 0;  // of the newest job
  uint64_t recorded_ = kRecorded;
  base::Position received_{};
  uint64_t head_ = 100;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace
}  // namespace cdgate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdgate::Input input(data, size);
  cdgate::Driver driver;
  driver.Step(cdgate::link::StreamOpened{});
  while (!input.empty()) driver.Run(input);
  driver.End();
  return 0;
}

#include "tests/federation/link/simulation_network.h"

#include <utility>

namespace cdgate::test {
namespace {

constexpr size_t kKept = 6;  // frames that may come again

}  // namespace

void Network::Open() {
  a_to_b.frames.clear();
  b_to_a.frames.clear();
}

void Network::Cut() {
  for (Wire* wire : {&a_to_b, &b_to_a}) {
    if (world_.Chance(50)) wire->frames.clear();
  }
}

void Network::Partition() {
  const int until = world_.step_ + 20 + static_cast<int>(world_.Below(120));
  const uint64_t way = world_.Below(3);
  if (way != 0) a_to_b.blocked_until = until;
  if (way != 1) b_to_a.blocked_until = until;
}

void Network::Heal() {
  for (Wire* wire : {&a_to_b, &b_to_a}) {
    wire->blocked_until = 0;
    wire->old.clear();
  }
}

std::optional<std::string> Network::Next(Wire& wire, bool hostile, const Side& to) {
  if (world_.step_ < wire.blocked_until) return std::nullopt;
  if (hostile && world_.faults().byzantine && to.name_ == "a" && world_.Chance(8)) {
    return Forged(to);
  }
  if (hostile && world_.faults().lossy && world_.Chance(4)) return Mangled(wire);
  if (wire.frames.empty()) return std::nullopt;
  std::string bytes = std::move(wire.frames.front());
  wire.frames.pop_front();
  if (world_.faults().lossy) {
    wire.old.push_back(bytes);
    if (wire.old.size() > kKept) wire.old.pop_front();
  }
  return bytes;
}

// A frame is lost, comes before the one ahead of it, is cut short, or comes again: the tail
// of a connection that is over, too.
std::optional<std::string> Network::Mangled(Wire& wire) {
  auto& frames = wire.frames;
  switch (world_.Below(4)) {
    case 0:
      if (!frames.empty()) frames.pop_front();
      return std::nullopt;
    case 1:
      if (frames.size() > 1) std::swap(frames[0], frames[1]);
      return std::nullopt;
    case 2: {
      if (frames.empty()) return std::nullopt;
      std::string bytes = std::move(frames.front());
      frames.pop_front();
      bytes.resize(world_.Below(bytes.size() + 1));
      return bytes;
    }
    default:
      if (wire.old.empty()) return std::nullopt;
      return wire.old[world_.Below(wire.old.size())];
  }
}

std::string Network::ForgedBatch(const Side& to) {
  federation::v1::Frame frame;
  auto& batch = *frame.mutable_batch();
  const uint64_t next = to.link_ ? to.link_->importer().received().value() + 1 : 1;
  batch.set_first_position(world_.Chance(80) ? next : world_.Below(1000));
  for (uint64_t n = world_.Below(4); n > 0; --n) {
    batch.add_events()->set_accepted_time_nanos(
        static_cast<int64_t>(kFirstForgedId + world_.next_id++));
  }
  batch.set_token(world_.Chance(90) ? "forged" : "");
  batch.set_link_epoch(world_.Chance(70) ? to.disk_.cursor.link_epoch : "forged");
  batch.set_replay(world_.Chance(30));
  return frame.SerializeAsString();
}

// Something that no honest peer would say here, or says with other numbers.
std::string Network::Forged(const Side& to) {
  federation::v1::Frame frame;
  switch (world_.Below(9)) {
    case 0:
    case 1:
    case 2: return ForgedBatch(to);
    case 3: {
      auto& ack = *frame.mutable_ack();
      ack.set_position(to.link_ ? to.link_->exporter().sent_position().value() : 0);
      if (world_.Chance(50)) ack.set_position(world_.Below(40));
      if (world_.Chance(40)) ack.add_refusals()->set_position(world_.Below(40));
      break;
    }
    case 4:
      frame.mutable_credit()->set_events(world_.Below(1000));
      frame.mutable_credit()->set_bytes(world_.Below(100'000));
      break;
    case 5:
      frame.mutable_interest()->set_version(world_.Below(50));
      frame.mutable_interest()->set_paused(world_.Chance(30));
      break;
    case 6:
      frame.mutable_resume()->set_token(world_.Chance(50) ? "" : "forged");
      frame.mutable_resume()->set_position(world_.Below(3));
      break;
    case 7:
      frame.mutable_heartbeat()->set_last_position(world_.Below(40));
      frame.mutable_heartbeat()->set_token("forged");
      frame.mutable_heartbeat()->set_link_epoch(to.disk_.cursor.link_epoch);
      break;
    default: return std::string(world_.Below(40), static_cast<char>(world_.Below(256)));
  }
  return frame.SerializeAsString();
}

}  // namespace cdgate::test

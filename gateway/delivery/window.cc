#include "gateway/delivery/window.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"

namespace cdgate::delivery {

void Window::Offer(std::vector<event::CommitPtr> commits) {
  commits_ = std::move(commits);
  commit_ = 0;
  record_ = 0;
}

void Window::Release() { Offer({}); }

bool Window::Full() const {
  return complete() || outstanding_.size() >= limits_.max_events ||
         outstanding_bytes_ >= limits_.max_bytes;
}

bool Window::HasRoom(const event::Record& record, const Frame& frame) const {
  if (Full()) return false;
  if (frame.records.empty() && outstanding_.empty()) return true;  // however large
  if (outstanding_bytes_ + record.byte_size() > limits_.max_bytes) return false;
  if (frame.records.empty()) return true;
  return !limits_.one_per_frame && frame.bytes + record.byte_size() <= frame_bytes_;
}

void Window::Deliver(const event::Record& record, Frame* frame) {
  frame->records.push_back(&record);
  frame->bytes += record.byte_size();
  delivered_ = record.sequence();
  ++count_;
  if (limits_.auto_ack) {
    acknowledged_ = record.sequence();
    return;
  }
  outstanding_.push_back({record.sequence(), record.byte_size()});
  outstanding_bytes_ += record.byte_size();
}

// False where no room is left for the next event.
bool Window::Scan(const event::Commit& commit, ReadScope& scope, Frame* frame) {
  // It may have been looked at in part, and released since.
  if (scanned_ >= commit.first_sequence) {
    record_ = std::max<size_t>(record_, scanned_.value() + 1 - commit.first_sequence.value());
  }
  for (; record_ < commit.events.size(); ++record_) {
    const event::Record& record = commit.events[record_];
    if (Full()) return false;
    if (scope.Covers(record)) {
      if (!HasRoom(record, *frame)) return false;
      Deliver(record, frame);
    }
    scanned_ = record.sequence();
  }
  return true;
}

std::optional<Window::Frame> Window::Next(ReadScope& scope, size_t frame_bytes) {
  frame_bytes_ = frame_bytes;
  Frame frame;
  bool room = true;
  while (commit_ < commits_.size() && (room = Scan(*commits_[commit_], scope, &frame))) {
    ++commit_;
    record_ = 0;
  }
  blocked_ = !room && frame.records.empty();
  if (frame.records.empty()) return std::nullopt;
  return frame;
}

absl::Status Window::Acknowledge(base::Sequence sequence) {
  if (sequence > scanned_) {
    return base::MakeError(
        base::Reason::kInvalidArgument,
        absl::StrCat("ack of ", sequence.value(), ", but only events up to ", scanned_.value(),
                     " were delivered; acknowledge what was received"),
        {{"field", "ack.sequence"}});
  }
  while (!outstanding_.empty() && outstanding_.front().sequence <= sequence) {
    outstanding_bytes_ -= outstanding_.front().bytes;
    outstanding_.pop_front();
  }
  acknowledged_ = std::max(acknowledged_, sequence);
  blocked_ = false;
  return absl::OkStatus();
}

}  // namespace cdgate::delivery

// A trace as people read it: each event under the one that it follows, and what this domain does
// not hold.
//
//   TraceTree tree;
//   for (page...) tree.Add(page);
//   out << tree.Text(100);
//
//   SEQ    EVENT                          SUBJECT   ORIGIN         ACCEPTED
//   2      change.merged.0.3.0            pr-1      alpha.example  2026-01-01T00:00:02Z
//   4      └─ build.finished.0.3.0        build-1   alpha.example  2026-01-01T00:00:04Z
//             · PATH 9f1c…: not held here
//
// An event that links of several kinds lead to stands under the one that it follows (PATH, END),
// else under what it is related to; the others are named below it. Links that go round in a circle
// are cut at its oldest event. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cdgate/events/v1/events.pb.h"

namespace cdgate::cli {

// Not thread-safe.
class TraceTree {
 public:
  // The events of one page; those that are there already stay.
  void Add(const events::v1::TraceResponse& page);

  bool empty() const { return events_.empty(); }
  // Events of the chain, and those that links lead to.
  size_t in_chain() const;
  size_t linked() const { return events_.size() - in_chain(); }
  // All of it, by sequence.
  events::v1::TraceResponse Response() const;
  // Lines of at most `width` columns, at least 80.
  std::string Text(size_t width) const;

 private:
  using Event = events::v1::TracedEvent;
  struct Line {
    const Event* event = nullptr;
    std::string branch;  // "│  └─ "
    std::string below;   // what notes about it begin with
  };

  uint64_t ParentOf(const Event& event) const;
  std::vector<Line> Lines() const;
  void Walk(uint64_t sequence, const std::string& branch, const std::string& below,
            const std::map<uint64_t, std::vector<uint64_t>>& children, std::set<uint64_t>* seen,
            std::vector<Line>* lines) const;
  std::vector<std::string> NotesOf(const Event& event) const;

  std::string chain_;
  std::map<uint64_t, Event> events_;  // by sequence
};

}  // namespace cdgate::cli

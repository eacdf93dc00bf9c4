#include "gateway/cli/trace_tree.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/format.h"

namespace cdgate::cli {
namespace {

using events::v1::TracedEvent;
using events::v1::TracedLink;

constexpr size_t kLeastWidth = 80;
constexpr size_t kSequence = 6;
constexpr size_t kTime = 20;
constexpr size_t kGap = 2;

bool Follows(const TracedLink& link) {
  return link.type() == events::v1::LINK_TYPE_PATH || link.type() == events::v1::LINK_TYPE_END;
}

// "PATH", "RELATION FIXES".
std::string KindOf(const TracedLink& link) {
  std::string text =
      absl::StrCat(absl::StripPrefix(events::v1::LinkType_Name(link.type()), "LINK_TYPE_"));
  if (link.type() == events::v1::LINK_TYPE_UNSPECIFIED) text = "link";
  return link.kind().empty() ? text : absl::StrCat(text, " ", base::Shorten(link.kind()));
}

std::string CameFrom(const TracedEvent& event) {
  if (event.received_from().empty()) return "";
  std::string text = absl::StrCat("came from ", event.received_from());
  if (event.path_size() > 1) absl::StrAppend(&text, ", by ", absl::StrJoin(event.path(), " > "));
  return text;
}

// What is to be said of a link that leads to no event here; "" where there is nothing.
std::string Missing(const TracedEvent& event, const TracedLink& link) {
  const std::string what = absl::StrCat(KindOf(link), " ", base::Shorten(link.context_id()));
  switch (link.target()) {
    case events::v1::LINK_TARGET_NOT_HELD:
      return absl::StrCat(what, ": not held here",
                          event.received_from().empty()
                              ? "; it may be another domain's"
                              : absl::StrCat("; the boundary of ", event.received_from()));
    case events::v1::LINK_TARGET_REMOVED:
      return absl::StrCat(what, ": it was here; retention removed it");
    case events::v1::LINK_TARGET_SUBSTITUTED:
      return absl::StrCat(what, ": a pseudonym; the boundary of ", event.received_from());
    case events::v1::LINK_TARGET_HELD: return "";
    default: break;
  }
  if (!link.domain_id().empty()) {
    return absl::StrCat(KindOf(link), " ", base::Shorten(link.domain_id()), ": no event");
  }
  return link.context_id().empty() ? "" : absl::StrCat(what, ": not looked up");
}

std::string Cell(absl::string_view text, size_t width) {
  std::string cell = Fit(text.empty() ? "-" : text, width);
  cell.append(width - std::min(width, Width(cell)) + kGap, ' ');
  return cell;
}

}  // namespace

void TraceTree::Add(const events::v1::TraceResponse& page) {
  if (!page.chain_id().empty()) chain_ = page.chain_id();
  for (const Event& event : page.events()) events_.try_emplace(event.sequence(), event);
}

size_t TraceTree::in_chain() const {
  return static_cast<size_t>(std::count_if(
      events_.begin(), events_.end(), [](const auto& each) { return each.second.in_chain(); }));
}

events::v1::TraceResponse TraceTree::Response() const {
  events::v1::TraceResponse response;
  response.set_chain_id(chain_);
  for (const auto& [sequence, event] : events_) *response.add_events() = event;
  return response;
}

// 0: none.
uint64_t TraceTree::ParentOf(const Event& event) const {
  for (const bool follows : {true, false}) {
    for (const TracedLink& link : event.links()) {
      if (Follows(link) != follows) continue;
      for (const uint64_t sequence : link.sequences()) {
        if (sequence != event.sequence() && events_.contains(sequence)) return sequence;
      }
    }
  }
  return 0;
}

void TraceTree::Walk(uint64_t sequence, const std::string& branch, const std::string& below,
                     const std::map<uint64_t, std::vector<uint64_t>>& children,
                     std::set<uint64_t>* seen, std::vector<Line>* lines) const {
  struct Step {
    uint64_t sequence;
    std::string branch, below;
  };
  std::vector<Step> steps = {{sequence, branch, below}};
  while (!steps.empty()) {
    const Step step = std::move(steps.back());
    steps.pop_back();
    if (!seen->insert(step.sequence).second) continue;
    lines->push_back(
        {.event = &events_.at(step.sequence), .branch = step.branch, .below = step.below});
    const auto found = children.find(step.sequence);
    if (found == children.end()) continue;
    for (auto child = found->second.rbegin(); child != found->second.rend(); ++child) {
      const bool last = child == found->second.rbegin();
      steps.push_back({*child, absl::StrCat(step.below, last ? "└─ " : "├─ "),
                       absl::StrCat(step.below, last ? "   " : "│  ")});
    }
  }
}

std::vector<TraceTree::Line> TraceTree::Lines() const {
  std::map<uint64_t, std::vector<uint64_t>> children;
  std::vector<uint64_t> roots;
  for (const auto& [sequence, event] : events_) {
    const uint64_t parent = ParentOf(event);
    (parent == 0 ? roots : children[parent]).push_back(sequence);
  }
  std::set<uint64_t> seen;
  std::vector<Line> lines;
  for (const uint64_t root : roots) Walk(root, "", "", children, &seen, &lines);
  // What is left hangs on circles.
  for (const auto& [sequence, event] : events_) {
    if (!seen.contains(sequence)) Walk(sequence, "", "", children, &seen, &lines);
  }
  return lines;
}

std::vector<std::string> TraceTree::NotesOf(const Event& event) const {
  std::vector<std::string> notes;
  const auto add = [&notes](std::string note) {
    if (!note.empty()) notes.push_back(std::move(note));
  };
  add(CameFrom(event));
  if (event.chain_substituted()) {
    add(absl::StrCat("its chain is a pseudonym; the boundary of ", event.received_from()));
  }
  if (event.links_withheld()) {
    add(absl::StrCat("links of it were withheld; the boundary of ", event.received_from()));
  }
  const uint64_t parent = ParentOf(event);
  for (const TracedLink& link : event.links()) {
    add(Missing(event, link));
    std::vector<std::string> others;
    for (const uint64_t sequence : link.sequences()) {
      if (sequence != parent) others.push_back(absl::StrCat(sequence));
    }
    if (!others.empty()) add(absl::StrCat(KindOf(link), " to ", absl::StrJoin(others, ", ")));
    if (link.type() == events::v1::LINK_TYPE_END) add("the chain ends here");
  }
  if (event.more_links() > 0) add(absl::StrCat(event.more_links(), " more links"));
  return notes;
}

std::string TraceTree::Text(size_t width) const {
  width = std::max(width, kLeastWidth);
  const size_t rest = width - kSequence - kTime - 4 * kGap;
  const size_t origin = std::min<size_t>(rest / 4, 24);
  const size_t subject = rest / 4;
  const size_t tree = rest - origin - subject;
  std::string text = absl::StrCat(Cell("SEQ", kSequence), Cell("EVENT", tree),
                                  Cell("SUBJECT", subject), Cell("ORIGIN", origin), "ACCEPTED\n");
  for (const Line& line : Lines()) {
    const Event& event = *line.event;
    const absl::string_view type = absl::StripPrefix(event.type(), "dev.cdevents.");
    const std::string name = event.in_chain() ? std::string(type) : absl::StrCat("(", type, ")");
    absl::StrAppend(&text, Cell(absl::StrCat(event.sequence()), kSequence),
                    Cell(absl::StrCat(line.branch, name), tree), Cell(event.subject(), subject),
                    Cell(event.origin(), origin),
                    TimeText(event.has_accept_time(), event.accept_time()), "\n");
    for (const std::string& note : NotesOf(event)) {
      const std::string indented = absl::StrCat(Cell(" ", kSequence), line.below, "· ", note);
      absl::StrAppend(&text, Fit(indented, width), "\n");
    }
  }
  return text;
}

}  // namespace cdgate::cli

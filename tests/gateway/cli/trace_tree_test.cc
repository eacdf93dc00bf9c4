#include "gateway/cli/trace_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/cli/format.h"
#include "tests/support/golden.h"

namespace cdgate::cli {
namespace {

using events::v1::TracedEvent;
using events::v1::TracedLink;
using events::v1::TraceResponse;

TracedEvent* AddEvent(uint64_t sequence, const std::string& type, const std::string& subject,
                      TraceResponse* page) {
  TracedEvent* const event = page->add_events();
  event->set_sequence(sequence);
  event->set_type(absl::StrCat("dev.cdevents.", type));
  event->set_subject(subject);
  event->set_origin("alpha.example");
  event->set_id(absl::StrCat("id-", sequence));
  event->set_in_chain(true);
  event->mutable_accept_time()->set_seconds(1767225600 + static_cast<int64_t>(sequence));
  return event;
}

void AddLink(events::v1::LinkType type, uint64_t target, TracedEvent* event,
             const std::string& kind = "") {
  TracedLink* const link = event->add_links();
  link->set_type(type);
  link->set_kind(kind);
  link->set_context_id(absl::StrCat("id-", target));
  link->set_target(events::v1::LINK_TARGET_HELD);
  link->add_sequences(target);
}

void AddMissing(events::v1::LinkTarget target, const std::string& id, TracedEvent* event) {
  TracedLink* const link = event->add_links();
  link->set_type(events::v1::LINK_TYPE_PATH);
  link->set_context_id(id);
  link->set_target(target);
}

TraceResponse Sample() {
  TraceResponse page;
  page.set_chain_id("4c8cb7dd");
  TracedEvent* const end = AddEvent(12, "service.deployed.0.3.0", "shop", &page);
  AddLink(events::v1::LINK_TYPE_END, 9, end);
  AddLink(events::v1::LINK_TYPE_RELATION, 8, end, "USES");
  AddEvent(3, "change.merged.0.3.0", "pr-17", &page);
  TracedEvent* const build = AddEvent(5, "build.finished.0.3.0", "build-1", &page);
  AddLink(events::v1::LINK_TYPE_PATH, 3, build);
  AddMissing(events::v1::LINK_TARGET_NOT_HELD, "nowhere", build);
  AddMissing(events::v1::LINK_TARGET_REMOVED, "gone", build);
  TracedEvent* const suite = AddEvent(7, "testsuiterun.finished.0.3.0", "suite-1", &page);
  AddLink(events::v1::LINK_TYPE_PATH, 3, suite);
  TracedEvent* const artifact =
      AddEvent(9, "artifact.published.0.3.0", "pkg:oci/shop@sha256%3Aabc", &page);
  AddLink(events::v1::LINK_TYPE_PATH, 5, artifact);
  AddLink(events::v1::LINK_TYPE_RELATION, 7, artifact, "TESTED_BY");
  TracedEvent* const theirs = AddEvent(8, "artifact.signed.0.3.0", "pkg:oci/base", &page);
  theirs->set_in_chain(false);
  theirs->set_origin("beta.example");
  theirs->set_received_from("gamma.example");
  theirs->add_path("beta.example");
  theirs->add_path("gamma.example");
  theirs->set_chain_substituted(true);
  AddMissing(events::v1::LINK_TARGET_SUBSTITUTED, "p-9f1c", theirs);
  AddMissing(events::v1::LINK_TARGET_NOT_HELD, "kept-by-them", theirs);
  theirs->set_links_withheld(true);
  theirs->set_more_links(2);
  return page;
}

TEST(TraceTreeTest, ShowsEachEventUnderTheOneThatItFollows) {
  TraceTree tree;
  tree.Add(Sample());
  tree.Add(Sample());  // a page again changes nothing
  EXPECT_EQ(tree.in_chain(), 5u);
  EXPECT_EQ(tree.linked(), 1u);
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/cli/testdata/trace_tree.txt", tree.Text(100)));
  EXPECT_EQ(tree.Response().events(0).sequence(), 3u) << "by sequence";
}

TEST(TraceTreeTest, FitsTheWidth) {
  TraceTree tree;
  tree.Add(Sample());
  for (const size_t width : {10u, 80u, 100u, 140u}) {
    for (const absl::string_view line : absl::StrSplit(tree.Text(width), '\n')) {
      EXPECT_LE(Width(line), std::max<size_t>(width, 80)) << line;
    }
  }
}

TEST(TraceTreeTest, CirclesAreCut) {
  TraceResponse page;
  for (const auto& [sequence, target] :
       {std::pair{1, 3}, std::pair{2, 1}, std::pair{3, 2}, std::pair{4, 4}}) {
    AddLink(events::v1::LINK_TYPE_PATH, static_cast<uint64_t>(target),
            AddEvent(static_cast<uint64_t>(sequence), "build.queued.0.3.0", "b", &page));
  }
  TraceTree tree;
  tree.Add(page);
  std::vector<std::string> first;
  for (const absl::string_view line : absl::StrSplit(tree.Text(100), '\n')) {
    if (!line.empty() && line[0] != ' ') first.push_back(std::string(line.substr(0, 1)));
  }
  EXPECT_EQ(first, (std::vector<std::string>{"S", "4", "1", "2", "3"})) << tree.Text(100);
}

TEST(TraceTreeTest, ALongChainNeedsNoStack) {
  TraceResponse page;
  for (uint64_t sequence = 1; sequence <= 20'000; ++sequence) {
    TracedEvent* const event = AddEvent(sequence, "build.queued.0.3.0", "b", &page);
    if (sequence > 1) AddLink(events::v1::LINK_TYPE_PATH, sequence - 1, event);
  }
  TraceTree tree;
  tree.Add(page);
  const std::string text = tree.Text(100);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20'001);
}

}  // namespace
}  // namespace cdgate::cli

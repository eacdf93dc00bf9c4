#include "gateway/api/plan_summary.h"

#include <algorithm>

namespace cdgate::api {
namespace {

constexpr size_t kMaxCounts = 100;
constexpr size_t kMaxSamples = 10;
// Of types and sources: what comes when there are so many counts in the list's total only.
constexpr size_t kMaxKinds = 10'000;

size_t IndexOf(admin::v1::PlanListKind list) {
  return static_cast<size_t>(list) - admin::v1::PLAN_LIST_KIND_NEWLY;
}

std::string NumberBytes(uint64_t number) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(number >> shift & 0xff));
  }
  return out;
}

// Each part with its length before it, so that none can run into the next.
void HashIdentity(const event::Record& record, crypto::Sha256Hasher* hasher) {
  hasher->Update(NumberBytes(record.sequence().value()));
  for (const absl::string_view part : {record.origin(), record.source(), record.id()}) {
    hasher->Update(NumberBytes(part.size()));
    hasher->Update(part);
  }
}

}  // namespace

void PlanSummary::Add(const Difference& difference) {
  List& list = lists_[IndexOf(difference.list)];
  const event::Record& record = *difference.record;
  ++list.events;
  HashIdentity(record, &list.hasher);
  if (list.samples.size() < kMaxSamples) list.samples.push_back(difference.ToProto(true));
  std::pair<std::string, std::string> kind(record.type(), record.source());
  const auto known = list.counts.find(kind);
  if (known != list.counts.end()) {
    ++known->second;
  } else if (list.counts.size() < kMaxKinds) {
    list.counts.emplace(std::move(kind), 1);
  }
}

uint64_t PlanSummary::events(admin::v1::PlanListKind list) const {
  return lists_[IndexOf(list)].events;
}

void PlanSummary::DescribeList(const List& list, admin::v1::PlanList* out) const {
  out->set_events(list.events);
  using Entry = std::pair<std::pair<std::string, std::string>, uint64_t>;
  std::vector<Entry> counts(list.counts.begin(), list.counts.end());
  std::stable_sort(counts.begin(), counts.end(),
                   [](const Entry& a, const Entry& b) { return a.second > b.second; });
  if (counts.size() > kMaxCounts) counts.resize(kMaxCounts);
  for (const auto& [kind, events] : counts) {
    admin::v1::PlanCount* const count = out->add_counts();
    count->set_type(kind.first);
    count->set_source(kind.second);
    count->set_events(events);
  }
  for (const admin::v1::PlanEvent& sample : list.samples) *out->add_samples() = sample;
}

void PlanSummary::Describe(admin::v1::Plan* plan) const {
  DescribeList(lists_[0], plan->mutable_newly());
  DescribeList(lists_[1], plan->mutable_no_longer());
  DescribeList(lists_[2], plan->mutable_more_content());
}

std::string PlanSummary::IdentitiesDigest() {
  std::string digests;
  for (List& list : lists_) digests += list.hasher.Final();
  return crypto::Sha256(digests);
}

}  // namespace cdgate::api

#include "gateway/api/trace_page.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "gateway/api/times.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using events::v1::TracedEvent;
using events::v1::TracedLink;

events::v1::LinkType TypeOf(absl::string_view type) {
  if (type == "PATH") return events::v1::LINK_TYPE_PATH;
  if (type == "END") return events::v1::LINK_TYPE_END;
  if (type == "RELATION") return events::v1::LINK_TYPE_RELATION;
  if (type == "START") return events::v1::LINK_TYPE_START;
  return events::v1::LINK_TYPE_UNSPECIFIED;
}

bool PointsAtChain(absl::string_view pointer) {
  return pointer == "/context/chainId" || pointer == "/context/chain_id";
}

bool IsAtOrUnder(absl::string_view pointer, absl::string_view above) {
  return absl::StartsWith(pointer, above) &&
         (pointer.size() == above.size() || pointer[above.size()] == '/');
}

bool IsSubstituted(const event::StoredView& stored, absl::string_view pointer) {
  bool is = false;
  stored.ForEachSubstituted([&](absl::string_view each) { is = is || IsAtOrUnder(pointer, each); });
  return is;
}

TracedEvent Describe(const event::Record& record) {
  TracedEvent out;
  out.set_sequence(record.sequence().value());
  out.set_origin(std::string(record.origin()));
  out.set_source(std::string(record.source()));
  out.set_id(std::string(record.id()));
  out.set_type(std::string(record.type()));
  out.set_subject(std::string(record.subject()));
  *out.mutable_time() = ToProto(record.time());
  *out.mutable_accept_time() = ToProto(record.accept_time());
  const event::StoredView& stored = record.stored();
  out.set_received_from(std::string(stored.received_from()));
  stored.ForEachPath([&out](absl::string_view domain) { out.add_path(std::string(domain)); });
  stored.ForEachWithheld([&out](absl::string_view pointer) {
    const bool links = IsAtOrUnder(pointer, "/context/links") || PointsAtChain(pointer);
    if (links || pointer == "/context") out.set_links_withheld(true);
  });
  stored.ForEachSubstituted([&out](absl::string_view pointer) {
    if (PointsAtChain(pointer)) out.set_chain_substituted(true);
  });
  return out;
}

}  // namespace

absl::Status TracePage::Add(const state::EventRef& event) {
  Enqueue(event, 0);
  for (; !queue_.empty(); queue_.pop_front()) {
    if (Crowded()) continue;
    CDGATE_RETURN_IF_ERROR(Take(queue_.front()));
  }
  return absl::OkStatus();
}

void TracePage::Follow(state::EventRef event, uint32_t depth) {
  if (depth > settings_.max_depth) return;
  const base::Sequence sequence = event.record->sequence();
  const bool in_window = sequence >= settings_.window.begin && sequence < settings_.window.end;
  // The search finds it, and follows its own links.
  if (in_window && !settings_.chain_id.empty() &&
      reader_.ChainOf(event.record->data()) == settings_.chain_id) {
    return;
  }
  Enqueue(std::move(event), depth);
}

void TracePage::Enqueue(state::EventRef event, uint32_t depth) {
  if (!taken_.insert(event.record->sequence().value()).second) return;
  queue_.push_back({.event = std::move(event), .depth = depth});
}

absl::Status TracePage::Take(const Step& step) {
  const event::Record& record = *step.event.record;
  TracedEvent out = Describe(record);
  const event::EventLinks links = reader_.Read(record.data());
  out.set_chain_id(links.chain_id);
  out.set_in_chain(!settings_.chain_id.empty() && links.chain_id == settings_.chain_id);
  out.set_more_links(static_cast<uint32_t>(links.more));
  for (const event::EventLink& link : links.links) {
    TracedLink& traced = *out.add_links();
    traced.set_type(TypeOf(link.type));
    traced.set_kind(link.kind);
    traced.set_context_id(link.context_id);
    traced.set_domain_id(link.domain_id);
    if (link.context_id.empty()) continue;
    if (IsSubstituted(record.stored(), link.pointer)) {
      traced.set_target(events::v1::LINK_TARGET_SUBSTITUTED);
    } else {
      CDGATE_RETURN_IF_ERROR(LookUp(link, step.depth, &traced));
    }
  }
  if (out.in_chain()) ++of_chain_;
  bytes_ += out.ByteSizeLong();
  *events_.Add() = std::move(out);
  return absl::OkStatus();
}

absl::Status TracePage::LookUp(const event::EventLink& link, uint32_t depth, TracedLink* out) {
  if (lookups_ >= kMaxLookups) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const std::vector<base::Sequence> candidates,
                          store_.FindById(link.context_id));
  ++lookups_;
  bool removed = false;
  size_t read = 0;
  for (const base::Sequence sequence : candidates) {
    if (++read > kMaxSameId) break;
    ++lookups_;
    absl::StatusOr<state::EventRef> event = store_.ReadEvent(sequence);
    if (base::ReasonOf(event.status()) == base::Reason::kTrimmed) {
      removed = true;
      continue;
    }
    CDGATE_RETURN_IF_ERROR(event.status());
    if (event->record->id() != link.context_id || !scope_.Covers(*event->record)) continue;
    out->add_sequences(sequence.value());
    Follow(*std::move(event), depth + 1);
  }
  // Whether the caller might have read what is removed is not known any more.
  const bool tell = removed && scope_.CoversAll();
  out->set_target(!out->sequences().empty() ? events::v1::LINK_TARGET_HELD
                  : tell                    ? events::v1::LINK_TARGET_REMOVED
                                            : events::v1::LINK_TARGET_NOT_HELD);
  return absl::OkStatus();
}

}  // namespace cdgate::api

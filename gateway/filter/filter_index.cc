#include "gateway/filter/filter_index.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/base/status_macros.h"

namespace cdgate::filter {
namespace {

// None where the event does not have it.
std::optional<absl::string_view> TextOf(KeyField field, EventContext& event) {
  switch (field) {
    case KeyField::kType: return event.type();
    case KeyField::kSource: return event.source();
    case KeyField::kSubject: {
      const std::optional<Value> subject = event.Find(AttributeId::kSubject, "subject");
      if (!subject || subject->type() != Type::kString) return std::nullopt;
      return subject->string();
    }
    case KeyField::kSubjectType: return event.subject_type();
    case KeyField::kPredicate: return event.predicate();
    case KeyField::kStage: return event.stage();
    case KeyField::kOrigin: return event.origin();
    case KeyField::kPlane: return event.plane();
  }
  return std::nullopt;
}

void Erase(uint32_t value, std::vector<uint32_t>* from) {
  const auto it = std::find(from->begin(), from->end(), value);
  if (it == from->end()) return;
  *it = from->back();
  from->pop_back();
}

}  // namespace

absl::Status FilterIndex::Add(uint32_t id, absl::string_view condition) {
  const auto known = slot_of_.find(condition);
  Slot slot = 0;
  if (known != slot_of_.end()) {
    slot = known->second;
  } else {
    CDGATE_ASSIGN_OR_RETURN(Program program, Program::Compile(condition));
    CDGATE_ASSIGN_OR_RETURN(IndexKeys keys, IndexKeys::Of(condition));
    slot = SlotFor(condition, std::move(program), std::move(keys));
  }
  conditions_[slot].ids.push_back(id);
  Remove(id);
  condition_of_[id] = slot;
  return absl::OkStatus();
}

void FilterIndex::Remove(uint32_t id) {
  const auto it = condition_of_.find(id);
  if (it == condition_of_.end()) return;
  const Slot slot = it->second;
  condition_of_.erase(it);
  Release(slot, id);
}

FilterIndex::Slot FilterIndex::SlotFor(absl::string_view condition, Program program,
                                       IndexKeys keys) {
  Slot slot = static_cast<Slot>(conditions_.size());
  if (free_.empty()) {
    conditions_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  conditions_[slot] = {std::make_shared<const Program>(std::move(program)), std::move(keys), {}};
  slot_of_.emplace(condition, slot);
  Link(slot);
  return slot;
}

void FilterIndex::Release(Slot slot, uint32_t id) {
  Condition& condition = conditions_[slot];
  Erase(id, &condition.ids);
  if (!condition.ids.empty()) return;
  Unlink(slot);
  slot_of_.erase(condition.program->source());
  condition = {};
  free_.push_back(slot);
}

void FilterIndex::Link(Slot slot) {
  const IndexKeys& keys = conditions_[slot].keys;
  if (keys.any) return always_.push_back(slot);
  for (const IndexKey& key : keys.keys) LinkKey(key, slot);
}

void FilterIndex::Unlink(Slot slot) {
  const IndexKeys& keys = conditions_[slot].keys;
  if (keys.any) return Erase(slot, &always_);
  for (const IndexKey& key : keys.keys) UnlinkKey(key, slot);
}

void FilterIndex::LinkKey(const IndexKey& key, Slot slot) {
  Field& field = fields_[static_cast<size_t>(key.field)];
  Slots& slots = (key.prefix ? field.prefix : field.exact)[key.text];
  if (key.prefix && slots.empty()) ++field.prefix_lengths[key.text.size()];
  slots.push_back(slot);
}

void FilterIndex::UnlinkKey(const IndexKey& key, Slot slot) {
  Field& field = fields_[static_cast<size_t>(key.field)];
  auto& by_text = key.prefix ? field.prefix : field.exact;
  const auto it = by_text.find(key.text);
  Erase(slot, &it->second);
  if (!it->second.empty()) return;
  by_text.erase(it);
  if (!key.prefix) return;
  const auto length = field.prefix_lengths.find(key.text.size());
  if (--length->second == 0) field.prefix_lengths.erase(length);
}

absl::Span<const uint32_t> FilterIndex::Match(EventContext& event, Scratch* scratch) const {
  scratch->matched.clear();
  scratch->seen.resize(conditions_.size());
  ++scratch->event;
  for (size_t i = 0; i < kKeyFields; ++i) {
    const Field& field = fields_[i];
    if (field.exact.empty() && field.prefix.empty()) continue;
    const auto text = TextOf(static_cast<KeyField>(i), event);
    if (text) MatchField(field, *text, event, scratch);
  }
  MatchSlots(always_, event, scratch);
  return scratch->matched;
}

void FilterIndex::MatchField(const Field& field, absl::string_view text, EventContext& event,
                             Scratch* scratch) const {
  if (const auto it = field.exact.find(text); it != field.exact.end()) {
    MatchSlots(it->second, event, scratch);
  }
  for (const auto& [length, count] : field.prefix_lengths) {
    if (length > text.size()) return;
    const auto it = field.prefix.find(text.substr(0, length));
    if (it != field.prefix.end()) MatchSlots(it->second, event, scratch);
  }
}

void FilterIndex::MatchSlots(const Slots& slots, EventContext& event, Scratch* scratch) const {
  for (const Slot slot : slots) {
    if (std::exchange(scratch->seen[slot], scratch->event) == scratch->event) continue;
    const Condition& condition = conditions_[slot];
    if (!condition.program->Matches(event)) continue;
    scratch->matched.insert(scratch->matched.end(), condition.ids.begin(), condition.ids.end());
  }
}

}  // namespace cdgate::filter

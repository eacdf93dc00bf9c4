// Many conditions at once: which of thousands are true for an event, without evaluating each.
//
//   FilterIndex index;
//   CDGATE_RETURN_IF_ERROR(index.Add(7, "subject = 'pkg:oci/app@sha256:0f1e'"));
//   ...
//   FilterIndex::Scratch scratch;                       // one per thread, kept
//   event.Reset(record);
//   for (uint32_t id : index.Match(event, &scratch)) Deliver(id, record);
//
// A condition is found by what an event must have for it to be true (index_keys.h), then evaluated:
// what Match() says of each is exactly what Program::Matches() says. Those that nothing is known of
// are evaluated for each event. Equal conditions are evaluated once.
//
// An event costs one look-up for each field and each length of a prefix, and one evaluation for
// each condition that it may make true; a condition some hundred bytes besides its program.
//
// Any number of threads may match at the same time, each with its own context and scratch; Add and
// Remove are nobody else's turn.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/filter/event_context.h"
#include "gateway/filter/index_keys.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {

class FilterIndex {
 public:
  // What one thread matches with. Belongs to one index.
  class Scratch {
   private:
    friend class FilterIndex;
    std::vector<uint64_t> seen;  // by condition: the event it was evaluated for last
    uint64_t event = 0;
    std::vector<uint32_t> matched;
  };

  // `id` matches where `condition` is true, and no longer where one before was. On an error, that
  // of Program::Compile(), nothing has changed.
  absl::Status Add(uint32_t id, absl::string_view condition);
  // Does nothing where there is none.
  void Remove(uint32_t id);

  // The ids whose conditions are true, each once, in no order. Good until the next call with the
  // scratch.
  absl::Span<const uint32_t> Match(EventContext& event, Scratch* scratch) const;

  size_t size() const { return condition_of_.size(); }
  // Of different conditions; and of these, those that are evaluated for each event.
  size_t conditions() const { return conditions_.size() - free_.size(); }
  size_t evaluated_always() const { return always_.size(); }

 private:
  using Slot = uint32_t;  // of conditions_
  using Slots = std::vector<Slot>;

  struct Condition {
    std::shared_ptr<const Program> program;
    IndexKeys keys;
    std::vector<uint32_t> ids;
  };
  // Those that ask something of one field.
  struct Field {
    absl::flat_hash_map<std::string, Slots> exact;
    absl::flat_hash_map<std::string, Slots> prefix;
    std::map<size_t, size_t> prefix_lengths;  // how many texts of `prefix` are so long
  };

  Slot SlotFor(absl::string_view condition, Program program, IndexKeys keys);
  void Link(Slot slot);
  void Unlink(Slot slot);
  void LinkKey(const IndexKey& key, Slot slot);
  void UnlinkKey(const IndexKey& key, Slot slot);
  void Release(Slot slot, uint32_t id);
  void MatchField(const Field& field, absl::string_view text, EventContext& event,
                  Scratch* scratch) const;
  void MatchSlots(const Slots& slots, EventContext& event, Scratch* scratch) const;

  std::vector<Condition> conditions_;
  Slots free_;                                        // of them
  absl::flat_hash_map<std::string, Slot> slot_of_;    // by source
  absl::flat_hash_map<uint32_t, Slot> condition_of_;  // by id
  std::array<Field, kKeyFields> fields_;
  Slots always_;
};

}  // namespace cdgate::filter

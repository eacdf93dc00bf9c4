// What a rule does to an event before it leaves: members that are removed, values that
// become pseudonyms, and what becomes of links and chain. Never identity or type.
//
//   Transformation what = Transformation::Of(rule);              // once
//   Transformer transformer;                                     // one per thread, kept
//   if (const Outgoing* out = transformer.Apply(what, record, key)) Send(*out);
//
// The bytes that leave hold nothing that was removed or replaced: attributes of the
// CloudEvent that repeat it go with it, among them dssematerial, whose signature covers the
// whole. Members that are not named stay as the producer wrote them, byte for byte.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/json_edit.h"
#include "federation/policy/pseudonym.h"
#include "gateway/event/record.h"

namespace cdgate::policy {

// Immutable; safe to share between threads.
class Transformation {
 public:
  // Nothing is done.
  Transformation() = default;
  // The rule's paths parse: it was checked (check.h).
  static Transformation Of(const admin::v1::ExportRule& rule);

  // Nothing is ever done.
  bool empty() const { return edits_ == nullptr; }
  const JsonEdits& edits() const { return *edits_; }
  admin::v1::LinkHandling links() const { return links_; }

 private:
  std::shared_ptr<const JsonEdits> edits_;  // null: none
  admin::v1::LinkHandling links_ = admin::v1::LINK_HANDLING_KEEP;
};

// An event as it leaves. Good until the transformer's next Apply.
struct Outgoing {
  // The CloudEvent as it is sent.
  std::string cloud_event;
  // RFC 6901 pointers into the data, those of earlier senders too.
  std::vector<std::string> withheld;
  std::vector<std::string> substituted;
};

// Keeps its memory: an event allocates only what is larger than in those before it. Not
// thread-safe.
class Transformer {
 public:
  // `changed` says whether anything of the event is other than it was; where it is not, the
  // result is empty. Null where it cannot be done: `key` is null and a pseudonym is needed,
  // or the data is not JSON.
  const Outgoing* Apply(const Transformation& what, const event::Record& record,
                        const Keyring::Key* key, bool* changed);

 private:
  const Outgoing* Unchanged();
  void WriteCloudEvent(const Transformation& what, const event::Record& record,
                       JsonEditor::Replacement replacement);
  void MergePointers(const event::Record& record);

  JsonEditor editor_;
  Outgoing out_;
  std::string subject_;  // where it is replaced
};

// Kinds of the pseudonyms of what names other events.
inline constexpr char kEventKind[] = "event";  // contextId
inline constexpr char kChainKind[] = "chain";  // chainId

}  // namespace cdgate::policy

#include "federation/policy/transformation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "federation/policy/field_rules.h"
#include "gateway/event/cloud_event_writer.h"
#include "gateway/filter/data_path.h"

namespace cdgate::policy {
namespace {

using admin::v1::LinkHandling;

filter::DataPath Path(absl::string_view text) { return *filter::DataPath::Parse(text); }

void AddLinks(LinkHandling links, JsonEdits* edits) {
  for (const char* chain : {"context.chainId", "context.chain_id"}) {
    if (links == admin::v1::LINK_HANDLING_DROP) {
      edits->Remove(Path(chain));
    } else {
      edits->Replace(Path(chain), kChainKind, JsonEdits::Form::kText);
    }
  }
  if (links == admin::v1::LINK_HANDLING_DROP) return edits->Remove(Path("context.links"));
  edits->ReplaceInLinks(Path("context.links"), kEventKind);
}

// Attributes that name other events. They go: what stands for a value of the data is listed
// with the event, and nothing would say so of an attribute.
bool NamesOthers(absl::string_view name) {
  return name == "causationid" || name == "correlationid";
}

bool NamesOthers(const event::CloudEventView& cloud_event) {
  bool named = false;
  cloud_event.ForEach(
      [&](const event::AttributeView& attribute) { named = named || NamesOthers(attribute.name); });
  return named;
}

bool IsUnder(absl::string_view pointer, absl::Span<const std::string> above) {
  return std::any_of(above.begin(), above.end(), [&](const std::string& p) {
    return absl::StartsWith(pointer, p) && (pointer.size() == p.size() || pointer[p.size()] == '/');
  });
}

}  // namespace

Transformation Transformation::Of(const admin::v1::ExportRule& rule) {
  Transformation out;
  if (rule.action() != admin::v1::ACTION_ALLOW) return out;
  out.links_ = rule.links() == admin::v1::LINK_HANDLING_UNSPECIFIED
                   ? admin::v1::LINK_HANDLING_PSEUDONYMISE
                   : rule.links();
  auto edits = std::make_shared<JsonEdits>();
  if (out.links_ != admin::v1::LINK_HANDLING_KEEP) AddLinks(out.links_, edits.get());
  for (const std::string& path : rule.redact()) edits->Remove(Path(path));
  for (const std::string& path : rule.pseudonymise()) {
    const filter::DataPath parsed = Path(path);
    edits->Replace(parsed, KindOf(parsed),
                   HoldsUri(parsed) ? JsonEdits::Form::kUri : JsonEdits::Form::kText);
  }
  if (!edits->empty()) out.edits_ = std::move(edits);
  return out;
}

const Outgoing* Transformer::Apply(const Transformation& what, const event::Record& record,
                                   const Keyring::Key* key, bool* changed) {
  *changed = false;
  if (what.empty()) return Unchanged();
  bool failed = false;
  const auto replacement = [&](absl::string_view kind, absl::string_view text, std::string* out) {
    if (key == nullptr) {
      failed = true;
    } else {
      AppendPseudonym(*key, kind, text, out);
    }
  };
  if (!editor_.Apply(what.edits(), record.data(), replacement) || failed) return nullptr;
  *changed = editor_.changed() ||
             (what.links() != admin::v1::LINK_HANDLING_KEEP && NamesOthers(record.cloud_event()));
  if (!*changed) return Unchanged();
  WriteCloudEvent(what, record, replacement);
  if (failed) return nullptr;
  MergePointers(record);
  return &out_;
}

const Outgoing* Transformer::Unchanged() {
  out_.cloud_event.clear();
  out_.withheld.clear();
  out_.substituted.clear();
  return &out_;
}

void Transformer::WriteCloudEvent(const Transformation& what, const event::Record& record,
                                  JsonEditor::Replacement replacement) {
  static const auto* const subject_id = new filter::DataPath(Path("subject.id"));
  static const auto* const subject_kind = new std::string(KindOf(*subject_id));
  event::CloudEventFields fields;
  fields.id = record.id();
  fields.source = record.source();
  fields.type = record.type();
  fields.data = editor_.result();
  const bool keep_links = what.links() == admin::v1::LINK_HANDLING_KEEP;
  record.cloud_event().ForEach([&](const event::AttributeView& attribute) {
    if (attribute.name == "dssematerial" || attribute.name == "subject") return;
    if (keep_links || !NamesOthers(attribute.name)) fields.attributes.push_back(attribute);
  });
  if (record.subject().empty()) {
    // It has none.
  } else if (what.edits().Touches(*subject_id)) {
    subject_.clear();
    replacement(*subject_kind, record.subject(), &subject_);
    fields.attributes.push_back(event::TextAttribute("subject", subject_));
  } else {
    fields.attributes.push_back(event::TextAttribute("subject", record.subject()));
  }
  event::CloudEventSpans spans;
  out_.cloud_event.resize(event::PrepareCloudEvent(&fields));
  event::PutCloudEvent(fields, out_.cloud_event.size(), &spans, out_.cloud_event.data());
}

void Transformer::MergePointers(const event::Record& record) {
  const absl::Span<const std::string> removed = editor_.removed();
  const absl::Span<const std::string> replaced = editor_.replaced();
  out_.withheld.assign(removed.begin(), removed.end());
  out_.substituted.assign(replaced.begin(), replaced.end());
  record.stored().ForEachWithheld(
      [&](absl::string_view pointer) { out_.withheld.emplace_back(pointer); });
  record.stored().ForEachSubstituted([&](absl::string_view pointer) {
    if (IsUnder(pointer, removed)) return;
    if (!IsUnder(pointer, replaced)) out_.substituted.emplace_back(pointer);
  });
}

}  // namespace cdgate::policy

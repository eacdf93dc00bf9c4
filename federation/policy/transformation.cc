#include "federation/policy/transformation.h"

#include <algorithm>
#include <deque>
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

// What an attribute that names other events is; null: it is none.
const char* KindOfAttribute(absl::string_view name) {
  if (name == "causationid") return kEventKind;
  if (name == "correlationid") return kChainKind;
  return nullptr;
}

bool IsUnder(absl::string_view pointer, const std::vector<std::string>& above) {
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
  out_.cloud_event.clear();
  out_.withheld.clear();
  out_.substituted.clear();
  if (what.empty()) return &out_;
  bool failed = false;
  const JsonEditor::Replacement replacement = [&](absl::string_view kind, absl::string_view text) {
    if (key != nullptr) return MakePseudonym(*key, kind, text);
    failed = true;
    return std::string();
  };
  if (!editor_.Apply(what.edits(), record.data(), replacement) || failed) return nullptr;
  bool named = false;
  if (what.links() != admin::v1::LINK_HANDLING_KEEP) {
    record.cloud_event().ForEach([&](const event::AttributeView& attribute) {
      named = named || KindOfAttribute(attribute.name) != nullptr;
    });
  }
  *changed = editor_.changed() || named;
  if (!*changed) return &out_;
  WriteCloudEvent(what, record, replacement);
  if (failed) return nullptr;
  MergePointers(record);
  return &out_;
}

void Transformer::WriteCloudEvent(const Transformation& what, const event::Record& record,
                                  const JsonEditor::Replacement& replacement) {
  static const auto* const subject_id = new filter::DataPath(Path("subject.id"));
  event::CloudEventFields fields;
  fields.id = record.id();
  fields.source = record.source();
  fields.type = record.type();
  fields.data = editor_.result();
  std::deque<std::string> texts;
  const bool keep_links = what.links() == admin::v1::LINK_HANDLING_KEEP;
  record.cloud_event().ForEach([&](const event::AttributeView& attribute) {
    const char* const kind = keep_links ? nullptr : KindOfAttribute(attribute.name);
    if (attribute.name == "dssematerial" || attribute.name == "subject") return;
    if (kind == nullptr) return fields.attributes.push_back(attribute);
    if (what.links() == admin::v1::LINK_HANDLING_DROP || !attribute.is_text()) {
      return;
    }
    texts.push_back(replacement(kind, attribute.text));
    fields.attributes.push_back(event::TextAttribute(attribute.name, texts.back()));
  });
  if (!record.subject().empty() && !what.edits().Touches(*subject_id)) {
    fields.attributes.push_back(event::TextAttribute("subject", record.subject()));
  } else if (!record.subject().empty()) {
    texts.push_back(replacement(KindOf(*subject_id), record.subject()));
    fields.attributes.push_back(event::TextAttribute("subject", texts.back()));
  }
  out_.cloud_event = event::RenderCloudEvent(&fields);
}

void Transformer::MergePointers(const event::Record& record) {
  out_.withheld = editor_.removed();
  out_.substituted = editor_.replaced();
  record.stored().ForEachWithheld(
      [this](absl::string_view pointer) { out_.withheld.emplace_back(pointer); });
  record.stored().ForEachSubstituted([this](absl::string_view pointer) {
    if (IsUnder(pointer, editor_.removed())) return;
    if (!IsUnder(pointer, editor_.replaced())) out_.substituted.emplace_back(pointer);
  });
}

}  // namespace cdgate::policy

#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cdevents/validator.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"
#include "gateway/event/cdevent_envelope.h"
#include "gateway/event/event_remarks.h"

namespace cdgate::cli {
namespace {

struct Verdict {
  std::string type;     // as far as it could be read
  std::string release;  // whose rules it was judged by; else what the event declares
  std::vector<cdevents::Fault> faults;
  size_t more_faults = 0;
  std::vector<event::Remark> remarks;  // where they were asked for
};

// What an error names, where it is about the envelope or the text as a whole.
cdevents::Fault FaultOf(const absl::Status& status) {
  cdevents::Fault fault;
  for (const auto& [key, value] : base::MetadataOf(status)) {
    if (key == "path") fault.path = value;
    if (key == "attribute") fault.path = absl::StrCat("/", value);
  }
  fault.rule =
      std::string(absl::StripPrefix(std::string(status.message()), absl::StrCat(fault.path, ": ")));
  return fault;
}

// Judges JSON texts. Not thread-safe.
class Validator {
 public:
  // `lint`: with remarks on valid events.
  explicit Validator(bool lint) : lint_(lint) {}

  Verdict Judge(absl::string_view json) {
    Verdict verdict;
    if (absl::Status status = Check(json, &verdict); !status.ok() && verdict.faults.empty()) {
      verdict.faults = cdevents::FaultsOf(status);
      if (verdict.faults.empty()) verdict.faults.push_back(FaultOf(status));
    }
    return verdict;
  }

 private:
  absl::Status Check(absl::string_view json, Verdict* verdict) {
    CDGATE_ASSIGN_OR_RETURN(const auto root, parser_.ParseIJson(json));
    if (!event::LooksStructured(root)) return CheckEvent(root, verdict);
    io::cloudevents::v1::CloudEvent envelope;
    CDGATE_RETURN_IF_ERROR(structured_.Read(json, &envelope));
    const std::string data = envelope.binary_data();
    CDGATE_ASSIGN_OR_RETURN(const auto inner, parser_.ParseIJson(data));
    CDGATE_RETURN_IF_ERROR(CheckEvent(inner, verdict));
    return admitter_.Admit(envelope.SerializeAsString()).status();
  }

  // Of what was parsed last.
  absl::Status CheckEvent(const simdjson::dom::element& root, Verdict* verdict) {
    cdevents::Envelope envelope;
    cdevents::Judge(parser_.document(), &envelope);
    verdict->type = std::string(envelope.type);
    const absl::string_view declared =
        envelope.specversion.empty() ? envelope.version : envelope.specversion;
    verdict->release = std::string(
        envelope.form == nullptr ? declared : cdevents::ReleaseOf(envelope.form->family));
    cdevents::Faults faults = cdevents::FindFaults(parser_.document());
    verdict->faults = std::move(faults.list);
    verdict->more_faults = faults.more;
    if (lint_) verdict->remarks = event::RemarksOn(root);
    return event::CheckCdEvent(parser_.document()).status();
  }

  const bool lint_;
  event::JsonParser parser_;
  event::StructuredReader structured_;
  event::Admitter admitter_{{.max_event_bytes = size_t{64} << 20}};
};

Node TextOrNull(const std::string& text) { return text.empty() ? Node() : Node::Text(text); }

Node ToNode(const InputText& text, const Verdict& verdict) {
  Node faults = Node::List();
  for (const cdevents::Fault& fault : verdict.faults) {
    faults.Append(std::move(Node::Object()
                                .Add("path", Node::Text(fault.path))
                                .Add("rule", Node::Text(fault.rule))
                                .Add("value", TextOrNull(fault.value))));
  }
  Node node = Node::Object();
  node.Add("file", Node::Text(text.file));
  if (text.line > 1) node.Add("line", Node::Number(uint64_t{text.line}));
  node.Add("valid", Node::Bool(verdict.faults.empty()))
      .Add("type", TextOrNull(verdict.type))
      .Add("release", TextOrNull(verdict.release))
      .Add("faults", std::move(faults));
  if (verdict.remarks.empty()) return node;
  Node remarks = Node::List();
  for (const event::Remark& remark : verdict.remarks) {
    remarks.Append(std::move(Node::Object()
                                 .Add("path", Node::Text(remark.path))
                                 .Add("remark", Node::Text(remark.text))));
  }
  return std::move(node.Add("remarks", std::move(remarks)));
}

void PrintForPeople(const InputText& text, const Verdict& verdict, std::ostream& out) {
  out << text.place() << ": " << (verdict.faults.empty() ? "valid" : "not valid");
  if (!verdict.type.empty()) out << ", " << base::Shorten(verdict.type);
  if (!verdict.release.empty()) out << " (CDEvents " << base::Shorten(verdict.release) << ")";
  out << "\n";
  for (const cdevents::Fault& fault : verdict.faults) {
    out << "  " << cdevents::ToText(fault) << "\n";
  }
  if (verdict.more_faults > 0) out << "  and " << verdict.more_faults << " more\n";
  for (const event::Remark& remark : verdict.remarks) {
    out << "  remark: " << remark.path << ": " << base::Shorten(remark.text, 200) << "\n";
  }
}

absl::StatusOr<int> Validate(const std::vector<std::string>& files, bool lint, Invocation& run) {
  Validator validator(lint);
  bool all_valid = true;
  CDGATE_RETURN_IF_ERROR(ReadInputs(files, run.streams(), {.text = [&](const InputText& text) {
                                      const Verdict verdict = validator.Judge(text.json);
                                      all_valid = all_valid && verdict.faults.empty();
                                      if (run.output == "json") {
                                        run.out() << ToNode(text, verdict).ToJson() << "\n";
                                      } else if (run.output == "yaml") {
                                        run.out() << "---\n" << ToNode(text, verdict).ToYaml();
                                      } else {
                                        PrintForPeople(text, verdict, run.out());
                                      }
                                      return absl::OkStatus();
                                    }}));
  return all_valid ? kExitDone : kExitNo;
}

}  // namespace

void AddValidateVerb(Verbs& verbs) {
  const auto files = std::make_shared<std::vector<std::string>>();
  const auto lint = std::make_shared<bool>(false);
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "validate",
      "Say whether each event conforms to its CDEvents release, and what is wrong",
      "cdgate validate event.json\n"
      "cdgate validate -o json < events.ndjson",
      Verbs::kPrints, [files, lint](Invocation& run) { return Validate(*files, *lint, run); });
  verb->add_option("FILE", *files,
                   "CDEvents or CloudEvents in JSON: one, NDJSON or an array; - or none reads "
                   "standard input");
  verb->add_flag("--lint", *lint,
                 "Remark also on package URLs and domain ids, which no schema looks into");
}

}  // namespace cdgate::cli

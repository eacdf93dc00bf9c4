#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/verbs.h"
#include "gateway/event/cdevent_envelope.h"

namespace cdgate::cli {
namespace {

using simdjson::dom::element;

// What is wrong with one input.
struct Fault {
  std::string path;   // "context.timestamp"; empty: the whole
  std::string rule;   // what was expected there
  std::string value;  // JSON at the path, shortened; empty: nothing there
};

struct Verdict {
  std::string type;     // as far as it could be read
  std::string release;  // CDEvents release the event says it follows
  std::vector<Fault> faults;
};

std::string TextAt(const element& root, std::string_view pointer) {
  std::string_view text;
  return root.at_pointer(pointer).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

std::string JsonAt(const element& root, const std::string& path) {
  element found;
  const std::string pointer = absl::StrCat("/", absl::StrReplaceAll(path, {{".", "/"}}));
  if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "";
  return base::Shorten(simdjson::minify(found));
}

Fault FaultOf(const absl::Status& status) {
  Fault fault;
  for (const auto& [key, value] : base::MetadataOf(status)) {
    if (key == "path" || key == "attribute") fault.path = value;
  }
  fault.rule =
      std::string(absl::StripPrefix(std::string(status.message()), absl::StrCat(fault.path, ": ")));
  return fault;
}

// Judges JSON texts. Not thread-safe.
class Validator {
 public:
  Verdict Judge(absl::string_view json) {
    Verdict verdict;
    if (absl::Status status = Check(json, &verdict); !status.ok()) {
      Fault fault = FaultOf(status);
      if (parsed_) fault.value = JsonAt(root_, fault.path);
      verdict.faults.push_back(std::move(fault));
    }
    return verdict;
  }

 private:
  absl::Status Check(absl::string_view json, Verdict* verdict) {
    CDGATE_RETURN_IF_ERROR(Parse(json));
    if (!event::LooksStructured(root_)) {
      Describe(verdict);
      return event::CheckCdEvent(root_).status();
    }
    io::cloudevents::v1::CloudEvent envelope;
    CDGATE_RETURN_IF_ERROR(structured_.Read(json, &envelope));
    data_ = envelope.binary_data();
    CDGATE_RETURN_IF_ERROR(Parse(data_));
    Describe(verdict);
    return admitter_.Admit(envelope.SerializeAsString()).status();
  }

  absl::Status Parse(absl::string_view json) {
    parsed_ = false;
    CDGATE_ASSIGN_OR_RETURN(root_, parser_.ParseIJson(json));
    parsed_ = true;
    return absl::OkStatus();
  }

  void Describe(Verdict* verdict) const {
    verdict->type = TextAt(root_, "/context/type");
    verdict->release = TextAt(root_, "/context/specversion");
    if (verdict->release.empty()) verdict->release = TextAt(root_, "/context/version");
  }

  event::JsonParser parser_;
  event::StructuredReader structured_;
  event::Admitter admitter_{{.max_event_bytes = size_t{64} << 20}};
  std::string data_;
  element root_;
  bool parsed_ = false;  // root_ is that of the present text
};

Node TextOrNull(const std::string& text) { return text.empty() ? Node() : Node::Text(text); }

Node ToNode(const InputText& text, const Verdict& verdict) {
  Node faults = Node::List();
  for (const Fault& fault : verdict.faults) {
    faults.Append(std::move(Node::Object()
                                .Add("path", Node::Text(fault.path))
                                .Add("rule", Node::Text(fault.rule))
                                .Add("value", TextOrNull(fault.value))));
  }
  Node node = Node::Object();
  node.Add("file", Node::Text(text.file));
  if (text.line > 1) node.Add("line", Node::Number(uint64_t{text.line}));
  return std::move(node.Add("valid", Node::Bool(verdict.faults.empty()))
                       .Add("type", TextOrNull(verdict.type))
                       .Add("release", TextOrNull(verdict.release))
                       .Add("faults", std::move(faults)));
}

void PrintForPeople(const InputText& text, const Verdict& verdict, std::ostream& out) {
  out << text.place() << ": " << (verdict.faults.empty() ? "valid" : "not valid");
  if (!verdict.type.empty()) out << ", " << base::Shorten(verdict.type);
  if (!verdict.release.empty()) out << " (CDEvents " << base::Shorten(verdict.release) << ")";
  out << "\n";
  for (const Fault& fault : verdict.faults) {
    out << "  " << fault.path << (fault.path.empty() ? "" : ": ") << fault.rule << "\n";
  }
}

absl::StatusOr<int> Validate(const std::vector<std::string>& files, Invocation& run) {
  Validator validator;
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
  verbs
      .AddVerb(nullptr, "validate",
               "Say whether each event has what every CDEvent has, and what is wrong",
               "cdgate validate event.json\n"
               "cdgate validate -o json < events.ndjson",
               Verbs::kPrints, [files](Invocation& run) { return Validate(*files, run); })
      ->add_option("FILE", *files,
                   "CDEvents or CloudEvents in JSON: one, NDJSON or an array; - or none reads "
                   "standard input");
}

}  // namespace cdgate::cli

#include <unistd.h>

#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/random.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/source_line.h"
#include "gateway/cli/verbs.h"
#include "gateway/filter/analysis.h"
#include "gateway/filter/json_event.h"
#include "gateway/filter/program.h"

namespace cdgate::cli {
namespace {

constexpr char kExpression[] =
    "CESQL, or JSON in the filter dialects of the CloudEvents Subscriptions API; @FILE reads it "
    "from a file";

// The parts of a refusal to compile, which carries them as metadata.
struct CompileFault {
  std::string kind = "parse";
  uint64_t line = 0;
  uint64_t column = 0;
};

CompileFault FaultOf(const absl::Status& status) {
  CompileFault fault;
  for (const auto& [key, value] : base::MetadataOf(status)) {
    if (key == "kind") fault.kind = value;
    uint64_t number = 0;
    if (key == "line" && absl::SimpleAtoi(value, &number)) fault.line = number;
    if (key == "column" && absl::SimpleAtoi(value, &number)) fault.column = number;
  }
  return fault;
}

// `argument`, or the content of FILE where it is @FILE, which no expression is.
absl::StatusOr<std::string> LoadExpression(const std::string& argument) {
  constexpr size_t kMost = 1 << 20;  // beyond what a filter may have
  if (!absl::StartsWith(argument, "@")) return argument;
  return base::ReadFile(argument.substr(1), kMost);
}

// "Boolean", "Integer", "String" or "any"; "" where the text is no expression.
std::string TypeOf(const std::string& expression) {
  const auto program = filter::Program::Compile(expression, {.condition = false});
  if (!program.ok()) return "";
  return program->type() ? std::string(filter::TypeName(*program->type())) : "any";
}

std::vector<filter::Pitfall> WarningsOf(const std::string& expression) {
  filter::Analysis analysis = filter::Analyse(expression);
  if (analysis.never_true) {
    analysis.pitfalls.insert(analysis.pitfalls.begin(), {{1, 1}, "no event can make this true"});
  }
  return std::move(analysis.pitfalls);
}

Node WarningsNode(const std::vector<filter::Pitfall>& warnings) {
  Node list = Node::List();
  for (const filter::Pitfall& warning : warnings) {
    list.Append(std::move(Node::Object()
                              .Add("line", Node::Number(uint64_t{warning.position.line}))
                              .Add("column", Node::Number(uint64_t{warning.position.column}))
                              .Add("message", Node::Text(warning.message))));
  }
  return list;
}

int ReportValid(const std::string& expression, Invocation& run) {
  const std::string type = TypeOf(expression);
  const std::vector<filter::Pitfall> warnings = WarningsOf(expression);
  Node node = Node::Object();
  node.Add("valid", Node::Bool(true))
      .Add("type", Node::Text(type))
      .Add("warnings", WarningsNode(warnings));
  run.Print(node, [&] {
    run.out() << "valid: a condition"
              << (type == "any" ? ", true where the event gives it the Boolean true\n" : "\n");
    for (const filter::Pitfall& warning : warnings) {
      const auto [line, column] = warning.position;
      run.out() << "warning: line " << line << ", column " << column << ": " << warning.message
                << "\n"
                << ShowPlace(expression, line, column);
    }
  });
  return kExitDone;
}

int ReportFault(const std::string& expression, const absl::Status& error, Invocation& run) {
  const CompileFault fault = FaultOf(error);
  const std::string type = TypeOf(expression);
  Node node = Node::Object();
  node.Add("valid", Node::Bool(false));
  if (!type.empty()) node.Add("type", Node::Text(type));
  node.Add("errors", std::move(Node::List().Append(Node::Text(fault.kind))))
      .Add("line", Node::Number(fault.line))
      .Add("column", Node::Number(fault.column))
      .Add("message", Node::Text(std::string(error.message())));
  run.Print(node, [&] {
    run.out() << "not valid: " << error.message() << "\n"
              << ShowPlace(expression, static_cast<uint32_t>(fault.line),
                           static_cast<uint32_t>(fault.column));
  });
  return kExitNo;
}

absl::StatusOr<int> Check(const std::string& argument, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const std::string expression, LoadExpression(argument));
  const auto program = filter::Program::Compile(expression);
  if (!program.ok()) return ReportFault(expression, program.status(), run);
  return ReportValid(expression, run);
}

struct EvalFlags {
  std::string expression;
  std::string file;  // empty: standard input, which may be empty, too
  std::string origin;
  std::string plane;
  std::string classification;
  uint32_t hops = 0;
};

// The JSON of the one event of the file. Empty where no file is named and standard input
// has nothing.
absl::StatusOr<std::string> LoadText(const std::string& file, const Streams& streams) {
  if (file.empty() && isatty(streams.in_fd)) return std::string();
  std::vector<InputText> texts;
  CDGATE_RETURN_IF_ERROR(
      ReadInputs({file.empty() ? "-" : file}, streams, {.text = [&](InputText text) {
                   texts.push_back(std::move(text));
                   return absl::OkStatus();
                 }}));
  if (texts.size() != 1) {
    return UsageError(absl::StrCat(texts.empty() ? file : texts.front().place(), " has ",
                                   Count(texts.size(), "event"),
                                   "; a filter is evaluated over one"));
  }
  return std::move(texts.front().json);
}

absl::StatusOr<event::ValidEvent> AdmitText(absl::string_view json) {
  EventReader reader(false, base::SystemRandom());
  io::cloudevents::v1::CloudEvent event;
  CDGATE_RETURN_IF_ERROR(reader.Read(json, &event));
  return event::Admitter({.max_event_bytes = size_t{64} << 20}).Admit(event.SerializeAsString());
}

// The event as a gateway stores it, alone in a commit, whose memory it needs.
event::CommitPtr ToCommit(event::ValidEvent valid, const EvalFlags& flags) {
  storage::v1::CommitRecord commit;
  commit.set_format_version(1);
  commit.set_first_sequence(1);
  event::StoredFields fields;
  fields.origin = flags.origin;
  fields.plane = flags.plane;
  fields.classification = flags.classification;
  fields.hops = flags.hops;
  const event::OwnedBytes stored = std::move(valid).IntoStored(fields);
  return event::MakeCommit(std::move(commit), {event::CommitEvent(stored.view())});
}

Node ValueNode(const filter::Evaluation& evaluation) {
  int64_t number = 0;
  switch (evaluation.type) {
    case filter::Type::kBoolean: return Node::Bool(evaluation.value == "true");
    case filter::Type::kInteger:
      if (absl::SimpleAtoi(evaluation.value, &number)) return Node::Number(number);
      break;
    case filter::Type::kString: break;
  }
  return Node::Text(evaluation.value);
}

// {value, errors: [kind…], line, column, message}: the place and text of the first error.
Node ToNode(const filter::Evaluation& evaluation) {
  Node kinds = Node::List();
  for (const filter::Problem& problem : evaluation.problems) {
    kinds.Append(Node::Text(filter::ErrorKindName(problem.kind)));
  }
  Node node = Node::Object();
  node.Add("value", ValueNode(evaluation)).Add("errors", std::move(kinds));
  if (evaluation.problems.empty()) return node;
  const filter::Problem& first = evaluation.problems.front();
  return std::move(node.Add("line", Node::Number(uint64_t{first.position.line}))
                       .Add("column", Node::Number(uint64_t{first.position.column}))
                       .Add("message", Node::Text(first.message)));
}

// A CloudEvent that is no CDEvent, or none at all, as it stands.
filter::Evaluation EvaluateParts(filter::EventParts parts, const EvalFlags& flags) {
  parts.origin = flags.origin;
  parts.plane = flags.plane;
  parts.classification = flags.classification;
  parts.hops = flags.hops;
  filter::EventContext context;
  context.Reset(parts);
  return filter::EvaluateSource(flags.expression, context);
}

absl::StatusOr<filter::Evaluation> EvaluateText(absl::string_view json, const EvalFlags& flags) {
  if (json.empty() && flags.file.empty()) return EvaluateParts({}, flags);
  const absl::StatusOr<filter::JsonEvent> plain = filter::JsonEvent::Parse(json);
  if (plain.ok() && !absl::StartsWith(plain->parts().type, "dev.cdevents")) {
    return EvaluateParts(plain->parts(), flags);
  }
  CDGATE_ASSIGN_OR_RETURN(event::ValidEvent valid, AdmitText(json));
  const event::CommitPtr commit = ToCommit(std::move(valid), flags);
  filter::EventContext context;
  context.Reset(commit->events.front());
  return filter::EvaluateSource(flags.expression, context);
}

absl::StatusOr<int> Evaluate(EvalFlags flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(flags.expression, LoadExpression(flags.expression));
  CDGATE_ASSIGN_OR_RETURN(const std::string json, LoadText(flags.file, run.streams()));
  CDGATE_ASSIGN_OR_RETURN(const filter::Evaluation evaluation, EvaluateText(json, flags));
  run.Print(ToNode(evaluation), [&] {
    run.out() << evaluation.value << "\n";
    for (const filter::Problem& problem : evaluation.problems) {
      const auto [line, column] = problem.position;
      run.Note(absl::StrCat(line, ":", column, ": ", problem.message, " (",
                            filter::ErrorKindName(problem.kind), ")"));
      run.err() << ShowPlace(flags.expression, line, column);
    }
  });
  return evaluation.problems.empty() ? kExitDone : kExitNo;
}

}  // namespace

void AddFilterVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("filter", "Filter expressions, without a gateway");
  const auto expression = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "check", "Say whether an expression is a condition, and where it is wrong",
               "cdgate filter check \"type LIKE 'dev.cdevents.build.%'\"", Verbs::kPrints,
               [expression](Invocation& run) { return Check(*expression, run); })
      ->add_option("EXPR", *expression, kExpression)
      ->required();

  const auto flags = std::make_shared<EvalFlags>();
  CLI::App* const eval =
      verbs.AddVerb(group, "eval", "Evaluate an expression over an event",
                    "cdgate filter eval \"CDEVENT('customData.team')\" --event event.json",
                    Verbs::kPrints, [flags](Invocation& run) { return Evaluate(*flags, run); });
  eval->add_option("EXPR", flags->expression, kExpression)->required();
  eval->add_option("--event", flags->file,
                   "The event; - or none reads standard input, where nothing is an event without "
                   "attributes")
      ->option_text("FILE");
  eval->add_option("--origin", flags->origin, "Its origin domain, for ORIGIN()")
      ->option_text("DOMAIN");
  eval->add_option("--plane", flags->plane, "Its plane, for PLANE()")->option_text("PLANE");
  eval->add_option("--classification", flags->classification,
                   "Its classification, for CLASSIFICATION()")
      ->option_text("LABEL");
  eval->add_option("--hops", flags->hops, "Borders it crossed, for HOPS()")->option_text("N");
}

}  // namespace cdgate::cli

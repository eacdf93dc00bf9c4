// One event, and which types of events there are.
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cdgate/events/v1/proof.grpc.pb.h"
#include "federation/attestation/event_file.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/delivery_printer.h"
#include "gateway/cli/event_key.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Events = events::v1::EventsService::Stub;

struct GetFlags {
  EventKeyFlags event;
  std::string format = "json";
  bool proof = false;
};

template <typename Request>
void SetKey(const admin::v1::EventKey& key, Request* request) {
  if (key.has_sequence()) {
    request->set_sequence(key.sequence());
  } else {
    request->set_id(key.id());
  }
  request->set_source(key.source());
  request->set_origin(key.origin());
}

absl::StatusOr<int> GetProof(const admin::v1::EventKey& key, Invocation& run) {
  events::v1::GetEventProofRequest request;
  SetKey(key, &request);
  CDGATE_ASSIGN_OR_RETURN(const auto answer,
                          run.Call(&events::v1::ProofService::Stub::GetEventProof, request));
  CDGATE_ASSIGN_OR_RETURN(const std::string text, attestation::WriteEventFile(answer.file()));
  run.out() << text;
  return kExitDone;
}

absl::StatusOr<int> Get(const GetFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::EventKey key, ToEventKey(flags.event));
  if (flags.proof) return GetProof(key, run);
  events::v1::GetEventRequest request;
  SetKey(key, &request);
  CDGATE_ASSIGN_OR_RETURN(const auto event, run.Events(&Events::GetEvent, request));
  DeliveryPrinter(run.streams(), flags.format).Print(event);
  return kExitDone;
}

struct TypesFlags {
  std::string type;
  bool schema = false;
};

Node RulesNode(const events::v1::TypeRules& rules) {
  Node node = Node::Object();
  node.Add("release", Node::Text(rules.release()))
      .Add("schemaDigest", Node::Text(base::HexEncode(rules.schema_digest())));
  if (!rules.json_schema().empty()) node.Add("jsonSchema", Node::Raw(rules.json_schema()));
  return node;
}

Node TypeNode(const events::v1::EventType& type) {
  Node releases = Node::List();
  for (const std::string& release : type.releases()) releases.Append(Node::Text(release));
  Node rules = Node::List();
  for (const events::v1::TypeRules& one : type.rules()) rules.Append(RulesNode(one));
  return std::move(Node::Object()
                       .Add("type", Node::Text(type.type()))
                       .Add("description", Node::Text(type.description()))
                       .Add("message", Node::Text(type.message()))
                       .Add("releases", std::move(releases))
                       .Add("rules", std::move(rules)));
}

void PrintTypes(const events::v1::DescribeResponse& answer, Invocation& run) {
  Table table({{"TYPE"}, {"RELEASES"}, {"RULES"}, {"WHAT IT SAYS", Table::kShrinks}});
  for (const events::v1::EventType& type : answer.types()) {
    const std::string digest = base::HexEncode(type.rules(0).schema_digest()).substr(0, 8);
    table.AddRow({std::string(absl::StripPrefix(type.type(), "dev.cdevents.")),
                  absl::StrJoin(type.releases(), " "), digest, type.description()});
  }
  run.Print(table, "no such type; without an argument all are listed");
}

absl::StatusOr<int> Types(const TypesFlags& flags, Invocation& run) {
  events::v1::DescribeRequest request;
  request.set_type(flags.type);
  request.set_with_schemas(flags.schema);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Events(&Events::Describe, request));
  if (flags.schema && run.output == "table") {
    for (const auto& type : answer.types()) {
      for (const auto& rules : type.rules()) run.out() << rules.json_schema() << "\n";
    }
  } else {
    Node types = Node::List();
    for (const events::v1::EventType& type : answer.types()) types.Append(TypeNode(type));
    Node schemas = Node::List();
    for (const events::v1::RegisteredSchema& schema : answer.schemas()) {
      schemas.Append(std::move(Node::Object()
                                   .Add("uri", Node::Text(schema.uri()))
                                   .Add("digest", Node::Text(base::HexEncode(schema.digest())))));
    }
    Node node = Node::Object();
    node.Add("types", std::move(types)).Add("schemas", std::move(schemas));
    run.Print(node, [&] { PrintTypes(answer, run); });
  }
  return answer.types().empty() ? kExitNo : kExitDone;
}

}  // namespace

void AddEventVerbs(Verbs& verbs) {
  const auto get_flags = std::make_shared<GetFlags>();
  CLI::App* const get = verbs.AddVerb(
      nullptr, "get", "Print one event as it was published",
      "cdgate get 271069a8-fc18-44f1-b38f-9d70a1695819 -o cloudevent\n"
      "cdgate get 271069a8-fc18-44f1-b38f-9d70a1695819 --proof > event.json",
      Verbs::kConnects, [get_flags](Invocation& run) { return Get(*get_flags, run); });
  AddEventKeyFlags(get, &get_flags->event);
  CLI::Option* const format =
      get->add_option("-o,--output", get_flags->format, "json, cloudevent or table")
          ->check(CLI::IsMember({"json", "cloudevent", "table"}))
          ->option_text("FORMAT=json");
  get->add_flag("--proof", get_flags->proof,
                "Print it as a file for cdgate verify, with the statements about it")
      ->excludes(format);

  const auto types_flags = std::make_shared<TypesFlags>();
  CLI::App* const types = verbs.AddVerb(
      nullptr, "types", "List the event types that the gateway knows, with digests of their rules",
      "cdgate types 'dev.cdevents.artifact.%'\n"
      "cdgate types dev.cdevents.build.queued.0.3.0 --schema",
      Verbs::kConnects | Verbs::kPrints,
      [types_flags](Invocation& run) { return Types(*types_flags, run); });
  types->add_option("TYPE", types_flags->type, "Only these; % for any characters");
  types->add_flag("--schema", types_flags->schema, "Print the rules as JSON Schemas");
  AddEventListVerb(verbs, verbs.AddGroup("event", "Events of this gateway's log"));
}

}  // namespace cdgate::cli

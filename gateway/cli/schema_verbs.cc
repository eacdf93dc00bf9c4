// The JSON Schemas that events can name by their schemaUri.
#include <simdjson.h>

#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr size_t kMaxDocumentBytes = 1 << 20;  // the gateway has its own limit
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct AddFlags {
  std::string file;
  std::string uri;
  std::string description;
  uint64_t base_version = 0;
  bool dry_run = false;
};

// The document's $id; a usage error where it has none.
absl::StatusOr<std::string> IdOf(const std::string& document, const std::string& file) {
  simdjson::dom::parser parser;
  std::string_view id;
  if (parser.parse(document)["$id"].get(id) == simdjson::SUCCESS && !id.empty()) {
    return std::string(id.substr(0, id.back() == '#' ? id.size() - 1 : id.size()));
  }
  return UsageError(absl::StrCat(file, " has no $id; say under which URI with --uri"));
}

absl::StatusOr<std::string> ReadDocument(const std::string& file, const Streams& streams) {
  if (file == "-") return ArgumentOrInput(file, streams);
  return base::ReadFile(file, kMaxDocumentBytes);
}

absl::StatusOr<int> Add(const AddFlags& flags, Invocation& run) {
  admin::v1::AddSchemaRequest request;
  admin::v1::Schema& schema = *request.mutable_schema();
  CDGATE_ASSIGN_OR_RETURN(*schema.mutable_document(), ReadDocument(flags.file, run.streams()));
  schema.set_uri(flags.uri);
  if (flags.uri.empty()) {
    CDGATE_ASSIGN_OR_RETURN(*schema.mutable_uri(), IdOf(schema.document(), flags.file));
  }
  schema.set_description(flags.description);
  request.set_base_version(flags.base_version);
  request.set_validate_only(flags.dry_run);
  CDGATE_ASSIGN_OR_RETURN(const auto added, run.Admin(&Admin::AddSchema, request));
  run.Print(added, [&] { run.out() << SchemaAdded(added, flags.dry_run) << "\n"; });
  return kExitDone;
}

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListSchemasResponse all;
  admin::v1::ListSchemasRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListSchemas, request));
    request.set_page_token(page.next_page_token());
    all.mutable_schemas()->MergeFrom(page.schemas());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"URI"}, {"VERSION"}, {"SHA-256"}, {"DESCRIPTION", Table::kShrinks}});
    for (const admin::v1::Schema& schema : all.schemas()) {
      table.AddRow({schema.uri(), absl::StrCat(schema.version()),
                    base::HexEncode(schema.digest()).substr(0, 16), schema.description()});
    }
    run.Print(table, "no schemas; register one with cdgate schema add");
  });
  return kExitDone;
}

absl::StatusOr<int> Show(const std::string& uri, Invocation& run) {
  admin::v1::GetSchemaRequest request;
  request.set_uri(uri);
  CDGATE_ASSIGN_OR_RETURN(const auto schema, run.Admin(&Admin::GetSchema, request));
  run.Print(schema, [&] {
    run.out() << schema.document();
    if (!schema.document().ends_with('\n')) run.out() << "\n";
  });
  return kExitDone;
}

absl::StatusOr<int> Remove(const std::string& uri, Invocation& run) {
  admin::v1::DeleteSchemaRequest request;
  request.set_uri(uri);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DeleteSchema, request));
  run.Print(answer, [&] { run.out() << "removed schema " << uri << "\n"; });
  return kExitDone;
}

void AddAdd(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<AddFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "add", "Register a JSON Schema, or replace it",
                    "cdgate schema add build.schema.json --description 'what our builds must say'",
                    kBoth, [flags](Invocation& run) { return Add(*flags, run); });
  verb->add_option("FILE", flags->file, "The document; - reads standard input")->required();
  verb->add_option("--uri", flags->uri, "What events name it by; default: its $id")
      ->option_text("URI");
  verb->add_option("--description", flags->description, "For people")->option_text("TEXT");
  verb->add_option("--base-version", flags->base_version,
                   "Replace this version only; fail where another is in force")
      ->option_text("N");
  verb->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
}

}  // namespace

void AddSchemaVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("schema", "What events can name by their schemaUri");
  AddAdd(verbs, group);
  verbs.AddVerb(group, "list", "List the registered schemas", "cdgate schema list", kBoth, List);
  const auto shown = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "show", "Show the document of a schema",
               "cdgate schema show https://alpha.example/schema/build", kBoth,
               [shown](Invocation& run) { return Show(*shown, run); })
      ->add_option("URI", *shown, "The schema")
      ->required();
  const auto removed = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "remove", "Remove a schema; events that name it are unresolved again",
               "cdgate schema remove https://alpha.example/schema/build", kBoth,
               [removed](Invocation& run) { return Remove(*removed, run); })
      ->add_option("URI", *removed, "The schema")
      ->required();
}

}  // namespace cdgate::cli

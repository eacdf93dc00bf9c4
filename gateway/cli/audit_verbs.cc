// The audit log: verified and exported, through the gateway or from its files.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <simdjson.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "auth/audit/folder.h"
#include "auth/audit/verify_folder.h"
#include "cdgate/admin/v1/audit.grpc.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using admin::v1::AuditService;
using admin::v1::VerifyAuditResponse;

constexpr size_t kPageEntries = 1024;
constexpr size_t kPageBytes = 1 << 20;
constexpr absl::Duration kVerifyTimeout = absl::Minutes(30);

struct VerifyFlags {
  std::string path;
  std::string bundle;
  std::string known;  // NUMBER:HASH
};

struct ExportFlags {
  std::string path;
  std::string from;
  std::string to;
  std::string output = "json";
};

// NUMBER:HASH
absl::StatusOr<audit::KnownEntry> ParseKnown(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  audit::KnownEntry known{.hash = parts.second};
  const bool hex = base::HexDecode(known.hash).ok() && known.hash.size() == 64;
  if (hex && absl::SimpleAtoi(parts.first, &known.number) && known.number > 0) return known;
  return UsageError(absl::StrCat("--known '", base::Shorten(text),
                                 "' is not NUMBER:HASH with 64 hex digits, as the gateway logs "
                                 "them"));
}

VerifyAuditResponse ToResponse(const audit::Report& report) {
  VerifyAuditResponse out;
  if (const auto& fault = report.fault) {
    admin::v1::AuditFault& to = *out.mutable_fault();
    to.set_kind(std::string(audit::FaultName(fault->kind)));
    to.set_number(fault->number);
    to.set_time(fault->time);
    to.set_file(fault->place.file);
    to.set_line(fault->place.line);
    to.set_message(fault->message);
  }
  out.set_entries(report.summary.entries);
  out.set_first_number(report.summary.first_number);
  out.set_last_number(report.summary.last_number);
  out.set_last_hash(report.summary.last_hash);
  out.set_files(report.files);
  out.set_checkpoints(report.summary.checkpoints);
  out.set_last_checkpoint(report.summary.last_checkpoint);
  out.set_unsigned_checkpoints(report.summary.unsigned_checkpoints);
  out.set_torn_bytes(report.torn_bytes);
  out.set_closed(report.summary.closed);
  for (const auto& [signer, count] : report.summary.signers) out.add_signers(signer);
  return out;
}

absl::StatusOr<VerifyAuditResponse> VerifyFiles(const VerifyFlags& flags) {
  audit::ChainOptions options;
  if (!flags.bundle.empty()) {
    CDGATE_ASSIGN_OR_RETURN(options.bundle_pem, base::ReadFile(flags.bundle));
  }
  if (!flags.known.empty()) {
    CDGATE_ASSIGN_OR_RETURN(auto known, ParseKnown(flags.known));
    options.known.push_back(std::move(known));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto report, audit::VerifyFolder(flags.path, options));
  return ToResponse(report);
}

absl::StatusOr<VerifyAuditResponse> AskGateway(const VerifyFlags& flags, Invocation& run) {
  if (!flags.bundle.empty()) {
    return UsageError(
        "--bundle is for files: name the folder, or leave it out and the gateway "
        "takes its own");
  }
  admin::v1::VerifyAuditRequest request;
  if (!flags.known.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const audit::KnownEntry known, ParseKnown(flags.known));
    request.set_known_number(known.number);
    request.set_known_hash(known.hash);
  }
  CDGATE_ASSIGN_OR_RETURN(Connection* const connection, run.Connect());
  const auto stub = AuditService::NewStub(connection->channel());
  return connection->Call(*stub, &AuditService::Stub::VerifyAudit, request, kVerifyTimeout);
}

void PrintFault(const admin::v1::AuditFault& fault, std::ostream& out) {
  out << "DAMAGED: " << fault.message() << "\n";
  if (fault.line() > 0) out << "  at     " << fault.file() << " line " << fault.line() << "\n";
  if (!fault.time().empty()) out << "  time   " << fault.time() << "\n";
  out << "  kind   " << fault.kind() << "\n";
}

// What rests on what, where nothing is wrong.
void PrintRemarks(const VerifyAuditResponse& response, bool bundle, const Invocation& run) {
  if (response.unsigned_checkpoints() > 0) {
    run.Note(absl::StrCat(response.unsigned_checkpoints(),
                          " checkpoints carry no signature: they rest on the chain alone"));
  }
  if (response.checkpoints() > 0 && !bundle) {
    run.Note(
        "signatures were checked against the certificates beside them; --bundle FILE says "
        "whose those are");
  }
  if (response.torn_bytes() > 0) {
    run.Note(absl::StrCat("an unfinished line of ", response.torn_bytes(),
                          " bytes is at the end: a write was ended; the next start notes it"));
  }
  if (!response.closed()) {
    run.Note(absl::StrCat("the log is not closed: entries behind the last checkpoint, ",
                          response.last_checkpoint(),
                          ", are not signed yet, and a cut behind it shows only by --known"));
  }
}

absl::StatusOr<int> Verify(const VerifyFlags& flags, Invocation& run) {
  const bool offline = !flags.path.empty();
  CDGATE_ASSIGN_OR_RETURN(const VerifyAuditResponse response,
                          offline ? VerifyFiles(flags) : AskGateway(flags, run));
  run.Print(response, [&] {
    if (response.has_fault()) return PrintFault(response.fault(), run.out());
    run.out() << "entries " << response.first_number() << " to " << response.last_number() << " in "
              << Count(response.files(), "file") << " are as they were written\n"
              << "  checkpoints  " << response.checkpoints() << ", the last is entry "
              << response.last_checkpoint() << "\n"
              << "  signed by    " << absl::StrJoin(response.signers(), ", ") << "\n"
              << "  last hash    " << response.last_hash() << "\n";
    PrintRemarks(response, !offline || !flags.bundle.empty(), run);
  });
  return response.has_fault() ? kExitNo : kExitDone;
}

absl::StatusOr<std::optional<absl::Time>> ParseBound(absl::string_view flag,
                                                     const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto time = config::ParseTimestamp(text)) return time;
  return UsageError(
      absl::StrCat(flag, " '", base::Shorten(text), "' is not a time as 2026-11-27T00:00:00Z"));
}

// One row of a table, of an entry.
std::vector<std::string> RowOf(simdjson::dom::parser& parser, const std::string& line) {
  const simdjson::padded_string padded(line);
  simdjson::dom::element entry;
  if (parser.parse(padded).get(entry) != simdjson::SUCCESS) return {"?", "", "", "", line, ""};
  const auto text = [&entry](const char* key) {
    std::string_view value;
    return entry[key].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
  };
  uint64_t number = 0;
  if (entry["number"].get(number) != simdjson::SUCCESS) number = 0;
  std::string what = text("what");
  for (const char* otherwise : {"event", "reason", "file"}) {
    if (what.empty()) what = text(otherwise);
  }
  std::string_view kind;
  std::string_view name;
  if (what.empty() && entry["changes"].at(0)["kind"].get(kind) == simdjson::SUCCESS &&
      entry["changes"].at(0)["name"].get(name) == simdjson::SUCCESS) {
    what = absl::StrCat(std::string(kind), " ", std::string(name));
  }
  what = what.substr(what.rfind('/') == std::string::npos ? 0 : what.rfind('/') + 1);
  return {absl::StrCat(number), text("time").substr(0, 19) + "Z", text("kind"), text("who"), what,
          text("outcome")};
}

// Prints entries as they come, or gathers them for a table.
class Printer {
 public:
  Printer(Invocation& run, bool table) : run_(run), table_(table) {}
  void Add(const std::string& line) {
    if (table_) {
      rows_.AddRow(RowOf(parser_, line));
    } else {
      run_.out() << line << "\n";
    }
  }
  void End() {
    if (table_) run_.Print(rows_, "no entries in this period");
    run_.out().flush();
  }

 private:
  Invocation& run_;
  const bool table_;
  simdjson::dom::parser parser_;
  Table rows_{{{"NUMBER"},
               {"TIME"},
               {"KIND"},
               {"WHO", Table::kShrinks},
               {"WHAT", Table::kShrinks},
               {"OUTCOME"}}};
};

absl::Status ExportFiles(const std::string& path, std::optional<absl::Time> from,
                         std::optional<absl::Time> to, Printer& printer) {
  audit::Exporter exporter(path, from.value_or(absl::InfinitePast()),
                           to.value_or(absl::InfiniteFuture()));
  std::vector<std::string> lines;
  do {
    CDGATE_RETURN_IF_ERROR(exporter.Next(kPageEntries, kPageBytes, &lines));
    for (const std::string& line : lines) printer.Add(line);
  } while (!lines.empty());
  return absl::OkStatus();
}

absl::Status ExportFromGateway(std::optional<absl::Time> from, std::optional<absl::Time> to,
                               Invocation& run, Printer& printer) {
  admin::v1::ExportAuditRequest request;
  if (from) *request.mutable_from() = ToProto(*from);
  if (to) *request.mutable_to() = ToProto(*to);
  CDGATE_ASSIGN_OR_RETURN(Connection* const connection, run.Connect());
  const auto stub = AuditService::NewStub(connection->channel());
  grpc::ClientContext context;
  const auto reader = stub->ExportAudit(&context, request);
  admin::v1::ExportAuditResponse page;
  while (reader->Read(&page)) {
    for (const std::string& line : page.entries()) printer.Add(line);
  }
  const grpc::Status status = reader->Finish();
  return status.ok() ? absl::OkStatus() : connection->Explain(status);
}

absl::StatusOr<int> Export(const ExportFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto from, ParseBound("--from", flags.from));
  CDGATE_ASSIGN_OR_RETURN(const auto to, ParseBound("--to", flags.to));
  Printer printer(run, flags.output == "table");
  CDGATE_RETURN_IF_ERROR(flags.path.empty() ? ExportFromGateway(from, to, run, printer)
                                            : ExportFiles(flags.path, from, to, printer));
  printer.End();
  return kExitDone;
}

void AddVerify(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "verify", "Check that no entry was altered, removed or moved",
      "cdgate audit verify\ncdgate audit verify /var/lib/cdgate/audit --bundle alpha.pem",
      Verbs::kConnects | Verbs::kPrints, [flags](Invocation& run) { return Verify(*flags, run); });
  verb->add_option("PATH", flags->path,
                   "The folder with the files; without it the gateway checks its own");
  verb->add_option("--bundle", flags->bundle,
                   "PEM roots of the gateway's domain, old ones too; vouches for signatures")
      ->option_text("FILE");
  verb->add_option("--known", flags->known,
                   "An entry known from elsewhere, as the gateway logs them: finds a cut end")
      ->option_text("NUMBER:HASH");
}

void AddExport(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* const verb = verbs.AddVerb(
      group, "export", "Print the entries of a period, one JSON object a line",
      "cdgate audit export --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z > november.jsonl",
      Verbs::kConnects, [flags](Invocation& run) { return Export(*flags, run); });
  verb->add_option("PATH", flags->path, "The folder with the files; without it the gateway's own");
  verb->add_option("--from", flags->from, "From this time on; default: the first entry")
      ->option_text("TIME");
  verb->add_option("--to", flags->to, "Before this time; default: the last entry")
      ->option_text("TIME");
  verb->add_option("-o,--output", flags->output, "json, the lines as they are, or table")
      ->check(CLI::IsMember({"json", "table"}))
      ->option_text("FORMAT");
}

}  // namespace

void AddAuditVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("audit", "Who did what: the gateway's audit log");
  AddVerify(verbs, group);
  AddExport(verbs, group);
}

}  // namespace cdgate::cli

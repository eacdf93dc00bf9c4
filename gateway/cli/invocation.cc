#include "gateway/cli/invocation.h"

#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::cli {

absl::StatusOr<Connection*> Invocation::Connect() {
  if (connection_ == nullptr) {
    const absl::StatusOr<Target> resolved = ResolveTarget(target, streams_.environment);
    if (!resolved.ok()) return AsUsageError(resolved.status());
    CDGATE_ASSIGN_OR_RETURN(connection_, Connection::Open(*resolved));
  }
  return connection_.get();
}

void Invocation::Print(const Node& node, const std::function<void()>& people) const {
  if (output == "json") {
    out() << node.ToJson(true) << "\n";
  } else if (output == "yaml") {
    out() << node.ToYaml();
  } else {
    people();
  }
}

void Invocation::Print(const google::protobuf::Message& message,
                       const std::function<void()>& people) const {
  Print(table() ? Node() : Node::FromMessage(message), people);
}

void Invocation::Print(const Table& table, absl::string_view otherwise) const {
  if (table.empty()) {
    Note(otherwise);
  } else {
    table.Print(out(), streams_.out_is_terminal);
  }
}

int Invocation::Fail(const absl::Status& error) const {
  const auto reason = base::ReasonOf(error);
  const char* const label = streams_.err_is_terminal ? "\x1b[31merror:\x1b[0m " : "error: ";
  err() << label << error.message();
  if (IsUsageError(error)) {
    err() << "\n  See cdgate " << verb << (verb.empty() ? "" : " ") << "--help.";
  } else if (reason) {
    err() << " (" << base::ReasonLabel(*reason) << ")\n  " << base::InfoOf(*reason).remedy;
  }
  err() << "\n";
  return ExitCodeOf(error);
}

void Invocation::Note(absl::string_view text) const { err() << text << "\n"; }

}  // namespace cdgate::cli

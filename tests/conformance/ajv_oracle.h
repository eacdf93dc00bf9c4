// Asks ajv, the validator that the official schemas of CDEvents are checked with, so that
// a test can compare our verdicts with its own.
//
//   const auto verdicts = test::AskAjv({{.release = "v0.5.1", .text = json}});
//   if (absl::IsUnavailable(verdicts.status())) GTEST_SKIP() << verdicts.status().message();
//   CDGATE_ASSERT_OK(verdicts);
//
// The programs are those in tests/conformance/ajv. They run in a copy under the build
// folder, where `npm ci` installs what package-lock.json names, once until that changes;
// tests that run at the same time wait for it. Each call starts one process of node, which
// takes about half a second and 50,000 questions in two; it blocks.
//
// Errors: Unavailable where node, npm, what npm ci downloads or the schemas are not there
// (the test then skips with the message), Internal with the program's last words where it
// fails, as on a release or a schema that does not exist.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cdgate::test {

struct OracleQuestion {
  // A folder of the schemas, "v0.5.1", or one that is made of the catalogue: "v0.4.0" (as
  // receivers have to take it: 0.4.1 with `chain_id`), "0.6.0-draft". Empty: the folder that
  // has the text's type.
  std::string release;
  // A file there without ".json": "pipelinerunfinished", "links/linkend", or "custom".
  // Empty: the one that has the text's type. Links have no type and need both.
  std::string schema;
  std::string text;  // JSON, in UTF-8
};

struct OracleFault {
  // A JSON pointer: to the value, for "required" to the member that is missing, for
  // "additionalProperties" to the one too many.
  std::string path;
  // Of JSON Schema; or "json" where the text is not JSON, "schema" where none has its type.
  std::string keyword;

  friend bool operator==(const OracleFault&, const OracleFault&) = default;
};

struct OracleVerdict {
  bool valid = false;
  std::vector<OracleFault> faults;  // all, in ajv's order; none where it is valid
};

// As many verdicts as questions, in their order. The schemas are those in
// TestData("cdevents").
absl::StatusOr<std::vector<OracleVerdict>> AskAjv(absl::Span<const OracleQuestion> questions);

struct FormatQuestion {
  std::string format;  // "uri"
  std::string text;    // UTF-8
};

// Whether ajv-formats, in its mode "full", takes each text for one of its format.
absl::StatusOr<std::vector<bool>> AskAjvFormats(absl::Span<const FormatQuestion> questions);

}  // namespace cdgate::test

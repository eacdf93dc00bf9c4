// The log: text on a terminal, one JSON object a line otherwise.
//
//   base::Log(base::LogLevel::kInfo, "link up", {{"peer", domain}, {"dialled", "true"}});
//
// Fields, not formatted sentences: the message is a constant in lower case, the
// values are fields. Never a secret, never an event's data. Thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"

namespace cdgate::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kAuto, kText, kJson };

struct LogField {
  absl::string_view key;
  std::string value;
};

// Call once, before threads start. kAuto: text where standard error is a terminal.
void InitLogging(LogLevel least, LogFormat format);
void SetLogLevel(LogLevel least);
// "debug", "info", "warning", "error"; kInfo for anything else, with *known = false.
LogLevel ParseLogLevel(absl::string_view text, bool* known);

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields = {});
// Adds the fields reason and error of `status`.
void LogError(LogLevel level, absl::string_view message, const absl::Status& status,
              std::initializer_list<LogField> fields = {});

}  // namespace cdgate::base

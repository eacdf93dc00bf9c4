#include "gateway/base/logging.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gateway/base/errors.h"

namespace cdgate::base {
namespace {

std::atomic<bool> g_json{false};

std::unique_ptr<spdlog::logger> MakeLogger(const char* pattern) {
  auto logger = std::make_unique<spdlog::logger>(
      "cdgate", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern(pattern);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

// Never freed, nor kept by spdlog's registry, which ends with the process's statics: gRPC has
// threads that log until the very end.
std::atomic<spdlog::logger*>& TheLogger() {
  static auto* const logger =
      new std::atomic<spdlog::logger*>(MakeLogger("[%Y-%m-%d %H:%M:%S.%e] [%^%l%$] %v").release());
  return *logger;
}
spdlog::logger& Logger() { return *TheLogger().load(std::memory_order_acquire); }

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

absl::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "info";
}

void AppendJsonString(std::string* out, absl::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<uint8_t>(c) < 0x20) {
      absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(static_cast<uint8_t>(c)));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

void AppendJsonMember(std::string* out, absl::string_view key, absl::string_view value) {
  if (out->size() > 1) out->push_back(',');
  AppendJsonString(out, key);
  out->push_back(':');
  AppendJsonString(out, value);
}

bool NeedsQuotes(absl::string_view value) {
  return value.empty() || value.find_first_of(" \t\n\"=") != absl::string_view::npos;
}

void Write(LogLevel level, absl::string_view message, const std::vector<LogField>& fields) {
  std::string line;
  if (g_json.load(std::memory_order_relaxed)) {
    line = "{";
    AppendJsonMember(&line, "time",
                     absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone()));
    AppendJsonMember(&line, "level", NameOf(level));
    AppendJsonMember(&line, "message", message);
    for (const LogField& field : fields) AppendJsonMember(&line, field.key, field.value);
    line.push_back('}');
  } else {
    line = std::string(message);
    for (const LogField& field : fields) {
      absl::StrAppend(&line, "  ", field.key, "=");
      if (NeedsQuotes(field.value)) {
        AppendJsonString(&line, field.value);
      } else {
        line += field.value;
      }
    }
  }
  Logger().log(LevelOf(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void InitLogging(LogLevel least, LogFormat format) {
  const bool json =
      format == LogFormat::kJson || (format == LogFormat::kAuto && isatty(STDERR_FILENO) == 0);
  g_json.store(json, std::memory_order_relaxed);
  // What was before may be in use, so it is kept.
  static auto* const before = new std::vector<spdlog::logger*>;
  before->push_back(
      TheLogger().exchange(MakeLogger(json ? "%v" : "%Y-%m-%d %H:%M:%S.%e %^%-7l%$ %v").release(),
                           std::memory_order_acq_rel));
  SetLogLevel(least);
}

void SetLogLevel(LogLevel least) { Logger().set_level(LevelOf(least)); }

LogLevel ParseLogLevel(absl::string_view text, bool* known) {
  *known = true;
  for (LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == NameOf(level)) return level;
  }
  *known = false;
  return LogLevel::kInfo;
}

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields) {
  if (!Logger().should_log(LevelOf(level))) return;
  Write(level, message, fields);
}

void LogError(LogLevel level, absl::string_view message, const absl::Status& status,
              std::initializer_list<LogField> fields) {
  if (!Logger().should_log(LevelOf(level))) return;
  std::vector<LogField> all(fields);
  if (const auto reason = ReasonOf(status)) all.push_back({"reason", ReasonLabel(*reason)});
  all.push_back({"error", std::string(status.message())});
  Write(level, message, all);
}

}  // namespace cdgate::base

// Texts for people and programs: times, durations, lists, tables.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <iosfwd>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::cli {

// Tables stay within this.
inline constexpr size_t kTableWidth = 100;

// RFC 3339 in UTC, to the second: "2026-11-22T15:30:52Z".
std::string TimeText(absl::Time time);
// The day alone, in UTC: "2026-11-22".
std::string DayText(absl::Time time);
// "-" where the message is absent.
std::string TimeText(bool present, const google::protobuf::Timestamp& time);
// The value of a flag: "90s", "15m", "24h", "7d". A usage error otherwise, or where it is 0.
absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag, absl::string_view text);

absl::Time ToTime(const google::protobuf::Timestamp& time);
absl::Duration ToDuration(const google::protobuf::Duration& duration);
google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// `text` with what is not UTF-8 replaced by U+FFFD.
std::string ReplaceInvalidUtf8(absl::string_view text);
// Number of characters; what a terminal shows of text in Latin script.
size_t Width(absl::string_view text);
// `text` in one line of at most `width` characters, "…" at its end where it was cut.
std::string Fit(absl::string_view text, size_t width);

// "1 event", "2 events".
std::string Count(uint64_t n, absl::string_view noun);

// Rows of text in columns.
//
//   Table table({{"DOMAIN"}, {"STATE"}, {"PURPOSE", Table::kShrinks}});
//   table.AddRow({"beta.example", "approved", "joint releases"});
//   table.Print(out, is_terminal);
//
// Columns marked kShrinks are cut where the table would be wider than kTableWidth, the
// widest first; others are what people copy from it and never cut.
class Table {
 public:
  enum Shrink { kKeeps, kShrinks };
  struct Column {
    std::string title;
    Shrink shrink = kKeeps;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns; an empty one is shown as "-".
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // The titles are emphasised on a terminal.
  void Print(std::ostream& out, bool terminal) const;

 private:
  std::vector<size_t> Widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cdgate::cli

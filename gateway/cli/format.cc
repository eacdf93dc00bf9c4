#include "gateway/cli/format.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/cli/exit.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Length of a well-formed UTF-8 character at the start of `text`, 0 where there is none.
size_t CharacterLength(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t length = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  return length;
}

}  // namespace

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string DayText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

std::string TimeText(bool present, const google::protobuf::Timestamp& time) {
  return present ? TimeText(ToTime(time)) : "-";
}

absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag, absl::string_view text) {
  const std::optional<absl::Duration> duration = config::ParseDuration(text);
  if (duration && *duration > absl::ZeroDuration()) return *duration;
  return UsageError(absl::StrCat(flag, " '", base::Shorten(text),
                                 "' is not a duration: write 90s, 15m, 24h or 7d"));
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp out;
  const int64_t seconds = absl::ToUnixSeconds(time);
  out.set_seconds(seconds);
  out.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return out;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration out;
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return out;
}

std::string ReplaceInvalidUtf8(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      absl::StrAppend(&out, text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

size_t Width(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Fit(absl::string_view text, size_t width) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  if (Width(line) <= width) return line;
  size_t end = 0;
  for (size_t characters = 0; end < line.size(); ++end) {
    if (!IsContinuation(line[end]) && ++characters == width) break;
  }
  return absl::StrCat(line.substr(0, end), "…");
}

std::string Count(uint64_t n, absl::string_view noun) {
  return absl::StrCat(n, " ", noun, n == 1 ? "" : "s");
}

void Table::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "-";
  }
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::Widths() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = Width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), size_t{0}) + 2 * (widths.size() - 1);
  };
  while (total() > kTableWidth) {
    size_t* widest = nullptr;
    for (size_t i = 0; i < columns_.size(); ++i) {
      constexpr size_t kLeast = 8;
      if (columns_[i].shrink == kKeeps || widths[i] <= kLeast) continue;
      if (widest == nullptr || widths[i] > *widest) widest = &widths[i];
    }
    if (widest == nullptr) break;
    --*widest;
  }
  return widths;
}

void Table::Print(std::ostream& out, bool terminal) const {
  const std::vector<size_t> widths = Widths();
  const auto line = [&](const auto& text_of) {
    std::string text;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = Fit(text_of(i), widths[i]);
      absl::StrAppend(&text, cell);
      if (i + 1 < columns_.size()) text.append(widths[i] - Width(cell) + 2, ' ');
    }
    return text;
  };
  const std::string titles = line([&](size_t i) { return columns_[i].title; });
  out << (terminal ? absl::StrCat("\x1b[1m", titles, "\x1b[0m") : titles) << "\n";
  for (const auto& row : rows_) out << line([&](size_t i) { return row[i]; }) << "\n";
}

}  // namespace cdgate::cli

#include "gateway/cli/delivery_table.h"

#include <algorithm>
#include <ostream>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/cli/format.h"

namespace cdgate::cli {
namespace {

constexpr size_t kLeastWidth = 60;
constexpr size_t kWithRule = 100;
constexpr size_t kWithId = 150;
constexpr size_t kGap = 2;

constexpr char kBold[] = "\x1b[1m";
constexpr char kGreen[] = "\x1b[32m";
constexpr char kRed[] = "\x1b[31m";
constexpr char kPlain[] = "\x1b[0m";

absl::string_view MemberOf(const simdjson::dom::object& whole, std::string_view name) {
  std::string_view text;
  return whole[name].get(text) == simdjson::SUCCESS ? event::ToAbsl(text) : absl::string_view();
}

std::string Padded(std::string text, size_t width) {
  const size_t has = Width(text);
  if (has < width) text.append(width - has, ' ');
  return text;
}

}  // namespace

std::string AgeText(absl::Duration age) {
  age = std::max(age, absl::ZeroDuration());  // clocks differ
  if (age < absl::Minutes(1)) return absl::StrCat(absl::ToInt64Seconds(age), "s");
  if (age < absl::Hours(1)) return absl::StrCat(absl::ToInt64Minutes(age), "m");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), "h");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, "d");
}

absl::string_view DeliveryTable::TitleOf(Cell cell) {
  switch (cell) {
    case Cell::kSequence: return "SEQ";
    case Cell::kType: return "TYPE";
    case Cell::kSubject: return "SUBJECT";
    case Cell::kOrigin: return "ORIGIN";
    case Cell::kAge: return "AGE";
    case Cell::kOutcome: return "OUTCOME";
    case Cell::kRule: return "RULE";
    case Cell::kId: return "ID";
  }
  return "";
}

// Texts share what the others leave; at 100 columns a type of the specification fits.
std::vector<DeliveryTable::Column> DeliveryTable::ColumnsOf(size_t width) {
  width = std::max(width, kLeastWidth);
  std::vector<Column> columns = {{Cell::kSequence, 5}, {Cell::kType, 0}, {Cell::kSubject, 0},
                                 {Cell::kOrigin, 0},   {Cell::kAge, 4},  {Cell::kOutcome, 10}};
  if (width >= kWithRule) columns.push_back({Cell::kRule, 12});
  if (width >= kWithId) columns.push_back({Cell::kId, 36});
  size_t taken = kGap * (columns.size() - 1);
  for (const Column& column : columns) taken += column.width;
  const size_t rest = width - taken;
  columns[3].width = std::clamp<size_t>(rest * 23 / 100, 6, 30);
  columns[1].width = std::clamp<size_t>(rest * 46 / 100, 8, 36);
  columns[2].width = rest - columns[1].width - columns[3].width;
  return columns;
}

size_t DeliveryTable::Width() const {
  const size_t width = options_.width ? options_.width() : 0;
  return width == 0 ? kTableWidth : width;
}

void DeliveryTable::FitTo(size_t width) {
  width_ = width;
  columns_ = ColumnsOf(width);
  std::string titles;
  for (const Column& column : columns_) {
    absl::StrAppend(&titles, Padded(std::string(TitleOf(column.cell)), column.width + kGap));
  }
  titles = std::string(absl::StripTrailingAsciiWhitespace(titles));
  options_.out << (options_.colours ? absl::StrCat(kBold, titles, kPlain) : titles) << std::endl;
}

DeliveryTable::Said DeliveryTable::Read(const events::v1::DeliveredEvent& delivered) {
  Said said;
  const auto root = parser_.ParseAdmitted(delivered.event().binary_data());
  simdjson::dom::object subject;
  if (!root.ok() || (*root)["subject"].get(subject) != simdjson::SUCCESS) return said;
  said.subject = std::string(MemberOf(subject, "id"));
  simdjson::dom::object content;
  if (subject["content"].get(content) == simdjson::SUCCESS) {
    said.outcome = std::string(MemberOf(content, "outcome"));
  }
  return said;
}

std::string DeliveryTable::TextOf(Cell cell, const events::v1::DeliveredEvent& delivered,
                                  const Said& said) const {
  switch (cell) {
    case Cell::kSequence: return absl::StrCat(delivered.sequence());
    case Cell::kType:
      return std::string(absl::StripPrefix(delivered.event().type(), "dev.cdevents."));
    case Cell::kSubject: return said.subject;
    case Cell::kOrigin: return delivered.origin();
    case Cell::kAge:
      return delivered.has_accept_time() ? AgeText(options_.now() - ToTime(delivered.accept_time()))
                                         : "";
    case Cell::kOutcome:
      return delivered.attempt() > 1 ? absl::StrCat(said.outcome.empty() ? "-" : said.outcome, "(",
                                                    delivered.attempt(), ")")
                                     : said.outcome;
    case Cell::kRule: return delivered.import_rule();
    case Cell::kId: return delivered.event().id();
  }
  return "";
}

std::string DeliveryTable::Coloured(const std::string& text, absl::string_view outcome) const {
  if (!options_.colours) return text;
  if (outcome == "success" || outcome == "pass") return absl::StrCat(kGreen, text, kPlain);
  if (outcome == "failure" || outcome == "fail" || outcome == "error") {
    return absl::StrCat(kRed, text, kPlain);
  }
  return text;
}

void DeliveryTable::Print(const events::v1::DeliveredEvent& delivered) {
  if (const size_t width = Width(); width != width_) FitTo(width);
  const Said said = Read(delivered);
  std::string line;
  for (const Column& column : columns_) {
    std::string text = TextOf(column.cell, delivered, said);
    if (text.empty()) text = "-";
    // A sequence is what people copy: it pushes the rest to the right rather than being cut.
    if (column.cell != Cell::kSequence) text = Fit(text, column.width);
    const bool last = &column == &columns_.back();
    if (!last) text = Padded(text, column.width);
    if (column.cell == Cell::kOutcome) text = Coloured(text, said.outcome);
    absl::StrAppend(&line, text, last ? "" : "  ");
  }
  options_.out << line << "\n";
}

}  // namespace cdgate::cli

// Delivered events as a table that a person can watch: a line each as they come, the columns as
// wide as the terminal is now.
//
//   DeliveryTable table({.out = std::cout, .colours = true, .width = columns, .now = absl::Now});
//   table.Begin();                       // the titles
//   table.Print(delivered);
//
// SEQ TYPE SUBJECT ORIGIN AGE OUTCOME RULE: the age is since the origin accepted it, the outcome
// what the CDEvent says of itself ("failure"), with the attempt in brackets where it was delivered
// before, and the rule that of the import, "-" where it was published here. Below 100 columns RULE
// is left out, from 150 on the ID is shown. A terminal that becomes wider or narrower gets the
// titles again.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/event/json_parser.h"

namespace cdgate::cli {

// "0s", "42s", "5m", "3h", "12d".
std::string AgeText(absl::Duration age);

// Not thread-safe.
class DeliveryTable {
 public:
  struct Options {
    std::ostream& out;
    bool colours = false;
    std::function<size_t()> width = {};  // columns; 0 or none: kTableWidth
    std::function<absl::Time()> now;
  };

  explicit DeliveryTable(Options options) : options_(std::move(options)) {}

  void Begin() { FitTo(Width()); }
  void Print(const events::v1::DeliveredEvent& delivered);

 private:
  enum class Cell { kSequence, kType, kSubject, kOrigin, kAge, kOutcome, kRule, kId };
  struct Column {
    Cell cell;
    size_t width;
  };
  struct Said {
    std::string subject;
    std::string outcome;
  };

  static absl::string_view TitleOf(Cell cell);
  static std::vector<Column> ColumnsOf(size_t width);
  size_t Width() const;
  void FitTo(size_t width);
  // What the CDEvent says.
  Said Read(const events::v1::DeliveredEvent& delivered);
  std::string TextOf(Cell cell, const events::v1::DeliveredEvent& delivered,
                     const Said& said) const;
  std::string Coloured(const std::string& text, absl::string_view outcome) const;

  const Options options_;
  event::JsonParser parser_;
  size_t width_ = 0;
  std::vector<Column> columns_;
};

}  // namespace cdgate::cli

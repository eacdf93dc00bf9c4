// A text that is being looked at part by part, and the first fault that was found. Inside
// gateway/event only.
//
//   LintText text(whole);
//   if (!text.Check(!name.empty(), name, "the name is empty")) return text.fault();
#pragma once

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace cdgate::event {

// Not thread-safe. Parts are views into the text, which must outlive it.
class LintText {
 public:
  explicit LintText(absl::string_view whole) : whole_(whole) {}

  const std::optional<std::string>& fault() const { return fault_; }

  // `fine`; where it is not, `what` is the fault, and it is where `part` begins.
  bool Check(bool fine, absl::string_view part, absl::string_view what);

  // Whether `part` is unreserved characters (RFC 3986, section 2.3), those of `also`, and
  // escapes. `name` is what it is called: "the name".
  bool CheckEncoded(absl::string_view part, absl::string_view name, absl::string_view also);

 private:
  const absl::string_view whole_;
  std::optional<std::string> fault_;
};

// Every %XX as its byte; a '%' that begins none stays.
std::string PercentDecoded(absl::string_view text);

}  // namespace cdgate::event

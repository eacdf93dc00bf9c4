// Tokens that people can read: nothing is hidden, everything is bound.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "federation/link/token.h"
#include "gateway/base/errors.h"

namespace cdgate::test {

// "<SEQUENCE:POSITION:MARK PEER AGREEMENT LOG_EPOCH LINK_EPOCH>"
class FakeSealer final : public link::TokenSealer {
 public:
  std::string Seal(const link::Place& place, const link::TokenScope& scope) const override {
    return absl::StrCat("<", place.sequence.value(), ":", place.position.value(), ":", place.mark,
                        Suffix(scope));
  }

  absl::StatusOr<link::Place> Open(absl::string_view token,
                                   const link::TokenScope& scope) const override {
    unsigned long sequence = 0, position = 0, mark = 0;
    int used = 0;
    const std::string text(token);
    if (sscanf(text.c_str(), "<%lu:%lu:%lu%n", &sequence, &position, &mark, &used) != 3 ||
        token.substr(static_cast<size_t>(used)) != Suffix(scope)) {
      return base::MakeError(base::Reason::kTokenInvalid, "not a token of ours");
    }
    return link::Place{base::Sequence(sequence), base::Position(position), mark};
  }

 private:
  static std::string Suffix(const link::TokenScope& scope) {
    return absl::StrCat(" ", scope.peer, " ", scope.agreement_id, " ", scope.log_epoch.value(), " ",
                        scope.link_epoch, ">");
  }
};

}  // namespace cdgate::test

#include "federation/manager/revocation_numbers.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/revocation_list.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"

namespace cdgate::manager {
namespace {

using crypto::RevocationList;

// By issuer: the greatest number.
using Numbers = std::map<std::pair<std::string, std::string>, uint64_t>;

absl::StatusOr<Numbers> NumbersOf(const std::vector<std::string>& pems) {
  Numbers out;
  for (const std::string& pem : pems) {
    CDGATE_ASSIGN_OR_RETURN(const auto lists, RevocationList::ParsePem(pem));
    for (const RevocationList& list : lists) {
      uint64_t& number = out[{list.issuer(), list.issuer_key_id()}];
      number = std::max(number, list.number());
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> ListThatGoesBack(const std::vector<std::string>& now,
                                             const std::vector<std::string>& before) {
  CDGATE_ASSIGN_OR_RETURN(const Numbers numbers, NumbersOf(now));
  const auto held = NumbersOf(before);
  if (!held.ok()) return std::string();
  for (const auto& [issuer, number] : *held) {
    const auto found = numbers.find(issuer);
    if (found == numbers.end() || found->second >= number) continue;
    return absl::StrCat("revocation list ", found->second, " of ", base::Shorten(issuer.first),
                        ", older than ", number, ", the one held");
  }
  return std::string();
}

}  // namespace cdgate::manager

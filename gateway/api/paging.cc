#include "gateway/api/paging.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::api {
namespace {

constexpr size_t kDefaultPageSize = 100;
constexpr int32_t kMaxPageSize = 1000;
constexpr size_t kCheckBytes = 8;

std::string CheckOf(absl::string_view arguments, absl::string_view last) {
  return crypto::Sha256(absl::StrCat("cdgate/page/v1 ", arguments.size(), " ", arguments, last))
      .substr(0, kCheckBytes);
}

}  // namespace

absl::StatusOr<size_t> PageSize(int32_t asked) {
  if (asked < 0) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat("page_size is ", asked, "; use 0 to 1000"),
                           {{"field", "page_size"}});
  }
  if (asked == 0) return kDefaultPageSize;
  return static_cast<size_t>(std::min(asked, kMaxPageSize));
}

std::string MakePageToken(absl::string_view arguments, absl::string_view last) {
  return base::Base64UrlEncode(absl::StrCat(CheckOf(arguments, last), last));
}

absl::StatusOr<std::string> ReadPageToken(absl::string_view arguments, absl::string_view token) {
  if (token.empty()) return std::string();
  const auto bytes = base::Base64UrlDecode(token);
  if (bytes.ok() && bytes->size() >= kCheckBytes) {
    const std::string last = bytes->substr(kCheckBytes);
    if (bytes->substr(0, kCheckBytes) == CheckOf(arguments, last)) return last;
  }
  return base::MakeError(
      base::Reason::kInvalidArgument,
      "page_token is not from the page before with the same arguments; begin without one",
      {{"field", "page_token"}});
}

}  // namespace cdgate::api

#include "gateway/cli/plan_flags.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr size_t kHashDigits = 64;
constexpr size_t kFewestDigits = 8;

bool IsHash(const std::string& text) {
  if (text.size() < kFewestDigits || text.size() > kHashDigits) return false;
  return text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

absl::StatusOr<admin::v1::Plan> GetPlan(const std::string& hash, Invocation& run) {
  admin::v1::GetPlanRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_hash(), base::HexDecode(hash));
  return run.Admin(&Admin::GetPlan, request, kPlanTimeout);
}

}  // namespace

absl::StatusOr<admin::v1::Since> ParseSince(const std::string& flag, const std::string& text,
                                            absl::Time now) {
  admin::v1::Since since;
  uint64_t sequence = 0;
  if (absl::SimpleAtoi(text, &sequence) && sequence > 0) {
    since.set_sequence(sequence);
    return since;
  }
  if (const auto time = config::ParseTimestamp(text)) {
    *since.mutable_time() = ToProto(*time);
    return since;
  }
  const auto ago = ParseDurationFlag(flag, text);
  if (!ago.ok()) {
    return UsageError(absl::StrCat(flag, " '", base::Shorten(text),
                                   "' is none of a sequence from 1, a time like "
                                   "2026-11-22T15:30:52Z, and how long ago, such as 30d"));
  }
  *since.mutable_time() = ToProto(now - *ago);
  return since;
}

absl::StatusOr<admin::v1::ListPlansResponse> AllPlans(Invocation& run) {
  admin::v1::ListPlansResponse all;
  admin::v1::ListPlansRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListPlans, request));
    request.set_page_token(page.next_page_token());
    all.mutable_plans()->MergeFrom(page.plans());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<admin::v1::Plan> FindPlan(const std::string& hash, Invocation& run) {
  const std::string text = absl::AsciiStrToLower(hash);
  if (!IsHash(text)) {
    return UsageError(absl::StrCat("'", base::Shorten(hash), "' is no hash of a plan, nor its ",
                                   "first ", kFewestDigits,
                                   " or more digits; cdgate policy plans lists them"));
  }
  if (text.size() == kHashDigits) return GetPlan(text, run);
  CDGATE_ASSIGN_OR_RETURN(const auto all, AllPlans(run));
  const admin::v1::Plan* found = nullptr;
  for (const admin::v1::Plan& plan : all.plans()) {
    if (!absl::StartsWith(base::HexEncode(plan.hash()), text)) continue;
    if (found != nullptr) {
      return UsageError(absl::StrCat("several plans begin with ", text, "; give more digits"));
    }
    found = &plan;
  }
  if (found != nullptr) return *found;
  return base::MakeError(base::Reason::kPlanUnknown,
                         absl::StrCat("no good plan begins with ", text), {{"plan", text}});
}

absl::StatusOr<std::map<std::string, admin::v1::Plan>> FindPlans(
    const std::vector<std::string>& hashes, Invocation& run) {
  std::map<std::string, admin::v1::Plan> out;
  for (const std::string& hash : hashes) {
    CDGATE_ASSIGN_OR_RETURN(admin::v1::Plan plan, FindPlan(hash, run));
    if (plan.kind() != "policy") {
      return UsageError(absl::StrCat("the plan ", hash, " is for a ", plan.kind(),
                                     ", which is applied by doing the same again"));
    }
    const std::string name = plan.name();
    if (!out.emplace(name, std::move(plan)).second) {
      return UsageError(absl::StrCat("two plans are for the policy of ", name));
    }
  }
  return out;
}

}  // namespace cdgate::cli
